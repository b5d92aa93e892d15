"""The options of a listing: its order and its filters (query, statuses, window), and how they are read from text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobtrail.errors import BadArgument
from jobtrail.paging import Sort
from jobtrail.text import find_closest, quote_value
from jobtrail.vocabulary import EARLIER_NAMES, FAILURE, STATUSES, is_failure

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from jobtrail.models import Window
    from jobtrail.vocabulary import HasStatus, Status

_LONGEST_STATUSES = 1_000
"""Characters of a list of statuses."""


@dataclass(frozen=True)
class StatusFilter:
    """Which statuses to keep: our words, an upstream's in lower case, and whatever counts as a failure."""

    words: frozenset[str]
    raw: frozenset[str] = frozenset()
    failures: bool = False

    def keeps(self, item: HasStatus) -> bool:
        """Return whether an item has one of them."""
        named = item.status in self.words or (getattr(item, "raw_status", None) or "").lower() in self.raw
        return named or (self.failures and is_failure(item))

    def to_upstream(self, known: Mapping[str, Status]) -> list[str] | None:
        """Return the filter in the upstream's words; None if it has no words for it."""
        if "unknown" in self.words:
            return None
        return sorted({raw for raw, word in known.items() if word in self.words} | self.raw)


@dataclass(frozen=True)
class ListOptions:
    """How to list: in which order, and which items to keep.

    Attributes:
        query: a text to search for; None for no such filter, like the two others.
        statuses: to keep.
        window: of creation.
        cause: of failed tasks, as `analysis.failure_groups.find_cause` names it.
    """

    sort: Sort
    query: str | None = None
    statuses: StatusFilter | None = None
    window: Window | None = None
    cause: str | None = None

    def filters(self, *, applied: Collection[str] = ()) -> frozenset[str]:
        """Return the names of the filters that are set, without those in `applied`, which the upstream applies."""
        given = {"query": self.query, "statuses": self.statuses, "window": self.window, "cause": self.cause}
        return frozenset(name for name, value in given.items() if value and name not in applied)


def read_sort(text: str | None, allowed: Sequence[str], default: Sort) -> Sort:
    """Read `field:direction`, in our spelling or the upstream's (`createdAt:desc`).

    Raises:
        BadArgument: not one of the allowed fields.
    """
    if not text:
        return default
    key, _, direction = text.strip().partition(":")
    folded = {name.replace("_", ""): name for name in allowed}
    key = key.strip().replace("_", "").lower()
    name = folded.get(key) or folded.get(EARLIER_NAMES.get(key, ""))
    way = direction.strip().lower() or ("desc" if name in {"created_at", "duration"} else "asc")
    if name is None or way not in {"asc", "desc"}:
        raise BadArgument(
            f"sort={quote_value(text)} is not an order; give one of {', '.join(allowed)} with :asc or :desc, "
            f"such as {default}"
        )
    return Sort(name, way == "desc")


def split_statuses(text: str | None) -> list[str]:
    """Return the words of a comma list of statuses, in lower case.

    Raises:
        BadArgument: there are more than any upstream has.
    """
    if text and len(text) > _LONGEST_STATUSES:
        limit = f"give at most {_LONGEST_STATUSES:,}, each status once"
        raise BadArgument(f"status has {len(text):,} characters; {limit}")
    return [one.strip().lower() for one in (text or "").split(",") if one.strip()]


def read_statuses(text: str | None, known: Mapping[str, Status]) -> StatusFilter | None:
    """Read a comma list of statuses: normalised words, or the upstream's own.

    Raises:
        BadArgument: too many words, or one that is neither, so that a typo never reads as "nothing failed".
    """
    given = split_statuses(text)
    words = [one for one in given if one != FAILURE]
    if not given:
        if text:
            raise BadArgument(
                f"status={quote_value(text)} names no status; give one or more of {', '.join(STATUSES)}"
            )
        return None
    for one in words:
        if one not in STATUSES and one not in known:
            raise BadArgument(
                f"status={quote_value(one)} is not a status",
                closest=find_closest(one, (*STATUSES, *known)),
                advice=f"valid: {', '.join(STATUSES)}, or {FAILURE} for whatever counts as one",
            )
    # Success has no shades, but RunWisp spells it by version, and one version's word finds nothing in another.
    words = ["succeeded" if known.get(one) == "succeeded" else one for one in words]
    return StatusFilter(
        frozenset(one for one in words if one in STATUSES),
        frozenset(one for one in words if one not in STATUSES),
        failures=FAILURE in given,
    )
