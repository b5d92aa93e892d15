"""Searches lines for plain text or a regular expression, in time linear in the length of a line.

Anyone may send an expression, so RE2 matches it: twice as long a line takes twice as long, whatever the expression.
It runs in a thread, and others run meanwhile.
"""

from __future__ import annotations

import importlib
import re
import time
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread

from jobtrail.errors import BadArgument
from jobtrail.text import quote_value, sanitize_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from jobtrail.logs.lines import MatchSpan

    Find = Callable[[Sequence[str]], Awaitable[Sequence[MatchSpan | None]]]
    Search = Callable[[str], MatchSpan | None]

SECONDS = 5.0
_LONGEST = 300
_EXPRESSION = re.compile(r"/(.*)/([gimsuxy]{0,3})", re.DOTALL)
"""With the flags that other languages know."""
TURN = 250_000
"""Characters that are looked at between two turns of others, which takes some hundredths of a second."""
_PROBE = 8_192
"""Characters of a longer line that tell how long an expression takes for all of it."""
_PROGRAM_BYTES = 256 * 1024
"""Memory for a compiled expression. The largest that fits takes about 0.3 s for the longest line."""

_ADVICE = {
    "invalid perl operator": "lookaround and conditions are not supported; leave them out",
    "invalid escape sequence": "back-references, \\Z and \\u are not supported; leave them out (é is \\x{e9})",
    "invalid repetition size": "no repeat may be over 1,000; write a smaller one, or * or +",
    "bad repetition operator": "a repeat of a repeat, such as a++, is not supported; write one",
    "pattern too large": "it takes too much memory; write fewer or smaller repeats",
}
"""What to do about an error of RE2, by how its text begins."""


def compile_search(query: str | None, seconds: float = SECONDS) -> Find:
    """Return a function that tells where in each of some lines `query` is; everywhere, where there is none.

    Args:
        query: plain text, or a regular expression as `/…/` or `/…/i`; both in any case.
        seconds: what the expression may take for one batch of lines; the function raises `BadArgument` then.

    Raises:
        BadArgument: the search is too long, or is no regular expression that RE2 supports.
    """
    if query is not None and len(query) > _LONGEST:
        raise BadArgument(f"query has {len(query):,} characters; give at most {_LONGEST}")
    expression = _read_expression(query or "")
    if query is not None and expression is not None:
        return partial(_find_in_thread, query, _compile(query, expression), seconds)
    wanted = (query or "").lower()

    async def find(texts: Sequence[str]) -> Sequence[MatchSpan | None]:
        places: list[int] = []
        for batch in batch_by_length(texts):
            places += [text.lower().find(wanted) for text in batch]
            await anyio.lowlevel.checkpoint()
        return [None if place < 0 else (place, place + len(wanted)) for place in places]

    return find


def batch_by_length(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield texts in batches of `TURN` characters, or of one text that is longer; each counts as 100 at least."""
    first = length = 0
    for index, text in enumerate(texts):
        length += max(len(text), 100)
        if length >= TURN:
            yield texts[first : index + 1]
            first, length = index + 1, 0
    if first < len(texts):
        yield texts[first:]


def _read_expression(query: str) -> str | None:
    """Return the expression of a search; None for plain text, such as a path.

    Raises:
        BadArgument: the expression is empty, or has flags that are not taken.
    """
    written = _EXPRESSION.fullmatch(query)
    if written is None or (not written[1] and written[2]):
        return None
    expression, flags = written.groups()
    if not expression:
        raise BadArgument(
            f"query={quote_value(query)} is an empty expression; give plain text, or /\\/\\// for slashes"
        )
    if flags not in {"", "i"}:
        raise BadArgument(
            f"query={quote_value(query)}: an expression takes no flag but i; write (?m) or (?s) at its beginning, "
            "or leave out the first slash to search for the text"
        )
    return expression


def _compile(query: str, between: str) -> Search:
    """Compile the expression between the slashes of a search.

    Raises:
        BadArgument: RE2 does not support it.
    """
    # Few calls need it, so a server starts without it. It has no types.
    re2 = importlib.import_module("re2")
    options = re2.Options()
    options.case_sensitive, options.never_capture, options.log_errors = False, True, False
    options.max_mem = _PROGRAM_BYTES
    try:
        expression = re2.compile(between.encode(errors="backslashreplace"), options)
    except re2.error as error:
        reason = sanitize_text(error.args[0].decode(errors="replace"), 100)
        advice = next((advice for begin, advice in _ADVICE.items() if reason.startswith(begin)), "correct it")
        raise BadArgument(
            f"query={quote_value(query)} cannot be searched for ({reason}): {advice}, or give plain text"
        ) from None

    def find(text: str) -> MatchSpan | None:
        match = expression.search(text)
        return match and match.span()

    return find


async def _find_in_thread(
    query: str, find: Search, seconds: float, texts: Sequence[str]
) -> Sequence[MatchSpan | None]:
    """Look through lines in a thread that ends when its time is up or the call is cancelled, between two lines."""
    deadline = time.monotonic() + seconds

    def find_all() -> list[MatchSpan | None]:
        places: list[MatchSpan | None] = []
        for text in texts:
            anyio.from_thread.check_cancelled()
            if time.monotonic() + _estimate_seconds(find, text) > deadline:
                raise BadArgument(
                    f"query={quote_value(query)} takes too long; give a simpler expression, or plain text"
                )
            places.append(find(text))
        return places

    return await anyio.to_thread.run_sync(find_all)


def _estimate_seconds(find: Search, text: str) -> float:
    """Return about how long a search of a long line takes, from its beginning: nothing can end it on the way."""
    if len(text) <= _PROBE:
        return 0.0
    began = time.monotonic()
    find(text[:_PROBE])
    return (time.monotonic() - began) * len(text) / _PROBE
