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

NEAREST = -(10**18)
"""A depth before every time there is."""

_MOST = 1_000_000


@dataclass(frozen=True)
class Mark:
    """How far one part has been handed out.

    Attributes:
        depth: everything nearer than this.
        last: and of exactly this depth, on the part's page, everything up to this one.
    """

    depth: int
    last: str = ""


@dataclass(frozen=True)
class Page:
    """Where an upstream page of a part begins, and the depth of the item before it."""

    position: Position = START
    floor: int = NEAREST


@dataclass(frozen=True)
class Place:
    """A place in all parts.

    Attributes:
        depth: the time of the last item, in microseconds that grow along the walk.
        marks: parts of which that does not tell how far they have been handed out.
        pages: parts past their first page.
        ended: parts with nothing left.
    """

    depth: int = NEAREST
    marks: Mapping[str, Mark] = field(default_factory=dict[str, Mark])
    pages: Mapping[str, Page] = field(default_factory=dict[str, Page])
    ended: frozenset[str] = frozenset()

    def mark_of(self, key: str) -> Mark:
        """Return how far a part has been handed out."""
        return self.marks.get(key) or Mark(self.depth)

    def page(self, key: str) -> Page:
        """Return where a part is read."""
        return self.pages.get(key) or Page()

    def marked(self, key: str, mark: Mark) -> Place:
        """Return the place with a part marked."""
        return replace(self, marks={**self.marks, key: mark})

    def paged(self, key: str, page: Page) -> Place:
        """Return the place with a part on another page."""
        return replace(self, pages={**self.pages, key: page})

    def over(self, key: str) -> Place:
        """Return the place with a part ended."""
        pages = {name: page for name, page in self.pages.items() if name != key}
        return replace(self, pages=pages, ended=self.ended | {key})


def written(place: Place, keys: Collection[str]) -> Position:
    """Return a place as a position: numbers relative to its depth, what is not needed left out."""
    marks = {key: mark for key, mark in place.marks.items() if mark != Mark(place.depth)}
    detail: list[str | int] = [place.depth, _ended(place.ended, sorted(keys)), len(marks)]
    for key, mark in marks.items():
        detail += [key, mark.depth - place.depth, mark.last]
    for key, page in place.pages.items():
        if page != Page():
            detail += [
                key,
                page.floor - place.depth,
                page.position.upstream,
                len(page.position.detail),
                *page.position.detail,
            ]
    return Position("", tuple(detail))


def opened(position: Position, keys: Collection[str]) -> Place:
    """Return the place that a position stands for, without the parts that have gone.

    Raises:
        StrayCursor: the position is none of ours.
    """
    if position == START:
        return Place()
    try:
        return _read(iter(position.detail), sorted(keys))
    except (StopIteration, ValueError):
        raise StrayCursor("this cursor does not fit what it walks") from None


def _read(parts: Iterator[str | int], keys: list[str]) -> Place:
    depth = _whole(next(parts))
    ended = _open_ended(_text(next(parts)), keys)
    marks: dict[str, Mark] = {}
    for _ in range(_count(next(parts))):
        key = _text(next(parts))
        marks[key] = Mark(depth + _whole(next(parts)), _text(next(parts)))
    pages: dict[str, Page] = {}
    for part in parts:
        floor, upstream = depth + _whole(next(parts)), _text(next(parts))
        detail = tuple(islice(parts, _count(next(parts))))
        pages[_text(part)] = Page(Position(upstream, detail), floor)
    return Place(
        depth,
        {key: mark for key, mark in marks.items() if key in keys},
        {key: page for key, page in pages.items() if key in keys and key not in ended},
        ended,
    )


def _ended(ended: frozenset[str], keys: list[str]) -> str:
    """Return which of the keys have ended, as bits that are good only for the same keys."""
    bits = sum(1 << number for number, key in enumerate(keys) if key in ended)
    return f"{_fingerprint(keys)}{bits:x}" if bits else ""


def _open_ended(text: str, keys: list[str]) -> frozenset[str]:
    if not text.startswith(_fingerprint(keys)):
        return frozenset()
    bits = int(text[len(_fingerprint(keys)) :], 16)
    return frozenset(key for number, key in enumerate(keys) if bits >> number & 1)


def _fingerprint(keys: list[str]) -> str:
    return hashlib.blake2b("\0".join(keys).encode(errors="replace"), digest_size=2).hexdigest()


def _text(part: str | int) -> str:
    if not isinstance(part, str):
        raise ValueError(part)  # noqa: TRY004 # a cursor's content, no programming error
    return part


def _whole(part: str | int) -> int:
    if not isinstance(part, int) or abs(part) > 2 * -NEAREST:
        raise ValueError(part)
    return part


def _count(part: str | int) -> int:
    if not isinstance(part, int) or not 0 <= part <= _MOST:
        raise ValueError(part)
    return part
