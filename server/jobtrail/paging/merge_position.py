"""A place in a merged listing, and how it travels in a position."""

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
"""A depth before every time there is."""

_MOST = 1_000_000


@dataclass(frozen=True)
class PartMark:
    """How far one part has been handed out.

    Attributes:
        depth: everything nearer than this.
        last: and of exactly this depth, on the part's page, everything up to this one.
    """

    depth: int
    last: str = ""


@dataclass(frozen=True)
class PartPage:
    """Where an upstream page of a part begins, and the depth of the item before it."""

    position: Position = START
    floor: int = BEFORE_EVERY_TIME


@dataclass(frozen=True)
class MergePosition:
    """A place in all parts.

    Attributes:
        depth: the time of the last item, in microseconds that grow along the walk.
        marks: parts of which that does not tell how far they have been handed out.
        pages: parts past their first page.
        ended: parts with nothing left.
    """

    depth: int = BEFORE_EVERY_TIME
    marks: Mapping[str, PartMark] = field(default_factory=dict[str, PartMark])
    pages: Mapping[str, PartPage] = field(default_factory=dict[str, PartPage])
    ended: frozenset[str] = frozenset()

    def mark(self, key: str) -> PartMark:
        """Return how far a part has been handed out."""
        return self.marks.get(key) or PartMark(self.depth)

    def page(self, key: str) -> PartPage:
        """Return where a part is read."""
        return self.pages.get(key) or PartPage()

    def with_mark(self, key: str, mark: PartMark) -> MergePosition:
        """Return the place with a part marked."""
        return replace(self, marks={**self.marks, key: mark})

    def with_page(self, key: str, page: PartPage) -> MergePosition:
        """Return the place with a part on another page."""
        return replace(self, pages={**self.pages, key: page})

    def with_end(self, key: str) -> MergePosition:
        """Return the place with a part ended."""
        pages = {name: page for name, page in self.pages.items() if name != key}
        return replace(self, pages=pages, ended=self.ended | {key})


def write_position(position: MergePosition, keys: Collection[str]) -> Position:
    """Return a place as a position: numbers relative to its depth, what is not needed left out."""
    marks = {key: mark for key, mark in position.marks.items() if mark != PartMark(position.depth)}
    detail: list[str | int] = [position.depth, _write_ended(position.ended, sorted(keys)), len(marks)]
    for key, mark in marks.items():
        detail += [key, mark.depth - position.depth, mark.last]
    for key, page in position.pages.items():
        if page != PartPage():
            detail += [
                key,
                page.floor - position.depth,
                page.position.upstream,
                len(page.position.detail),
                *page.position.detail,
            ]
    return Position("", tuple(detail))


def read_position(position: Position, keys: Collection[str]) -> MergePosition:
    """Return the place that a position stands for, without the parts that have gone.

    Raises:
        StrayCursor: the position is none of ours.
    """
    if position == START:
        return MergePosition()
    try:
        return _read_detail(iter(position.detail), sorted(keys))
    except (StopIteration, ValueError):
        raise StrayCursor("this cursor does not fit what it walks") from None


def _read_detail(parts: Iterator[str | int], keys: list[str]) -> MergePosition:
    depth = _check_integer(next(parts))
    ended = _read_ended(_check_text(next(parts)), keys)
    marks: dict[str, PartMark] = {}
    for _ in range(_check_count(next(parts))):
        key = _check_text(next(parts))
        marks[key] = PartMark(depth + _check_integer(next(parts)), _check_text(next(parts)))
    pages: dict[str, PartPage] = {}
    for part in parts:
        floor, upstream = depth + _check_integer(next(parts)), _check_text(next(parts))
        detail = tuple(islice(parts, _check_count(next(parts))))
        pages[_check_text(part)] = PartPage(Position(upstream, detail), floor)
    return MergePosition(
        depth,
        {key: mark for key, mark in marks.items() if key in keys},
        {key: page for key, page in pages.items() if key in keys and key not in ended},
        ended,
    )


def _write_ended(ended: frozenset[str], keys: list[str]) -> str:
    """Return which of the keys have ended, as bits that are good only for the same keys."""
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
