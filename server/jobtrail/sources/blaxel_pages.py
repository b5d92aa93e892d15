"""Blaxel's paged endpoints: what they are asked, and what makes an answer a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from jobtrail.errors import BadArgument, ExpiredCursor, Rejected, UnreadableAnswer
from jobtrail.paging import CursorListing, CursorPage, Traits
from jobtrail.sources.blaxel_wire import WirePage
from jobtrail.sources.wire import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from jobtrail.models import Execution, Job, Task
    from jobtrail.sources.base import Ask
    from jobtrail.sources.http import Http

__all__ = ["LARGEST", "LARGEST_OF_EXECUTIONS", "SHORTEST_QUERY", "VERSION", "list_pages", "query_of"]

VERSION = "2026-04-28"
"""The first version of the API with cursors."""
LARGEST = 200
"""Rows that a page of jobs or tasks has at most (seed documents, parameter `limit`)."""
LARGEST_OF_EXECUTIONS = 100
"""Rows that a page of executions has at most (likewise)."""
SHORTEST_QUERY = 2
"""A shorter `q` is taken as none (seed documents, parameter `q`)."""
_LONGEST_QUERY = 200
_SORTS = {"created_at": "createdAt", "name": "name"}

T = TypeVar("T", "Job", "Execution", "Task")


def query_of(ask: Ask, *, searches: bool = True) -> dict[str, str | int]:
    """Return the parameters for an order and a query.

    Args:
        ask: what is asked for.
        searches: whether the endpoint searches (parameter `q`).

    Raises:
        BadArgument: the query is longer than any endpoint takes.
    """
    params: dict[str, str | int] = {"sort": f"{_SORTS[ask.sort.key]}:{'desc' if ask.sort.descending else 'asc'}"}
    if ask.query and len(ask.query) > _LONGEST_QUERY:
        raise BadArgument(f"query has {len(ask.query)} characters; give at most {_LONGEST_QUERY}")
    if searches and ask.query and len(ask.query) >= SHORTEST_QUERY:
        params["q"] = ask.query
    return params


def list_pages(
    http: Http,
    path: str,
    ask: Ask,
    params: dict[str, str | int],
    largest: int,
    *,
    parse_row: Callable[[object], T],
    identity: Callable[[T], str],
    applied: Collection[str] = (),
    total_is_exact: bool = True,
    final: bool = False,
) -> CursorListing[T]:
    """Return the listing over a paged endpoint.

    Args:
        http: the API.
        path: of the endpoint, relative to the base URL.
        ask: what is asked for.
        params: what is always sent.
        largest: rows that a page has at most.
        parse_row: reads one row.
        identity: tells an item apart.
        applied: the filters that the endpoint applies.
        total_is_exact: whether `meta.total` counts what is listed where nothing is filtered.
        final: whether its pages cannot change any more.
    """

    def micros(item: T) -> int | None:
        return round(item.created_at.timestamp() * 1_000_000) if item.created_at else None

    endpoint = _Endpoint(http, path, params, parse_row, total_is_exact and not ask.filters(), final)
    order_key = identity if ask.sort.key == "name" else micros
    return CursorListing(
        endpoint.fetch_page, identity, order_key, Traits(ask.sort, largest, ask.filters(applied=applied))
    )


@dataclass(frozen=True)
class _Endpoint(Generic[T]):
    http: Http
    path: str
    params: dict[str, str | int]
    parse_row: Callable[[object], T]
    total_is_exact: bool
    final: bool

    async def fetch_page(self, cursor: str, size: int) -> CursorPage[T]:
        """Return one page.

        Raises:
            ExpiredCursor: the upstream refuses the cursor.
            UnreadableAnswer: what it answers cannot be paged.
        """
        params = {**self.params, "limit": size, **({"cursor": cursor} if cursor else {})}
        try:
            body = await self.http.get(self.path, params, final=_always if self.final else None)
        except Rejected:
            if not cursor:
                raise
            raise ExpiredCursor(f"{self.http.who} no longer takes the cursor of this walk") from None
        page = self._check(body, size)
        if cursor and page.cursor == cursor:
            raise UnreadableAnswer(
                f"{self.http.who} handed back the cursor it was given, so paging would never end; that is a fault of "
                "the upstream, ask for less with a narrower window or query"
            )
        total = page.total(filtered=not self.total_is_exact)
        return CursorPage([self.parse_row(row) for row in page.data or []], page.cursor, total)

    def _check(self, body: Any, asked: int) -> WirePage:
        """Return the page that a body is."""
        who = self.http.who
        if isinstance(body, list):
            raise UnreadableAnswer(
                "answered a bare list where a page with data and meta was due, so a part cannot be told "
                f"from the whole; what answers there does not know Blaxel-Version {VERSION}",
                who=who,
                advice=f"; {self.http.fix}",
            )
        page = parse(WirePage, body, who)
        if "data" not in page.model_fields_set or (page.data is None and page.meta is None):
            raise UnreadableAnswer("answered a page without data and meta", who=who, advice=f"; {self.http.fix}")
        if page.silent and len(page.data or []) >= asked:
            raise UnreadableAnswer(
                "answered a full page without meta.hasMore or meta.nextCursor, so whether there is more is unknown",
                who=who,
                advice=f"; {self.http.fix}",
            )
        if page.more and not page.cursor:
            raise UnreadableAnswer(
                f"{who} says that there is more but sends no cursor to reach it; that is a fault of the upstream, "
                "a retry may help"
            )
        return page


def _always(_body: Any) -> bool:
    return True
