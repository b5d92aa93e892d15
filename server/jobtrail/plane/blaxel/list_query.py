"""Reads and checks the query parameters of requests to the Blaxel API.

Rule: the seed documents, section `Query Parameters`. Where they leave room the narrower reading is taken, so that
what works here works with the vendor: a value that is not of its parameter's documented kind is refused in every
version, also where the parameter would not be honoured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobtrail.plane.responses import RequestError
from jobtrail.store.store import PageQuery
from jobtrail.times import parse_nanoseconds
from jobtrail.vocabulary import DEPLOYMENT_STATUSES

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

_JOB_STATUSES = tuple(word.upper() for word in DEPLOYMENT_STATUSES)
_SORTS = ("createdAt:desc", "createdAt:asc", "name:asc", "name:desc")
_SHORTEST_Q, _LONGEST_Q = 2, 200
_DIGITS = 18
"""Whole numbers of more digits are as good as the largest there is."""
_LATEST = 2**63 - 1
"""Nanoseconds since 1970 that the store can hold; what is further off is as good as this."""


@dataclass(frozen=True)
class ListQuery:
    """A list request, read and checked.

    Attributes:
        query: the page, from its beginning.
        cursor: as it was sent, empty for the first page.
        bound_to: what a cursor of this request is bound to.
        from_end: whether the page is the last one.
        statuses: of jobs, none for all.
    """

    query: PageQuery
    cursor: str
    bound_to: tuple[str, ...]
    from_end: bool
    statuses: tuple[str, ...]


def read_list_query(request: Request, workspace: str, default: int, most: int, *, of_jobs: bool = False) -> ListQuery:
    """Read the parameters that the lists share, and the two that jobs have besides.

    Raises:
        RequestError: 400, and what would be right.
    """
    params = request.query_params
    sort = _read_sort(params.get("sort"))
    q = _read_search(params.get("q", ""))
    cursor = params.get("cursor", "")
    statuses = read_word_list(request, "status", _JOB_STATUSES) if of_jobs else ()
    from_end = of_jobs and _read_anchor(params.get("anchor"), sort, cursor)
    key, _, direction = sort.partition(":")
    return ListQuery(
        PageQuery(
            "name" if key == "name" else "createdAt",
            descending=direction == "desc",
            limit=read_clamped_integer(request, "limit", default, 1, most),
            q=q,
        ),
        cursor,
        # Not `request.url.path`: that needs the rest of the URL to be well formed.
        (workspace, request.scope["path"], sort, q, ",".join(statuses)),
        from_end,
        statuses,
    )


def read_clamped_integer(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Read a whole number; one that is too large is clamped.

    Raises:
        RequestError: 400, no number, or too small.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    digits = text.lstrip("0") or "0"
    if not re.fullmatch(r"[0-9]+", text) or (len(digits) <= _DIGITS and int(digits) < least):
        raise RequestError(400, f"{name} must be a whole number from {least} on")
    return min(int(digits[: _DIGITS + 1]), most)


def check_flag(request: Request, name: str) -> None:
    """Check a boolean.

    Raises:
        RequestError: 400.
    """
    if request.query_params.get(name, "false") not in {"true", "false"}:
        raise RequestError(400, f"{name} must be true or false")


def read_word_list(request: Request, name: str, known: Collection[str]) -> tuple[str, ...]:
    """Read a comma list of words, whatever their case; all of them together are the same as none.

    Raises:
        RequestError: 400, a word that is not known.
    """
    text = request.query_params.get(name)
    if text is None:
        return ()
    named = {word.upper() for word in text.split(",")}
    if named - {*known}:
        raise RequestError(400, f"{name} must be among {', '.join(known)}")
    return () if named == {*known} else tuple(sorted(named))


def read_clamped_time(request: Request, name: str) -> int | None:
    """Read a time in nanoseconds since 1970; one without a zone is in UTC.

    Raises:
        RequestError: 400.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return max(-_LATEST, min(parse_nanoseconds(text), _LATEST))
    except ValueError:
        raise RequestError(400, f"{name} must be a time, such as 2026-11-23T12:00:00") from None


def _read_sort(text: str | None) -> str:
    if text is None:
        return _SORTS[0]
    if text not in _SORTS:
        raise RequestError(400, f"sort must be one of {', '.join(_SORTS)}")
    return text


def _read_search(text: str) -> str:
    """Read `q`: trimmed and lowercased; what is too short does not filter."""
    # As it was sent: a length in a document is that of the value, before the server trims it.
    if len(text) > _LONGEST_Q:
        raise RequestError(400, f"q must have at most {_LONGEST_Q} characters")
    q = text.strip().lower()
    return q if len(q) >= _SHORTEST_Q else ""


def _read_anchor(anchor: str | None, sort: str, cursor: str) -> bool:
    """Read `anchor`: the seed document has it for `createdAt:desc`; the vendor's later ones for both directions."""
    if anchor is None:
        return False
    if anchor != "end" or sort != _SORTS[0] or cursor:
        raise RequestError(400, "anchor can be end, with the sort createdAt:desc and no cursor")
    return True
