"""Where a merged listing goes on, and how that is written into a `Position`.

Times are microseconds since 1970, negated where the newest item comes first, so that they grow along the walk.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from jobtrail.errors import StrayCursor
from jobtrail.paging.listing import START, Position

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

BEFORE_EVERY_TIME = -(10**18)
"""A time before that of any item."""

_MOST = 1_000_000


@dataclass(frozen=True)
class PartMark:
    """Which items of a part have been returned.

    Attributes:
        time: all items before this time have been.
        last_id: id of the last item returned of exactly this time; empty for none.
    """

    time: int
    last_id: str = ""


@dataclass(frozen=True)
class PartPage:
    """Where a page of a part begins, and the time of the item before it."""

    position: Position = START
    time_before: int = BEFORE_EVERY_TIME


@dataclass(frozen=True)
class MergePosition:
    """Where all parts of a merged listing go on.

    Attributes:
        time: of the last item returned.
        marks: of the parts for which `time` does not say which items have been returned.
        pages: of the parts past their first page.
        ended: the parts with no items left.
        oldest: how far back the ended parts of an upstream reach, in microseconds since 1970; 0 if not known.
    """

    time: int = BEFORE_EVERY_TIME
    marks: Mapping[str, PartMark] = field(default_factory=dict[str, PartMark])
    pages: Mapping[str, PartPage] = field(default_factory=dict[str, PartPage])
    ended: frozenset[str] = frozenset()
    oldest: Mapping[str, int] = field(default_factory=dict[str, int])

    def mark(self, key: str) -> PartMark:
        """Return which items of a part have been returned."""
        return self.marks.get(key) or PartMark(self.time)

    def page(self, key: str) -> PartPage:
        """Return the page of a part to read next."""
        return self.pages.get(key) or PartPage()

    def with_mark(self, key: str, mark: PartMark) -> MergePosition:
        """Return the position with a mark for a part."""
        return replace(self, marks={**self.marks, key: mark})

    def with_page(self, key: str, page: PartPage) -> MergePosition:
        """Return the position with another page for a part."""
        return replace(self, pages={**self.pages, key: page})

    def with_end(self, key: str) -> MergePosition:
        """Return the position with a part ended."""
        pages = {name: page for name, page in self.pages.items() if name != key}
        return replace(self, pages=pages, ended=self.ended | {key})

    def with_oldest(self, upstream: str, time: int | None) -> MergePosition:
        """Return the position with what a part that ends tells of how far back its upstream reaches."""
        if time is None:
            return self
        return replace(self, oldest={**self.oldest, upstream: min(time, self.oldest.get(upstream, time))})


def write_position(position: MergePosition, keys: Collection[str]) -> Position:
    """Return it as the position of a listing: times relative to its own, defaults left out."""
    marks = {key: mark for key, mark in position.marks.items() if mark != PartMark(position.time)}
    detail: list[str | int] = [position.time, _write_ended(position.ended, sorted(keys)), len(marks)]
    for key, mark in marks.items():
        detail += [key, mark.time - position.time, mark.last_id]
    detail.append(len(position.oldest))
    for upstream, oldest in position.oldest.items():
        detail += [upstream, oldest + position.time]
    for key, page in position.pages.items():
        if page != PartPage():
            detail += [
                key,
                page.time_before - position.time,
                page.position.upstream,
                len(page.position.detail),
                *page.position.detail,
            ]
    return Position("", tuple(detail))


def read_position(position: Position, keys: Collection[str]) -> MergePosition:
    """Return what `write_position` wrote, without the parts that are not there any more.

    Raises:
        StrayCursor: it was not written by `write_position`.
    """
    if position == START:
        return MergePosition()
    try:
        return _read_detail(iter(position.detail), sorted(keys))
    except (StopIteration, ValueError):
        raise StrayCursor("this cursor does not fit what it walks") from None


def _read_detail(parts: Iterator[str | int], keys: list[str]) -> MergePosition:
    time = _check_integer(next(parts))
    ended = _read_ended(_check_text(next(parts)), keys)
    marks: dict[str, PartMark] = {}
    for _ in range(_check_count(next(parts))):
        key = _check_text(next(parts))
        marks[key] = PartMark(time + _check_integer(next(parts)), _check_text(next(parts)))
    oldest: dict[str, int] = {}
    for _ in range(_check_count(next(parts))):
        upstream = _check_text(next(parts))
        oldest[upstream] = _check_integer(next(parts)) - time
    pages: dict[str, PartPage] = {}
    for part in parts:
        time_before, upstream = time + _check_integer(next(parts)), _check_text(next(parts))
        detail = tuple(islice(parts, _check_count(next(parts))))
        pages[_check_text(part)] = PartPage(Position(upstream, detail), time_before)
    return MergePosition(
        time,
        {key: mark for key, mark in marks.items() if key in keys},
        {key: page for key, page in pages.items() if key in keys and key not in ended},
        ended,
        oldest,
    )


def _write_ended(ended: frozenset[str], keys: list[str]) -> str:
    """Return the ended keys as bits behind a fingerprint of all keys, since other keys would have other bits."""
    bits = sum(1 << number for number, key in enumerate(keys) if key in ended)
    return f"{_fingerprint(keys)}{bits:x}" if bits else ""


def _read_ended(text: str, keys: list[str]) -> frozenset[str]:
    if not text.startswith(_fingerprint(keys)):
        return frozenset()
    bits = int(text[len(_fingerprint(keys)) :], 16)
    return frozenset(key for number, key in enumerate(keys) if bits >> number & 1)


def _fingerprint(keys: list[str]) -> str:
    return hashlib.blake2b("\0".join(keys).encode(errors="replace"), digest_size=2).hexdigest()


def _check_text(part: str | int) -> str:
    if not isinstance(part, str):
        raise ValueError(part)  # noqa: TRY004 # a cursor's content, no programming error
    return part


def _check_integer(part: str | int) -> int:
    if not isinstance(part, int) or abs(part) > 2 * -BEFORE_EVERY_TIME:
        raise ValueError(part)
    return part


def _check_count(part: str | int) -> int:
    if not isinstance(part, int) or not 0 <= part <= _MOST:
        raise ValueError(part)
    return part
