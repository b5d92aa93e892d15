"""What a request to the Blaxel side asks for, read and checked.

Rule: the seed documents, section `Query Parameters`. Where they leave room the narrower reading is taken, so that
what works here works with the vendor: a value that is not of its parameter's documented kind is refused in every
version, also where the parameter would not be honoured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobtrail.plane.answers import Refusal
from jobtrail.plane.store import Query, stamp

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

__all__ = [
    "DEPLOYMENTS",
    "FIRST_PAGED",
    "KNOWN_VERSIONS",
    "Asked",
    "flag",
    "instant",
    "paged",
    "read_list",
    "whole",
    "words",
]

FIRST_PAGED = "2026-04-28"
KNOWN_VERSIONS = ("2026-04-16", FIRST_PAGED, "2026-09-22")
"""What the vendor's introduction, its documents and its newest SDK name; the first is meant where none is named."""
DEPLOYMENTS = (
    "DELETING", "TERMINATED", "FAILED", "DEACTIVATED", "DEACTIVATING",
    "UPLOADING", "BUILDING", "DEPLOYING", "DEPLOYED", "BUILT",
)  # fmt: skip
_SORTS = ("createdAt:desc", "createdAt:asc", "name:asc", "name:desc")
_SHORTEST_Q, _LONGEST_Q = 2, 200
_DIGITS = 18
"""Whole numbers of more digits are as good as the largest there is."""
_SHOWN = 40
_LATEST = 2**63 - 1
"""Nanoseconds since 1970 that the store can hold; what is further off is as good as this."""


@dataclass(frozen=True)
class Asked:
    """A list request, read and checked.

    Attributes:
        query: the page, from its beginning.
        paged: whether the version is one that pages by cursor.
        cursor: as it was sent, empty for the first page.
        bound_to: what a cursor of this request is bound to.
        from_end: whether the page is the last one.
        statuses: of jobs, none for all.
    """

    query: Query
    paged: bool
    cursor: str
    bound_to: tuple[str, ...]
    from_end: bool
    statuses: tuple[str, ...]


def paged(request: Request) -> bool:
    """Return whether `Blaxel-Version` asks for the paged contract.

    Raises:
        Refusal: 400 `invalid_api_version`, no known version.
    """
    version = request.headers.get("blaxel-version", "").strip() or KNOWN_VERSIONS[0]
    if version not in KNOWN_VERSIONS:
        known = ", ".join(KNOWN_VERSIONS)
        message = f'Unknown API version "{version[:_SHOWN]}". Valid versions: {known}.'
        raise Refusal(400, "invalid_api_version", message)
    return version >= FIRST_PAGED


def read_list(request: Request, workspace: str, default: int, most: int, *, of_jobs: bool = False) -> Asked:
    """Read the parameters that the lists share, and the two that jobs have besides.

    Raises:
        Refusal: 400, and what would be right.
    """
    by_cursor, params = paged(request), request.query_params
    sort = _sort(params.get("sort"))
    q = _search(params.get("q", ""))
    cursor = params.get("cursor", "")
    statuses = words(request, "status", DEPLOYMENTS) if of_jobs else ()
    from_end = of_jobs and _from_end(params.get("anchor"), sort, cursor)
    key, _, direction = sort.partition(":")
    return Asked(
        Query(
            "name" if key == "name" else "createdAt",
            descending=direction == "desc",
            limit=whole(request, "limit", default, 1, most),
            q=q,
        ),
        by_cursor,
        cursor,
        # Not `request.url.path`: that needs the rest of the URL to be well formed.
        (workspace, request.scope["path"], sort, q, ",".join(statuses)),
        from_end,
        statuses,
    )


def whole(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Read a whole number; one that is too large is clamped.

    Raises:
        Refusal: 400, no number, or too small.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    digits = text.lstrip("0") or "0"
    if not re.fullmatch(r"[0-9]+", text) or (len(digits) <= _DIGITS and int(digits) < least):
        raise Refusal(400, "bad_request", f"{name} must be a whole number from {least} on")
    return min(int(digits[: _DIGITS + 1]), most)


def flag(request: Request, name: str) -> None:
    """Check a boolean.

    Raises:
        Refusal: 400.
    """
    if request.query_params.get(name, "false") not in {"true", "false"}:
        raise Refusal(400, "bad_request", f"{name} must be true or false")


def words(request: Request, name: str, known: Collection[str]) -> tuple[str, ...]:
    """Read a comma list of words, whatever their case; all of them together are the same as none.

    Raises:
        Refusal: 400, a word that is not known.
    """
    text = request.query_params.get(name)
    if text is None:
        return ()
    named = {word.upper() for word in text.split(",")}
    if named - {*known}:
        raise Refusal(400, "bad_request", f"{name} must be among {', '.join(known)}")
    return () if named == {*known} else tuple(sorted(named))


def instant(request: Request, name: str) -> int | None:
    """Read a time in nanoseconds since 1970; one without a zone is in UTC.

    Raises:
        Refusal: 400.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(400, "bad_request", f"{name} must be a time, such as 2026-11-23T12:00:00") from None
    try:
        nanos = stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except OverflowError:
        # At either end of the calendar, with a zone that leads out of it.
        nanos = -_LATEST if moment.year == 1 else _LATEST
    return max(-_LATEST, min(nanos, _LATEST))


def _sort(text: str | None) -> str:
    if text is None:
        return _SORTS[0]
    if text not in _SORTS:
        raise Refusal(400, "bad_request", f"sort must be one of {', '.join(_SORTS)}")
    return text


def _search(text: str) -> str:
    """Read `q`: trimmed and lowercased; what is too short does not filter."""
    # As it was sent: a length in a document is that of the value, before the server trims it.
    if len(text) > _LONGEST_Q:
        raise Refusal(400, "bad_request", f"q must have at most {_LONGEST_Q} characters")
    q = text.strip().lower()
    return q if len(q) >= _SHORTEST_Q else ""


def _from_end(anchor: str | None, sort: str, cursor: str) -> bool:
    """Read `anchor`: the seed document has it for `createdAt:desc`; the vendor's later ones for both directions."""
    if anchor is None:
        return False
    if anchor != "end" or sort != _SORTS[0] or cursor:
        raise Refusal(400, "bad_request", "anchor can be end, with the sort createdAt:desc and no cursor")
    return True
