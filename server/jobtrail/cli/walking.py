"""A list followed by its cursors to the end, or as far as there is patience."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from jobtrail.cli.colours import console

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence

    from mcp.types import CallToolResult

    from jobtrail.cli.colours import Colour

__all__ = ["MOST_ROWS", "Pages", "follow", "merged", "rows_of", "watching"]

MOST_ROWS = 10_000
"""Rows that `--all` reads at most."""
_LISTS = ("items", "causes")


class Pages:
    """The pages that were read, and what came instead of a further one."""

    def __init__(self) -> None:
        self.read: list[dict[str, Any]] = []
        self.failed: CallToolResult | None = None

    @property
    def rows(self) -> int:
        """How many rows there are so far."""
        return sum(rows_of(page) or 0 for page in self.read)

    @property
    def cursor(self) -> str | None:
        """What goes on after the last of them."""
        return self.read[-1].get("cursor") if self.read else None


async def follow(
    pages: Pages,
    call: Callable[[dict[str, Any]], Awaitable[CallToolResult]],
    given: dict[str, Any],
    told: Callable[[str, float | None, float | None], None],
) -> None:
    """Read page after page, each kept as it comes, so that nothing is lost when it is stopped."""
    arguments = given
    while True:
        result = await call(arguments)
        if result.is_error:
            pages.failed = result
            return
        pages.read.append(result.structured_content or {})
        told(_so_far(pages), *_of_all(pages))
        if not pages.cursor or pages.rows >= MOST_ROWS:
            return
        arguments = {"cursor": pages.cursor}


def _so_far(pages: Pages) -> str:
    scanned = pages.read[-1].get("coverage", {}).get("scanned", 0)
    return f"{pages.rows:,} rows of {scanned:,} scanned"


def _of_all(pages: Pages) -> tuple[float | None, float | None]:
    """Return how far it is, where the upstream has counted what is asked for."""
    total: dict[str, Any] = pages.read[-1].get("total") or {}
    return (pages.rows, total["value"]) if total.get("kind") == "exact" else (None, None)


def rows_of(answer: dict[str, Any]) -> int | None:
    """Return how many rows an answer's list has; None where it has none."""
    found = next((answer[name] for name in _LISTS if isinstance(answer.get(name), list)), None)
    return None if found is None else len(found)


def merged(pages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return several pages as one: all rows, and what the last page says of how much they cover."""
    whole = dict(pages[-1])
    if len(pages) == 1:
        return whole
    for name in _LISTS:
        if name in whole:
            rows = [row for page in pages for row in page.get(name, ())]
            whole[name] = _by_cause(rows) if name == "causes" else rows
    notes = dict.fromkeys(note for page in pages for note in cast("list[str]", page.get("notes") or ()))
    errors: dict[str, str] = {}
    for page in pages:
        errors |= page.get("errors") or {}
    if notes:
        whole["notes"] = [*notes]
    if errors:
        whole["errors"] = errors
    if "causes" in whole:
        whole["failures"] = sum(page["failures"] for page in pages)
    return whole


def _by_cause(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each cause of a job, which every page counts for itself; the first page has the newest."""
    from jobtrail.diagnosis import signature  # noqa: PLC0415 # see cli.asking

    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["source"], row["job"], signature(row["cause"]))
        there = found.setdefault(key, row)
        if there is row:
            continue
        firsts = [one["first_at"] for one in (there, row) if one.get("first_at")]
        first = {"first_at": min(firsts, key=datetime.fromisoformat)} if firsts else {}
        found[key] = {**there, "count": there["count"] + row["count"], **first}
    return [*found.values()]


@contextmanager
def watching(colour: Colour) -> Generator[Callable[[str, float | None, float | None], None]]:
    """Yield what is told how far it is; a bar on standard error shows it, where that is a terminal."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 # a terminal is rarer

    bar = Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console(colour, sys.stderr),
        transient=True,
    )
    with bar:
        task = bar.add_task("asking", total=None)

        def told(text: str, done: float | None, total: float | None) -> None:
            bar.update(task, description=text, completed=done, total=total)

        yield told


def _silent(_text: str, _done: float | None, _total: float | None) -> None:
    return
