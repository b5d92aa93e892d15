"""Defines `ListCall`, which turns the arguments of a list tool into a walk and its result into a page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from jobtrail.analysis.failure_groups import find_cause
from jobtrail.analysis.unfinished import describe_unfinished, measure_so_far
from jobtrail.models import Attempt, Coverage, Execution, FrozenModel, Job, Note, Run, Sentence, Task, Total
from jobtrail.paging import NEWEST_FIRST, Budget, Walk, walk
from jobtrail.rendering.parts import SEARCHED, write_names
from jobtrail.sources.list_options import ListOptions, read_sort, read_statuses
from jobtrail.text import count_noun, show_text
from jobtrail.times import format_time
from jobtrail.tools.finding import check_parent
from jobtrail.tools.page_size import PageSize, count_row_tokens
from jobtrail.tools.resumable import (
    LARGEST_LIMIT,
    MISSING,
    ResumableCall,
    reach_back,
    write_clock_notes,
    write_oldest,
)
from jobtrail.vocabulary import is_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from jobtrail.models import Page, Window
    from jobtrail.paging import Listing, Sort, Walked
    from jobtrail.sources.list_options import StatusFilter
    from jobtrail.vocabulary import Status

DEFAULT_LIMIT = 20
SCANNED_AT_ONCE = 2_000
"""Items that one call reads at most, unless its upstream has large pages."""

_DOUBTS = (
    "",
    "an earlier page of this walk had rows twice, out of order or of others: they may repeat, and there is no total",
    "the list changed during this walk, so rows may repeat or be missing",
)
_FILTERS = ("query", "cause", "status", "since", "until")

T = TypeVar("T", bound=Job | Execution | Task | Run)
R = TypeVar("R", bound=FrozenModel)
R_contra = TypeVar("R_contra", contravariant=True)
P_co = TypeVar("P_co", bound="Page", covariant=True)


class MakePage(Protocol[R_contra, P_co]):
    """A page model that lacks only what every page has."""

    def __call__(
        self,
        *,
        source: str,
        sample: bool | None,
        notes: tuple[Note, ...] | None,
        coverage: Coverage,
        total: Total,
        cursor: str | None,
        window: Window | None,
        sort: str,
        filters: dict[str, str] | None,
        items: tuple[R_contra, ...],
    ) -> P_co:
        """Return the page."""
        ...


class ListCall(ResumableCall):
    """A list call of one source."""

    async def read_options(self, words: Mapping[str, Status], sorts: Sequence[str], noun: str) -> ListOptions:
        """Return what to ask the source for.

        Args:
            words: the upstream's statuses.
            sorts: the fields it can sort by.
            noun: what the list is of.

        Raises:
            BadArgument: an argument that the source cannot understand.
        """
        statuses = read_statuses(self.get_text_argument("status"), words)
        if statuses is not None and not self.resumed:
            self.notes.extend(_describe_impossible(statuses, words, noun))
        return ListOptions(
            window=await self.resolve_window(),
            sort=read_sort(self.get_text_argument("sort"), sorts, NEWEST_FIRST),
            query=(self.get_text_argument("query") or "").strip() or None,
            statuses=statuses,
            cause=self.get_text_argument("cause"),
        )

    async def read_page(
        self,
        make: MakePage[R, P_co],
        listing: Listing[T],
        options: ListOptions,
        searched: Callable[[T], Sequence[str]],
        show: Callable[[T], R],
        *,
        searched_in: str,
        parent: Callable[[], Awaitable[object]] | None = None,
        most: int = SCANNED_AT_ONCE,
    ) -> P_co:
        """Walk a listing from the cursor's position, and return the page.

        Args:
            make: makes the page.
            listing: what to walk.
            options: its filters; each is applied again here, whatever the upstream did.
            searched: the texts of an item in which `query` is looked for; none where only the
                upstream can search.
            show: returns what the page shows of an item.
            searched_in: what these texts are, in words.
            parent: asks the source for what the listing belongs to (`check_parent`); a text that it returns says why
                nothing is listed.
            most: items to scan at most.
        """
        limit = self.clamp("limit", DEFAULT_LIMIT, LARGEST_LIMIT)
        matching = _Filter(options, searched)
        # Each part is in order of time, but parts are read one after another, so the whole is not.
        mixed = options.sort.key == "created_at" and listing.traits.order is None
        size = PageSize[R]()
        how = Walk[T](
            limit=limit,
            keep=matching.keeps,
            as_asked=True,
            cost=lambda item: size.add(self._show_so_far(item, show(item))),
            budget=Budget(items=most, tokens=count_row_tokens(self, limit)),
            progress=partial(self._report_progress, None if mixed else options.sort),
            trail=self.cursor.trail,
            subject=f"source {self.source.name!r}",
            restart=self.restart(),
        )
        walked = await walk(listing, how, self.cursor.position)
        doubt = self.cursor.doubt
        self.advance(walked)
        why = await check_parent(parent, self.cursor.scanned)
        attempts = [one for one in walked.items if isinstance(one, Execution | Run)]
        stale = await self.source.explain_unfinished(attempts)
        clocks = write_clock_notes(self.sources) if options.window else []
        usual = describe_unfinished(matching.attempts, self.now + self.source.lead, shown=True)
        notes = [*self.notes, *clocks, *usual, *walked.notes, *write_strange_notes(matching.strange), *stale]
        if doubt and walked.exact:
            notes.append(_DOUBTS[min(doubt, MISSING)])
        notes += self._miss_rows(walked)
        notes += write_oldest({"": walked.oldest[""]} if "" in walked.oldest else {}, options.window)
        if isinstance(why, str):
            notes.append(why)
        elif walked.position is None and not self.cursor.matched and not self.cursor.doubt:
            notes.append(self._suggest_wider())
        return make(
            source=self.source.name,
            sample=self.source.sample or None,
            notes=tuple(notes) or None,
            coverage=self._measure_coverage(walked, options, mixed=mixed),
            total=self._count_total(walked),
            cursor=None if walked.position is None else self.seal_cursor(walked.position),
            window=options.window,
            sort=f"job, then {options.sort}" if mixed else str(options.sort),
            filters=self._describe_filters(searched_in if options.query else None),
            items=tuple(size.rows[: len(walked.items)]),
        )

    def _show_so_far(self, item: Job | Execution | Task | Run, row: R) -> R:
        """Return a row that says how long its item has been unfinished."""
        length = None if isinstance(item, Job) else measure_so_far(item, self.now + self.source.lead)
        return row if length is None else row.model_copy(update={"so_far_s": length})

    async def _report_progress(self, sort: Sort | None, walked: Walked[T]) -> None:
        """Report counts to the client, and the time reached if the whole walk is sorted by time."""
        scanned, matched = self.cursor.scanned + walked.scanned, self.cursor.matched + walked.matched
        parts = [f"{scanned:,} scanned", f"{matched:,} matched"]
        reached = walked.last and walked.last.created_at
        if reached and sort and sort.key == "created_at":
            parts.append(f"{'back' if sort.descending else 'up'} to {format_time(reached)}")
        await self.ctx.report_progress(walked.scanned, message=", ".join(parts))

    def _measure_coverage(self, walked: Walked[T], options: ListOptions, *, mixed: bool) -> Coverage:
        """Return what the walk has covered so far."""
        ended, back_to = walked.position is None, None
        complete = ended and self.cursor.doubt < MISSING
        if ended:
            back_to = reach_back(walked.oldest, options.window)
        elif options.sort == NEWEST_FIRST and not mixed and walked.ordered and walked.last is not None:
            back_to = walked.last.created_at
        return Coverage(scanned=self.cursor.scanned, matched=self.cursor.matched, complete=complete, back_to=back_to)

    def _miss_rows(self, walked: Walked[T]) -> list[str]:
        """Return a note if the upstream counts more than it has listed, and note that rows may be missing."""
        counted = self.cursor.counted
        if walked.position is not None or self.cursor.doubt or counted <= self.cursor.scanned:
            return []
        self.cursor = replace(self.cursor, doubt=MISSING)
        return [f"the upstream counts {count_noun(counted, 'row')}, but has listed {self.cursor.scanned:,}"]

    def _count_total(self, walked: Walked[T]) -> Total:
        """Return the total and how exact it is; a walk that ended has counted all."""
        if self.cursor.doubt:
            return Total(kind="unknown")
        if walked.position is None:
            return Total(value=self.cursor.matched, kind="exact")
        matched, total = self.cursor.matched, walked.total
        # An upstream may count fewer rows than it has sent.
        known = total.value is not None and (total.kind == "unfiltered" or total.value >= matched)
        return total if known else Total(value=matched, kind="at_least")

    def _describe_filters(self, searched_in: str | None) -> dict[str, str] | None:
        found = {name: show_text(str(self.args[name])) for name in ("status", "cause", "query") if name in self.args}
        return {**found, **({SEARCHED: searched_in} if searched_in else {})} or None

    def _suggest_wider(self) -> Note:
        """Return the call that drops one filter, for an answer in which nothing matched."""
        dropped = next((name for name in _FILTERS if name in self.args), None)
        if dropped is None:
            return "there is nothing to list: it exists and is empty"
        return Sentence("nothing matched; to widen: ", self.restart(**{dropped: None}))


def _describe_impossible(statuses: StatusFilter, words: Mapping[str, Status], noun: str) -> list[str]:
    """Return a note where a status was asked for that nothing here can have."""
    never = statuses.words - {*words.values(), "unknown"}
    if not never:
        return []
    note = f"no {noun} of this source is ever {' or '.join(sorted(never))}"
    late = noun == "task" and "timeout" in never
    return [f"{note}; those of an execution that timed out end failed or cancelled" if late else note]


@dataclass
class _Filter(Generic[T]):
    """What an agent asked to keep, checked on each item.

    Attributes:
        attempts: all that were checked.
        strange: how many items were left out for each raw status that no document lists.
    """

    options: ListOptions
    searched: Callable[[T], Sequence[str]]
    strange: Counter[str] = field(default_factory=Counter[str])
    attempts: list[Attempt] = field(default_factory=list[Attempt])

    def keeps(self, item: T) -> bool:
        """Return whether an item matches."""
        if isinstance(item, Attempt):
            self.attempts.append(item)
        statuses, window, query = self.options.statuses, self.options.window, (self.options.query or "").lower()
        if window is not None and not window.contains(item.created_at):
            return False
        if statuses is not None and not statuses.keeps(item):
            if item.status == "unknown":
                self.strange[getattr(item, "raw_status", None) or "none"] += 1
            return False
        if self.options.cause and not _has_cause(item, self.options.cause):
            return False
        texts = self.searched(item) if query else ()
        return not texts or any(query in text.lower() for text in texts)


def _has_cause(item: object, cause: str) -> bool:
    return isinstance(item, Task) and is_failure(item) and find_cause(item.reason) == cause


def write_strange_notes(strange: Counter[str]) -> list[str]:
    """Return a note if items were left out because their status is not documented, given how many of each word."""
    if not strange:
        return []
    count, words = strange.total(), write_names(sorted(strange)[:3])
    verb = "has" if count == 1 else "have"
    are = "is" if count == 1 else "are"
    note = f"{count:,} scanned {verb} a status not known here ({words}) and {are} not among these"
    return [f"{note}; status=unknown lists {'it' if count == 1 else 'them'}"]
