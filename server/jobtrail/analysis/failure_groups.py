"""Makes signatures of failure reasons, and groups failed tasks by them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobtrail.models import FailureGroup
from jobtrail.text import count_noun
from jobtrail.vocabulary import AFTER_INNER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

NO_REASON = "(no reason given)"
"""Stands for the reason of a failed task that has none."""
_MOST_GROUPS = 5
_MOST_NAMES = 3
# A sign without which a pattern matches nothing, the pattern, what stands for its matches. The order matters: a later
# pattern would break up what an earlier one replaces.
_FOLDS = (
    ("", re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`"), "'…'"),
    ("-", re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"), "<time>"),
    ("-", re.compile(r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    ("", re.compile(r"(?<![0-9a-zA-Z])(?=[a-fA-F]*\d)(0x)?[0-9a-fA-F]{7,}(?![0-9a-zA-Z])"), "<id>"),
    ("", re.compile(r"\d+([.,:]\d+)*"), "N"),
)
_LONGEST = 140


def make_signature(reason: str | None) -> str:
    """Return a reason with numbers, ids, hex, times and quoted values replaced, so that similar reasons are equal."""
    text = reason or NO_REASON
    for sign, pattern, stands_for in _FOLDS:
        if sign in text:
            text = pattern.sub(stands_for, text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def find_cause(reason: str | None) -> str:
    """Return the id of a failed task's cause: of its signature, and whether it failed after a task within it."""
    text = reason or NO_REASON
    inner = AFTER_INNER.match(text)
    return _make_cause(make_signature(text[inner.end() :] if inner else text), after_inner=inner is not None)


def _make_cause(signature: str, *, after_inner: bool) -> str:
    text = f"{after_inner:d}{signature}"
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=3).hexdigest()


@dataclass
class _Group:
    """Failed tasks of one signature: how many, the first few names, the first reason, the first and last time."""

    example: str
    count: int = 0
    tasks: list[str] = field(default_factory=list[str])
    first_at: datetime | None = None
    last_at: datetime | None = None

    def add(self, count: int, names: Iterable[str], first: datetime | None, last: datetime | None) -> None:
        self.count += count
        if len(self.tasks) < _MOST_NAMES:
            self.tasks = [*self.tasks, *names][:_MOST_NAMES]
        if first and last:
            self.first_at = min(first, self.first_at or first)
            self.last_at = max(last, self.last_at or last)

    def to_model(self, name: str, cause: str | None = None) -> FailureGroup:
        return FailureGroup(
            cause=cause, signature=name, rarer=cause is None, count=self.count, example=self.example,
            tasks=tuple(self.tasks), first_at=self.first_at, last_at=self.last_at,
        )  # fmt: skip


class FailureGroups:
    """Groups failed tasks by signature, one by one, so that none of them need be kept.

    A task that failed after one within it had, and says no more, has that one's cause, which counts once.

    Attributes:
        failed: how many were added.
        outer: how many of these failed after one within them.
    """

    def __init__(self) -> None:
        self.failed = 0
        self.outer = 0
        self._groups: dict[str, _Group] = {}
        self._outer_groups: dict[str, _Group] = {}
        self._first: str | None = None
        self._first_outer: str | None = None
        self._by_reason: dict[str, _Group] = {}

    def __len__(self) -> int:
        return len(self._outer_groups.keys() | self._groups.keys())

    @property
    def first(self) -> str | None:
        """The name of the first, if possible of one that failed by itself."""
        return self._first or self._first_outer

    def add(self, task: str, reason: str, at: datetime | None) -> None:
        """Add a failed task, by its name, why it failed and when."""
        self.failed += 1
        group = self._by_reason.get(reason)
        if group is None:
            inner = AFTER_INNER.match(reason)
            if inner:
                self._add_outer(task, reason[inner.end() :], at)
                return
            name = make_signature(reason)
            group = self._by_reason[reason] = self._groups.setdefault(name, _Group(reason))
        self._first = self._first or task
        group.add(1, (task,), at, at)

    def _add_outer(self, task: str, cause: str, at: datetime | None) -> None:
        self.outer += 1
        self._first_outer = self._first_outer or task
        self._outer_groups.setdefault(make_signature(cause), _Group(cause)).add(1, (task,), at, at)

    def to_models(self) -> tuple[FailureGroup, ...]:
        """Return the groups, most frequent first; past five the rest become one."""
        groups = self._outer_groups | self._groups
        ordered = sorted(groups.items(), key=lambda group: (-group[1].count, group[0]))
        top = [
            group.to_model(name, _make_cause(name, after_inner=name not in self._groups))
            for name, group in ordered[:_MOST_GROUPS]
        ]
        if rest := [group for _, group in ordered[_MOST_GROUPS:]]:
            rarer = _Group(rest[0].example)
            for group in rest:
                rarer.add(group.count, group.tasks, group.first_at, group.last_at)
            top.append(rarer.to_model(f"({count_noun(len(rest), 'rarer cause')})"))
        return tuple(top)
