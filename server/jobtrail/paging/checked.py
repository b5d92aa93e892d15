"""A listing whose rows are checked as they arrive, since an upstream may ignore what it was asked.

What can be mended is mended, and told: rows of others are left out, and a row that came before; where rows are out of
order, nothing is concluded from the order any more.
"""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from jobtrail.errors import UnreadableAnswer, UpstreamError
from jobtrail.paging.anchor import Key, compare_keys
from jobtrail.paging.listing import START, FetchedPage, Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from jobtrail.models import Window
    from jobtrail.paging.listing import Listing, Sort

FOREIGN = "the upstream sent rows that it was not asked for: they are left out"
REPEATED = "the upstream sent rows twice: each is listed once"
DISORDERED = "the upstream does not keep to the order it was asked for: all of it is read, as it comes"
_MOST_REPEATED = 3
"""Pages in a row with nothing but repeats, after which paging would never end."""
_STATE = "="
_LARGEST = 10**21
_WORDLESS = re.compile(r"[\W_]+")
# What stands for a name or an id that a row does not have.
_NAMELESS = re.compile(r"(\(.*\))?")

T = TypeVar("T")


@dataclass(frozen=True)
class _Memory:
    """What a position tells of the rows before it.

    Attributes:
        disordered: whether some were out of order.
        last: a hash of the last one, where a page of an upstream's cursor begins; empty otherwise.
        key: what that one is sorted by; None if not known.
    """

    disordered: bool = False
    last: str = ""
    key: int | None = None

    def write(self, inner: Position) -> Position:
        """Return a position of the listing with this in front."""
        if self == _Memory():
            return inner
        head = f"{_STATE}{_STATE if self.disordered else ''}{self.last}"
        return Position(inner.upstream, (head, "" if self.key is None else self.key, *inner.detail))

    @classmethod
    def read(cls, position: Position) -> tuple[_Memory, Position]:
        """Return what `write` wrote; a position without it has no memory."""
        match position.detail:
            case (str(head), key, *detail) if head.startswith(_STATE):
                known = key if isinstance(key, int) and abs(key) < _LARGEST else None
                last = head.lstrip(_STATE)
                disordered = len(head) - len(last) > 1
                return cls(disordered, last, known), Position(position.upstream, tuple(detail))
            case _:
                return cls(), position


