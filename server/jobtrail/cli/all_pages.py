"""Read all pages of a list by its cursors, up to a limit, and merge them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobtrail.analysis.failure_groups import make_signature
from jobtrail.models import Everywhere, FailureCause, Failures, Note, Page
from jobtrail.text import count_noun

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from jobtrail.errors import JobtrailError
    from jobtrail.models import FrozenModel

MOST_ROWS = 10_000
"""The most rows that `--all` reads."""


class PagesRead:
    """The pages that were read so far, and the error that came instead of the next one."""

    def __init__(self) -> None:
        self.read: list[FrozenModel] = []
        self.failed: JobtrailError | None = None

    @property
    def rows(self) -> int:
        """The number of rows in these pages."""
        return sum(len(_list_rows(page)) for page in self.read)

    @property
    def cursor(self) -> str | None:
        """The cursor of the next page; None after the last one."""
        return getattr(self.read[-1], "cursor", None) if self.read else None


async def read_all_pages(
    pages: PagesRead,
    call: Callable[[Mapping[str, Any]], Awaitable[FrozenModel]],
    given: Mapping[str, Any],
    show_progress: Callable[[str, float | None, float | None], None],
) -> None:
    """Read page after page into `pages`, so that what was read is there if this is cancelled."""
    arguments = given
    while True:
        page = await call(arguments)
        pages.read.append(page)
        scanned = page.coverage.scanned if isinstance(page, Page | Everywhere) else 0
        show_progress(f"{count_noun(pages.rows, 'row')} of {scanned:,} scanned", *_measure_progress(pages, page))
        if not pages.cursor or pages.rows >= MOST_ROWS:
            return
        arguments = {"cursor": pages.cursor}


def _measure_progress(pages: PagesRead, page: FrozenModel) -> tuple[float | None, float | None]:
    """Return the rows read and their total; None for both if the upstream does not count them."""
    if isinstance(page, Page) and page.total.kind == "exact":
        return pages.rows, page.total.value
    return None, None


def _list_rows(page: FrozenModel) -> Sequence[object]:
    match page:
        case Failures():
            return page.causes
        case _:
            return getattr(page, "items", ())


def merge_pages(pages: Sequence[FrozenModel]) -> FrozenModel:
    """Return several pages as one, with all rows and the coverage of the last page."""
    last = pages[-1]
    if len(pages) == 1:
        return last
    notes = {str(note): note for page in pages if isinstance(page, Page | Everywhere) for note in page.notes or ()}
    whole: dict[str, object] = {"notes": (*notes.values(),) or None}
    everywhere = [page for page in pages if isinstance(page, Everywhere)]
    errors: dict[str, Note] = {name: text for page in everywhere for name, text in (page.errors or {}).items()}
    if everywhere:
        whole["errors"] = errors or None
    parts = [page for page in everywhere if isinstance(page, Failures)]
    if parts:
        # A failure of several causes can be on several pages.
        across = parts[-1].filters.get("by")
        whole["failures"] = parts[-1].coverage.matched if across else sum(page.failures for page in parts)
        causes = _merge_causes([row for page in parts for row in page.causes])
        whole |= {"causes": causes, "causes_found": len(causes)}
    else:
        whole["items"] = tuple(row for page in pages for row in _list_rows(page))
    return last.model_copy(update=whole)


def _merge_causes(rows: Sequence[FailureCause]) -> tuple[FailureCause, ...]:
    """Return a row for each cause of a job, or of all, with the counts of all pages; the first is the newest."""
    found: dict[tuple[str | None, ...], FailureCause] = {}
    for row in rows:
        owner = (row.source, row.job, row.status) if row.jobs is None else ()
        key = (*owner, make_signature(row.cause))
        there = found.setdefault(key, row)
        if there is not row:
            first = min(filter(None, (there.first_at, row.first_at)), default=None)
            joined = {"count": there.count + row.count, "first_at": first}
            found[key] = there.model_copy(update=joined | (_join_jobs(there, row) if row.jobs is not None else {}))
    return (*found.values(),)


def _join_jobs(newer: FailureCause, older: FailureCause) -> dict[str, object]:
    """Return what two rows of one cause over all jobs have in common; the newer one knows better who recovered."""
    names, known = newer.jobs or (), older.jobs or ()
    left = [name for name in older.not_recovered or () if name not in names]
    recovered = {newer.recovered, older.recovered if set(known) - set(names) else newer.recovered}
    return {
        "jobs": (*dict.fromkeys([*names, *known]),),
        "more_jobs": max(newer.more_jobs or 0, older.more_jobs or 0) or None,
        "tasks": (newer.tasks or 0) + (older.tasks or 0) or None,
        "not_recovered": (*(newer.not_recovered or ()), *left) or None,
        "recovered": False if False in recovered else None if None in recovered else True,
        "recovered_at": newer.recovered_at if len(recovered) == 1 else None,
    }
