"""A list followed by its cursors to the end, or as far as there is patience."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jobtrail.analysis.diagnosis import make_signature
from jobtrail.cli.colours import console
from jobtrail.models import FailureCause, Failures, Note, Page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence

    from jobtrail.cli.colours import Colour
    from jobtrail.errors import JobtrailError
    from jobtrail.models import FrozenModel

MOST_ROWS = 10_000
"""Rows that `--all` reads at most."""


class Pages:
    """The pages that were read, and what came instead of a further one."""

    def __init__(self) -> None:
        self.read: list[FrozenModel] = []
        self.failed: JobtrailError | None = None

    @property
    def rows(self) -> int:
        """How many rows there are so far."""
        return sum(len(_rows_of(page)) for page in self.read)

    @property
    def cursor(self) -> str | None:
        """What goes on after the last of them."""
        return getattr(self.read[-1], "cursor", None) if self.read else None


async def follow(
    pages: Pages,
    call: Callable[[Mapping[str, Any]], Awaitable[FrozenModel]],
    given: Mapping[str, Any],
    told: Callable[[str, float | None, float | None], None],
) -> None:
    """Read page after page, each kept as it comes, so that nothing is lost when it is stopped."""
    arguments = given
    while True:
        page = await call(arguments)
        pages.read.append(page)
        told(_so_far(pages, page), *_of_all(pages, page))
        if not pages.cursor or pages.rows >= MOST_ROWS:
            return
        arguments = {"cursor": pages.cursor}


def _so_far(pages: Pages, page: FrozenModel) -> str:
    scanned = page.coverage.scanned if isinstance(page, Page | Failures) else 0
    return f"{pages.rows:,} rows of {scanned:,} scanned"


def _of_all(pages: Pages, page: FrozenModel) -> tuple[float | None, float | None]:
    """Return how far it is, where the upstream has counted what is asked for."""
    if isinstance(page, Page) and page.total.kind == "exact":
        return pages.rows, page.total.value
    return None, None


def _rows_of(page: FrozenModel) -> Sequence[object]:
    match page:
        case Failures():
            return page.causes
        case _:
            return getattr(page, "items", ())


def merged(pages: Sequence[FrozenModel]) -> FrozenModel:
    """Return several pages as one: all rows, and what the last page says of how much they cover."""
    last = pages[-1]
    if len(pages) == 1:
        return last
    notes = {str(note): note for page in pages if isinstance(page, Page | Failures) for note in page.notes or ()}
    whole: dict[str, object] = {"notes": (*notes.values(),) or None}
    parts = [page for page in pages if isinstance(page, Failures)]
    if parts:
        errors: dict[str, Note] = {name: text for page in parts for name, text in (page.errors or {}).items()}
        whole["errors"] = errors or None
        whole["failures"] = sum(page.failures for page in parts)
        whole["causes"] = _by_cause([row for page in parts for row in page.causes])
    else:
        whole["items"] = tuple(row for page in pages for row in _rows_of(page))
    return last.model_copy(update=whole)


def _by_cause(rows: Sequence[FailureCause]) -> tuple[FailureCause, ...]:
    """Return a row for each cause of a job, which every page counts for itself; the first page has the newest."""
    found: dict[tuple[str, str, str], FailureCause] = {}
    for row in rows:
        key = (row.source, row.job, make_signature(row.cause))
        there = found.setdefault(key, row)
        if there is not row:
            first = min(filter(None, (there.first_at, row.first_at)), default=None)
            found[key] = there.model_copy(update={"count": there.count + row.count, "first_at": first})
    return (*found.values(),)


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
