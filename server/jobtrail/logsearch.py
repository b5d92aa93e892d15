"""Searching lines for plain text or a regular expression, whatever the expression.

A regular expression can take longer than anyone waits, and Python's holds every thread still meanwhile. So it runs in
a process of its own, which is ended when its time is up. No package does the same in-process: of those with a
timeout, `regex` hangs on compiling `(?:x{60000}){60000}`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from jobtrail.errors import BadArgument, Unsupported, clean, shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from anyio.abc import Process

    from jobtrail.loglines import Where

    Find = Callable[[Sequence[str]], Awaitable[Sequence[Where | None]]]

__all__ = ["finding"]

SECONDS = 5.0
_LONGEST = 300
_LARGEST_REPLY = 4 * 1024 * 1024
_MATCHER = Path(__file__).with_name("logsearch_child.py")


@asynccontextmanager
async def finding(search: str | None, seconds: float = SECONDS) -> AsyncGenerator[Find]:
    """Yield a function that tells where in each of some lines `search` is; everywhere, where there is none.

    Args:
        search: plain text, or a regular expression as `/…/`; both in any case.
        seconds: what the expression may take for one batch of lines.

    Raises:
        BadArgument: no regular expression, one that takes too long, or a search that is too long.
        Unsupported: no process can be started here.
    """
    if search is not None and len(search) > _LONGEST:
        raise BadArgument(f"search has {len(search):,} characters; give at most {_LONGEST}")
    if search is not None and len(search) > 2 and search[0] == search[-1] == "/":  # noqa: PLR2004 # both slashes
        async with _expression(search[1:-1], seconds) as find:
            yield find
        return
    wanted = (search or "").lower()

    async def contained(texts: Sequence[str]) -> Sequence[Where | None]:
        places = [text.lower().find(wanted) for text in texts]
        return [None if place < 0 else (place, place + len(wanted)) for place in places]

    yield contained


@asynccontextmanager
async def _expression(pattern: str, seconds: float) -> AsyncGenerator[Find]:
    try:
        process = await anyio.open_process(
            [sys.executable or "", "-I", "-S", str(_MATCHER)], stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise Unsupported(
            f"regular expressions cannot be searched for on this machine ({type(error).__name__}); give plain text"
        ) from None
    asked = _Matcher(process, pattern, seconds)
    try:
        said = await asked.reply(pattern)
        if said is not None:
            raise BadArgument(f"search={shown(f'/{pattern}/')} is no regular expression: {clean(str(said), 100)}")
        yield asked.reply
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()


class _Matcher:
    """The process: a line of JSON in, a line of JSON out."""

    def __init__(self, process: Process, pattern: str, seconds: float) -> None:
        assert process.stdin is not None  # noqa: S101 # both are pipes unless told
        assert process.stdout is not None  # noqa: S101
        self._in = process.stdin
        self._out = BufferedByteReceiveStream(process.stdout)
        self._pattern = pattern
        self._seconds = seconds

    async def reply(self, message: Any) -> Any:
        """Return what the process answers.

        Raises:
            BadArgument: it does not within its time, or it died of what it was asked.
        """
        try:
            with anyio.fail_after(self._seconds):
                await self._in.send(json.dumps(message).encode() + b"\n")
                return json.loads(await self._out.receive_until(b"\n", _LARGEST_REPLY))
        except (TimeoutError, anyio.BrokenResourceError, anyio.IncompleteRead):
            raise BadArgument(
                f"search={shown(f'/{self._pattern}/')} takes too long or too much memory; give a simpler expression, "
                "without a repeat inside a repeat, or plain text"
            ) from None
