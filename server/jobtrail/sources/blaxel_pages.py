"""Paging through Blaxel's lists: cursors of the upstream, and exact places on its pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from jobtrail.errors import ExpiredCursor, Rejected, StrayCursor, UnreadableAnswer
from jobtrail.paging import Batch, Spot
from jobtrail.sources.blaxel_wire import WirePage
from jobtrail.sources.wire import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from jobtrail.models import Execution, Job, Task
    from jobtrail.sources.base import Sort
    from jobtrail.sources.http import Http

__all__ = ["VERSION", "CursorListing", "Order", "Pages"]

VERSION = "2026-04-28"
"""The first version of the API with cursors."""

T = TypeVar("T", "Job", "Execution", "Task")


@dataclass(frozen=True)
class Pages(Generic[T]):
    """One paged endpoint: where it is, what is always sent, how a row is read, whether its pages can still change."""

    http: Http
    path: str
    params: dict[str, str | int]
    shape: type[Any]
    read: Callable[[Any], T]
    largest: int
    final: bool = False

    async def get(self, cursor: str, size: int, **more: str) -> tuple[list[T], WirePage]:
        """Return the items of one page, and the page.

        Raises:
            ExpiredCursor: the upstream refuses the cursor.
            UnreadableAnswer: what it answers cannot be paged.
        """
        params = {**self.params, **more, "limit": max(1, min(size, self.largest))}
        if cursor:
            params["cursor"] = cursor
        try:
            body = await self.http.get(self.path, params, final=_always if self.final else None)
        except Rejected:
            if not cursor:
                raise
            raise ExpiredCursor(f"{self.http.who} no longer takes the cursor of this walk") from None
        items, page = self._page(body, int(params["limit"]))
        if cursor and page.cursor == cursor:
            raise UnreadableAnswer(
                f"{self.http.who} handed back the cursor it was given, so paging would never end; that is a fault of "
                "the upstream, ask for less with a narrower window or query"
            )
        return items, page

    def _page(self, body: Any, asked: int) -> tuple[list[T], WirePage]:
        who = self.http.who
        if isinstance(body, list):
            raise UnreadableAnswer(
                f"{who} answered a bare list where a page with data and meta was due, so a part cannot be told "
                f"from the whole; what answers there does not know Blaxel-Version {VERSION}; {self.http.fix}"
            )
        page = parse(WirePage, body, who)
        rows = page.data
        if "data" not in page.model_fields_set or (rows is None and page.meta is None):
            raise UnreadableAnswer(f"{who} answered a page without data and meta; {self.http.fix}")
        items = [self.read(parse(self.shape, row, who)) for row in rows or []]
        if page.silent and len(items) >= asked:
            raise UnreadableAnswer(
                f"{who} answered a full page without meta.hasMore or meta.nextCursor, so whether there is more is "
                f"unknown; {self.http.fix}"
            )
        if page.more and not page.cursor:
            raise UnreadableAnswer(
                f"{who} says that there is more but sends no cursor to reach it; that is a fault of the upstream, "
                "a retry may help"
            )
        return items, page


@dataclass(frozen=True)
class Order(Generic[T]):
    """How items are told apart and ordered, to find an exact item again on a page that has changed."""

    identity: Callable[[T], str]
    created: Callable[[T], datetime | None]
    sort: Sort

    def mark(self, done: int, item: T) -> tuple[str | int, ...]:
        """Return what finds an item again: its number on the page, its name or id, its time."""
        created = self.created(item)
        return (done, self.identity(item), round(created.timestamp() * 1_000_000) if created else 0)

    def start(self, items: Sequence[T], detail: tuple[str | int, ...], *, more: bool) -> int | None:
        """Return the index of the first item after the marked one; None where that lies further on."""
        if not detail:
            return 0
        match detail:
            case (int(done), str(identity), int(created)):
                pass
            case _:
                raise StrayCursor("this cursor does not fit what it walks")
        if 0 < done <= len(items) and self.identity(items[done - 1]) == identity:
            return done
        for index, item in enumerate(items):
            if self.identity(item) == identity:
                return index + 1
        return self._past(items, identity, created, done, more=more)

    def _past(self, items: Sequence[T], identity: str, created: int, done: int, *, more: bool) -> int | None:
        """Find the place by order, for an item that is on another page now or gone."""
        places = [self._place(item, identity, created) for item in items]
        if None in places:
            return min(done, len(items))
        following = next((index for index, place in enumerate(places) if place == 1), len(items))
        same = [index for index, place in enumerate(places) if place == 0]
        if same and not (more and following == len(items)):
            # It is gone, and so is its place among those of its time: as many are before it as were handed out.
            return max(same[0], min(done - 1, following))
        return following if following < len(items) else None

    def _place(self, item: T, identity: str, created: int) -> int | None:
        """Return 1 for an item after the marked one, -1 before it, 0 beside it; None where nothing tells."""
        if self.sort.key == "name":
            way = (self.identity(item) > identity) - (self.identity(item) < identity)
        else:
            moment = self.created(item)
            if not created or moment is None:
                return None
            micros = round(moment.timestamp() * 1_000_000)
            way = (micros > created) - (micros < created)
        return -way if self.sort.descending else way


class CursorListing(Generic[T]):
    """A listing over one paged endpoint.

    A spot is the upstream cursor of a page and, inside a page, the last item consumed.
    """

    def __init__(self, pages: Pages[T], order: Order[T], *, narrowed: bool, filtered: bool) -> None:
        self._pages = pages
        self._order = order
        self.filtered = filtered
        self.narrowed = narrowed

    async def fetch(self, at: Spot, want: int) -> Batch[T]:
        """Read one page; inside a page, the largest, so that the last item consumed is on it."""
        items, page = await self._pages.get(at.upstream, self._pages.largest if at.detail else want)
        start = self._order.start(items, at.detail, more=page.more)
        following = Spot(page.cursor) if page.more else None
        if start is None:
            # The item was not on this page and everything here comes before it: look on the next.
            start = len(items)
            following = Spot(page.cursor, at.detail) if page.more else None
        rest = items[start:]

        def after(index: int) -> Spot:
            done = start + index + 1
            if done == len(items) and following is not None:
                return following
            return Spot(at.upstream, self._order.mark(done, rest[index]))

        return Batch(rest, after, following, page.total(filtered=self.filtered))


def _always(_body: Any) -> bool:
    return True
