"""Blaxel's paged endpoints: building their queries, and checking their pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from jobtrail.errors import BadArgument, ExpiredCursor, NotFound, Rejected, UnreadableAnswer
from jobtrail.paging import CursorListing, CursorPage, Traits
from jobtrail.sources.blaxel.response_models import WirePage
from jobtrail.sources.responses import parse_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from datetime import datetime

    from jobtrail.sources.http import Http
    from jobtrail.sources.list_options import ListOptions

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

T = TypeVar("T")


def build_query(options: ListOptions, *, searches: bool = True) -> dict[str, str | int]:
    """Return the parameters for an order and a query.

    Args:
        options: the order and the filters.
        searches: whether the endpoint searches (parameter `q`).

    Raises:
        BadArgument: the query is longer than any endpoint takes.
    """
    params: dict[str, str | int] = {
        "sort": f"{_SORTS[options.sort.key]}:{'desc' if options.sort.descending else 'asc'}"
    }
    if options.query and len(options.query) > _LONGEST_QUERY:
        raise BadArgument(f"query has {len(options.query)} characters; give at most {_LONGEST_QUERY}")
    if searches and options.query and len(options.query) >= SHORTEST_QUERY:
        params["q"] = options.query
    return params


@dataclass(frozen=True, kw_only=True)
class PagedEndpoint(Generic[T]):
    """A paged endpoint.

    Attributes:
        http: the API.
        path: of the endpoint, relative to the base URL.
        params: what is always sent.
        largest: rows that a page has at most.
        parse_row: reads one row.
        identity: tells an item apart.
        explain: returns the error for a list that does not exist.
        counts_others: whether `meta.total` may count more than what is listed, even with no filter.
        final: whether a page, as it was answered, will not change any more; None if any may.
    """

    http: Http
    path: str
    params: dict[str, str | int]
    largest: int = LARGEST
    parse_row: Callable[[object], T]
    identity: Callable[[T], str]
    explain: Callable[[], Awaitable[Exception]] | None = None
    counts_others: bool = False
    final: Callable[[Any], bool] | None = None

    def list(self, options: ListOptions, applied: Collection[str] = ()) -> CursorListing[T]:
        """Return the listing of what is asked for; `applied` names the filters that the endpoint applies."""
        filtered = self.counts_others or bool(options.filters())
        return CursorListing(
            partial(self.fetch_page, filtered=filtered),
            self.identity,
            self.identity if options.sort.key == "name" else _read_creation_us,
            Traits(options.sort, self.largest, options.filters(applied=applied)),
        )

    async def fetch_page(self, cursor: str, size: int, *, filtered: bool) -> CursorPage[T]:
        """Return one page.

        Raises:
            ExpiredCursor: the upstream refuses the cursor.
            UnreadableAnswer: what it answers cannot be paged.
        """
        params = {**self.params, "limit": size, **({"cursor": cursor} if cursor else {})}
        try:
            body = await self.http.get(self.path, params, final=self.final)
        except Rejected:
            if not cursor:
                raise
            raise ExpiredCursor("no longer takes the cursor of this walk", subject=self.http.subject) from None
        except NotFound:
            if self.explain is None:
                raise
            raise await self.explain() from None
        page = self._read_page(body, size)
        if cursor and page.cursor == cursor:
            raise UnreadableAnswer(
                "handed back the cursor it was given, so paging would never end",
                subject=self.http.subject,
                advice="that is a fault of the upstream, ask for less with a narrower window or query",
            )
        items = [self.parse_row(row) for row in page.data or []]
        return CursorPage(items, page.cursor, page.to_total(filtered=filtered))

    def _read_page(self, body: Any, asked: int) -> WirePage:
        """Return the page that a body is."""
        subject = self.http.subject
        if isinstance(body, list):
            raise UnreadableAnswer(
                "answered a bare list where a page with data and meta was due, so a part cannot be told "
                f"from the whole; what answers there does not know Blaxel-Version {VERSION}",
                subject=subject,
                advice=self.http.settings_advice,
            )
        page = parse_response(WirePage, body, subject)
        if "data" not in page.model_fields_set or (page.data is None and page.meta is None):
            raise UnreadableAnswer(
                "answered a page without data and meta", subject=subject, advice=self.http.settings_advice
            )
        if page.silent and len(page.data or []) >= asked:
            raise UnreadableAnswer(
                "answered a full page without meta.hasMore or meta.nextCursor, so whether there is more is unknown",
                subject=subject,
                advice=self.http.settings_advice,
            )
        if page.more and not page.cursor:
            raise UnreadableAnswer(
                "says that there is more but sends no cursor to reach it",
                subject=subject,
                advice="that is a fault of the upstream, a retry may help",
            )
        return page


def _read_creation_us(item: object) -> int | None:
    """Return when something was created, in microseconds; None if it does not say."""
    created: datetime | None = getattr(item, "created_at", None)
    return round(created.timestamp() * 1_000_000) if created else None
