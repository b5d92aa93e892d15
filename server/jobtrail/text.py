"""Makes text of an upstream or a caller safe to print in one line, and finds names like a given one."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")

_WORD_EDGE = r"[\w./@#%+=~-]"
_WORD = re.compile(rf"{_WORD_EDGE}(?:(?:{_WORD_EDGE}|[:,])*{_WORD_EDGE})?")

# Printable to Python, but seen by nobody: fillers, blanks, and the variation selectors that can carry text.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


_LONGEST_LIKE = 400
"""Characters of a text that can be a name mistyped: comparing takes time in proportion to its length."""


def strip_invisible(text: str, keep: str = "") -> str:
    """Return upstream text without ANSI sequences and invisible characters, a space for each control character.

    Args:
        text: anything an upstream sent.
        keep: control characters that stay.
    """
    if text.isascii() and text.isprintable():
        return text
    # What Python does not call printable: control, format and bidirectional characters, separators, private
    # use, and the lone surrogates that JSON can spell and UTF-8 cannot.
    seen = _BLANK.sub("", _ANSI.sub("", text))
    return "".join(one if one.isprintable() or one in keep else " " for one in seen)


def sanitize_text(text: str, most: int = 160) -> str:
    """Return upstream text as one safe line: no ANSI, no control or invisible characters, clipped.

    Args:
        text: anything an upstream sent.
        most: the length in characters to clip to; a clipped text ends in `…`.
    """
    if len(text) <= most and text.isascii() and text.isprintable():
        return " ".join(text.split())
    # Cut before the regular expressions, so that a megabyte of text costs no more than a line.
    line = " ".join(strip_invisible(text[: most * 8]).split())
    whole = len(line) <= most and len(line.encode()) <= most * 2 and len(text) <= most * 8
    # Clipped by bytes too: a character that is not ASCII costs an agent several tokens.
    return line if whole else line[: most - 1].encode()[: most * 2].decode(errors="ignore").rstrip() + "…"


def quote_value(value: object, most: int = 80) -> str:
    """Return a caller's value as `!r` would show it, made safe and clipped."""
    return quote(sanitize_text(value, most)) if isinstance(value, str) else sanitize_text(repr(value), most)


def quote_unless_word(text: str, most: int = 200) -> str:
    """Return a text that is not ours for a place between words of ours: one plain word as it is, all else quoted.

    A word has no blank, quote, `|` or `·`, and ends in no `:` or `,`, so it can neither begin nor end a line or a
    field of ours. What is quoted is written as `!r` writes it, with its `·` escaped.
    """
    line = sanitize_text(text, most)
    return line if _WORD.fullmatch(line) else quote(line)


def quote(line: str) -> str:
    """Return a text in quotes, without what separates the facts of a header: whoever looks for it finds none here."""
    return repr(line).replace("·", r"\u00b7")


def show_text(text: str) -> str:
    """Return a caller's text as one safe line, with the escapes of characters of which nothing could be seen."""
    return sanitize_text(text) or sanitize_text(ascii(text)[1:-1])


def count_noun(number: int, noun: str) -> str:
    """Return a count of things, such as `1 row` and `1,024 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def find_closest(name: str, known: Iterable[str], most: int = 3) -> Sequence[str]:
    """Return up to `most` known names like `name`, closest first; none if nothing is near."""
    if len(name) > _LONGEST_LIKE:
        return []
    names = {known_name.casefold(): known_name for known_name in known}
    found = get_close_matches(name.casefold(), names, n=most, cutoff=0.5)
    if not found and len(name) > 1:
        found = [folded for folded in names if name.casefold() in folded][:most]
    return [names[folded] for folded in found]
