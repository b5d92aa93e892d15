"""Makes signatures of failure reasons, and groups failed tasks by them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobtrail.models import FailureGroup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jobtrail.models import Task

_NO_REASON = "(no reason given)"
_MOST_GROUPS = 5
_MOST_NAMES = 3
# The order matters: a later pattern would break up what an earlier one replaces.
_FOLDS = (
    (re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`"), "'…'"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"(?<![0-9a-zA-Z])(?=[a-fA-F]*\d)(0x)?[0-9a-fA-F]{7,}(?![0-9a-zA-Z])"), "<id>"),
    (re.compile(r"\d+([.,:]\d+)*"), "N"),
)
_LONGEST = 140


def make_signature(reason: str | None) -> str:
    """Return a reason with numbers, ids, hex, times and quoted values replaced, so that similar reasons are equal."""
    text = reason or _NO_REASON
    for pattern, stands_for in _FOLDS:
        text = pattern.sub(stands_for, text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def group_failures(tasks: Iterable[Task]) -> tuple[FailureGroup, ...]:
    """Group failed tasks by signature, most frequent first; past five groups the rest become one."""
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        groups.setdefault(make_signature(task.reason), []).append(task)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    top = [_make_group(name, members) for name, members in ordered[:_MOST_GROUPS]]
    rest = [task for _, members in ordered[_MOST_GROUPS:] for task in members]
    if rest:
        top.append(_make_group(f"({len(ordered) - _MOST_GROUPS} rarer causes)", rest, rarer=True))
    return tuple(top)


def _make_group(name: str, members: Sequence[Task], *, rarer: bool = False) -> FailureGroup:
    times = sorted(moment for one in members if (moment := one.ended_at or one.started_at))
    return FailureGroup(
        signature=name,
        rarer=rarer,
        count=len(members),
        example=members[0].reason or _NO_REASON,
        tasks=tuple(one.name for one in members[:_MOST_NAMES]),
        first_at=times[0] if times else None,
        last_at=times[-1] if times else None,
    )