@dataclass
class Checked(Generic[T]):
    """A listing whose rows are checked; one in order of time ends with its window, since nothing behind can match.

    A listing in another order, one whose rows are out of order, and one whose upstream applies the window are read to
    their end. An instance is of one call: it knows the rows that were read in it.

    Attributes:
        listing: what is checked.
        identity: returns a text unique to an item.
        belongs: whether an item is of what was asked for; None where that is not to be told.
        window: of creation; None for none.
        find_oldest: asks when the oldest item of all was created.
        subject: how an error names the upstream.
        raw: whether items are rows as they were sent, which show neither times nor an order here.
    """

    listing: Listing[T]
    identity: Callable[[T], str]
    belongs: Callable[[T], bool] | None = None
    window: Window | None = None
    find_oldest: Callable[[], Awaitable[datetime | None]] | None = None
    subject: str = "the upstream"
    raw: bool = False
    _seen: set[str] = field(default_factory=set[str])
    _last: str = ""
    _repeated: int = 0
    _oldest: datetime | None = None
    _whole: bool = False

    def __post_init__(self) -> None:
        self.traits = self.listing.traits
        self._by_time = self.traits.order is not None and self.traits.order.key == "created_at"
        bound = (self.window.since if self.traits.descending else self.window.until) if self.window else None
        self._bound = bound if self._by_time and "window" in self.traits.unapplied else None

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read one page, without what does not belong to it and what is past the window."""
        memory, inner = _Memory.read(at)
        fetched = await self.listing.fetch(inner, want)
        belongs = self.belongs
        own = [index for index, item in enumerate(fetched.items) if belongs is None or belongs(item)]
        new = self._drop_repeats(own, fetched.items, memory)
        self._check_progress(own, new)
        known = fetched.ordered and not memory.disordered
        ordered = known and self._is_ordered([fetched.items[index] for index in new], memory.key)
        page = self._pick(fetched, new, replace(memory, disordered=not ordered))
        faults = {
            FOREIGN: len(own) < len(fetched.items), REPEATED: len(new) < len(own), DISORDERED: not ordered,
        }  # fmt: skip
        told = [fetched.note or "", *(note for note, true in faults.items() if true)]
        exact, note = page.exact and not any(faults.values()), "; ".join(filter(None, told)) or None
        return await self._find_end(replace(page, note=note, exact=exact, ordered=ordered), at)

    def _drop_repeats(self, indices: Sequence[int], items: Sequence[T], memory: _Memory) -> list[int]:
        """Return the rows that did not come before, in this call or, as far as a position tells, in the last."""
        names = [self.identity(items[index]) for index in indices]
        overlap = self._find_overlap(indices, names, items, memory)
        fresh = {*names}
        if not overlap and len(fresh) == len(names) and self._seen.isdisjoint(fresh):
            self._seen |= fresh
            return [*indices]
        new: list[int] = []
        for index, name in zip(indices, names, strict=True):
            if index in overlap or (name in self._seen and not _NAMELESS.fullmatch(name)):
                continue
            self._seen.add(name)
            new.append(index)
        return new

    def _find_overlap(
        self, indices: Sequence[int], names: Sequence[str], items: Sequence[T], memory: _Memory
    ) -> set[int]:
        """Return the rows up to the last one of the page before, if that is here again."""
        if not memory.last:
            return set()
        last = self._last
        if _hash(last) != memory.last:
            # That page was read in another call, so that only the hash of its last row is known.
            last, names = memory.last, [*map(_hash, names)]
        overlap = indices[: names.index(last) + 1] if last in names else indices[:0]
        ordered = self._is_ordered([items[index] for index in overlap], None)
        return set(overlap if ordered else overlap[-1:])

    def _check_progress(self, own: Sequence[int], new: Sequence[int]) -> None:
        """Raise if page after page has nothing but repeats."""
        self._repeated = self._repeated + 1 if own and not new else 0
        if self._repeated >= _MOST_REPEATED:
            raise UnreadableAnswer(
                "sends the same rows again and again, so paging would never end",
                subject=self.subject,
                advice="that is a fault of the upstream, ask for less with a narrower window or query",
            )

    def _is_ordered(self, items: Sequence[T], before: Key | None) -> bool:
        """Return whether no item comes before one that it follows, the first of them one with the key `before`."""
        order = self.traits.order
        if order is None or self.raw:
            return True
        return (
            any(
                _is_sorted([before, *(read(getattr(item, attribute, None)) for item in items)], order)
                for attribute, read in _KEYS.get(order.key, ())
            )
            or order.key not in _KEYS
        )

    def _pick(self, fetched: FetchedPage[T], kept: Sequence[int], memory: _Memory) -> FetchedPage[T]:
        """Return a page of some of its rows; its positions remember what was read."""
        items = fetched.items if len(kept) == len(fetched.items) else [fetched.items[index] for index in kept]
        self._last = self.identity(items[-1]) if items else ""

        def remember(position: Position, item: T | None) -> Position:
            if position.detail or not position.upstream:
                return replace(memory, last="", key=None).write(position)
            # A page begins there, and only its last row tells whether the next one repeats some.
            known = memory if item is None else replace(memory, last=_hash(self.identity(item)), key=_read_time(item))
            return known.write(position)

        def after(place: int) -> Position:
            return remember(fetched.after(kept[place]), items[place])

        return replace(
            fetched,
            items=items,
            after=after,
            next=fetched.next and remember(fetched.next, items[-1] if items else None),
        )

    async def _find_end(self, page: FetchedPage[T], at: Position) -> FetchedPage[T]:
        """Return a page up to the end of the window, and when its list began where the page shows that."""
        if self.raw:
            return page
        times = [getattr(item, "created_at", None) for item in page.items]
        self._whole = self._whole or at == START
        self._oldest = min(filter(None, (self._oldest, *times)), default=None)
        bound = self._bound if page.ordered else None
        cut = None if bound is None else next((at for at, one in enumerate(times) if self._is_past(one)), None)
        if cut is not None:
            page = replace(page, items=page.items[:cut], next=None)
        descending = self._by_time and self.traits.descending
        first = self._by_time and not descending and page.ordered and at == START
        oldest = None
        if cut is not None and descending:
            oldest = times[cut]
        elif page.next is None and "window" not in self.traits.unapplied:
            oldest = await self._ask_oldest(page)
        elif first or (page.next is None and (self._whole or (page.ordered and descending))):
            oldest = self._oldest
        elif page.next is None:
            oldest = await self._ask_oldest(page)
        return replace(page, oldest={"": oldest} if oldest else {})

    async def _ask_oldest(self, page: FetchedPage[T]) -> datetime | None:
        """Ask when the oldest item was created, which what this call has read does not show; None if not known."""
        since = self.window.since if self.window else None
        if self.find_oldest is None or since is None or not page.ordered:
            return None
        with suppress(UpstreamError):
            told = await self.find_oldest()
            return min(filter(None, (told, self._oldest)), default=None) if told else None
        return None

    def _is_past(self, time: datetime | None) -> bool:
        if time is None or self._bound is None:
            return False
        return time < self._bound if self.traits.descending else time > self._bound


def _is_sorted(keys: Sequence[Key | None], order: Sort) -> bool:
    known = [key for key in keys if key is not None]
    return all(compare_keys(key, last, descending=order.descending) != -1 for last, key in pairwise(known))


def _hash(identity: str) -> str:
    digest = hashlib.blake2b(identity.encode(errors="replace"), digest_size=3).digest()
    return base64.urlsafe_b64encode(digest).decode()


def _read_time(item: object) -> int | None:
    return _to_microseconds(getattr(item, "created_at", None))


def _to_microseconds(time: datetime | None) -> int | None:
    return None if time is None else round(time.timestamp() * 1_000_000)


def _scale(number: float | None) -> int | None:
    return None if number is None else round(number * 1_000_000)


def _fold_words(name: str | None) -> str | None:
    return None if name is None else _WORDLESS.sub("", name.casefold())


def _list_readings(attribute: str) -> tuple[tuple[str, Callable[[Any], Key | None]], ...]:
    """Return how a name may be sorted: as it is, whatever its case, or by its letters alone."""
    return (
        (attribute, lambda name: name),
        (attribute, lambda name: name and name.casefold()),
        (attribute, _fold_words),
    )


_KEYS: dict[str, tuple[tuple[str, Callable[[Any], Key | None]], ...]] = {
    "created_at": (("created_at", _to_microseconds),),
    "started_at": (("started_at", _to_microseconds),),
    "duration": (("duration_s", _scale),),
    "exit_code": (("exit_code", lambda code: code),),
    "name": _list_readings("name"),
    "job": _list_readings("job"),
}
"""What shows that items are in order of a field: an attribute, and readings of it, one of which is enough.

A status has none: it may be sorted by a phase, which what has ended does not show.
"""
