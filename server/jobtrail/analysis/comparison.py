"""Compares two executions or runs: their facts, and their tasks by name. Only what both tell is compared."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobtrail.masking.names import MASKED
from jobtrail.models import Attempt, Difference, Execution, Task, TaskDifference
from jobtrail.text import quote_unless_word
from jobtrail.times import format_duration, format_time, seconds_between
from jobtrail.vocabulary import ENDED, FAILURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobtrail.models import TaskChange

SLOWER, SLOWER_BY_S = 2.0, 10.0
"""A task is much slower that took so many times as long, and so many seconds more."""
_ALIKE, _ALIKE_S = 1.1, 1.0
"""Durations of a greater ratio differ, if by more seconds than this."""
_LARGE = 10
_SHOWN_OF_A_KIND = 5
_ORDER: tuple[TaskChange, ...] = ("failed only here", "new", "gone", "much slower")
_NUMBERED = re.compile(r"(?P<before>.*?)(?P<number>\d+)")
_HIDDEN = re.compile(rf"{re.escape(MASKED)}|…$")
"""In a value that is not shown whole: two of them may differ in the rest."""
NOT_GIVEN = "not given"


@dataclass(frozen=True)
class Fact:
    """Something that is told of an execution or run.

    Attributes:
        text: as it is shown; empty where it is not told.
        value: what it counts, or how many seconds it is; None for what is neither.
        seconds: whether it is a duration.
        given: whether not telling it means that it was not given.
    """

    text: str
    value: float | None = None
    seconds: bool = False
    given: bool = False


@dataclass(frozen=True)
class FactsCompared:
    """What of the facts differs, what is the same, and what could not be compared."""

    differences: Sequence[Difference]
    same: Mapping[str, str]
    untold: Sequence[str]


def list_facts(one: Attempt, more: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return the facts of an execution or a run, in the order in which they are shown.

    Args:
        one: the execution or run.
        more: facts that only reading it alone tells.
    """
    judged = None if isinstance(one, Execution) else one.failure
    verdict = "" if judged is None else ", a failure" if judged else ", no failure"
    raw = f" ({quote_unless_word(one.raw_status)})" if one.raw_status else ""
    so_far = None if one.so_far_s is None else f"{format_duration(one.so_far_s or None) or '0s'} so far"
    return {
        "status": Fact(f"{one.status}{raw}{verdict}"),
        "created": Fact(format_time(one.created_at)),
        **_list_own_facts(one),
        "queued": _tell_length(seconds_between(one.created_at, one.started_at)),
        "duration": Fact(so_far) if so_far else _tell_length(one.duration_s),
        **more,
    }


def _list_own_facts(one: Attempt) -> dict[str, Fact]:
    if isinstance(one, Execution):
        counts = {
            "tasks": one.tasks, "tasks succeeded": one.succeeded, "tasks failed": one.failed,
            "tasks running": one.running, "tasks cancelled": one.cancelled, "tasks retried": one.retried,
        }  # fmt: skip
        return {"trigger": Fact(""), **{name: tell_count(count) for name, count in counts.items()}}
    return {
        "exit code": Fact("" if one.exit_code is None else str(one.exit_code)),
        "trigger": Fact(one.trigger or ""),
        "attempt": tell_count(one.attempt),
        **{
            f"param {quote_unless_word(name)}": Fact(value or "(empty)", given=True)
            for name, value in (one.params or {}).items()
        },
    }


def tell_count(count: int | None) -> Fact:
    """Return a count as a fact."""
    return Fact("" if count is None else f"{count:,}", count)


def _tell_length(seconds: float | None) -> Fact:
    return Fact(format_duration(seconds), seconds, seconds=True)


def tell_timeout(seconds: float | None) -> Fact:
    """Return a limit of time as a fact: unlike what was measured, any difference counts."""
    return Fact(format_duration(seconds or None))


def compare_facts(this: Mapping[str, Fact], base: Mapping[str, Fact]) -> FactsCompared:
    """Compare what is told of two."""
    differences: list[Difference] = []
    same: dict[str, str] = {}
    untold: list[str] = []
    for name in {**this, **base}:
        one, other = this.get(name, Fact("")), base.get(name, Fact(""))
        given = one.given or other.given
        if not given and not (one.text and other.text):
            untold.append(name if one.text == other.text else f"{name} (told of one only)")
        elif one.text == other.text and _HIDDEN.search(one.text):
            untold.append(f"{name} (a part of it is masked or cut)")
        elif _is_alike(one, other):
            if name != "created":
                same[name] = one.text if one.text == other.text else f"{one.text}/{other.text}"
        else:
            pair = (fact.text or NOT_GIVEN for fact in (one, other))
            differences.append(
                Difference(what=name, this=next(pair), base=next(pair), change=_write_change(one, other))
            )
    return FactsCompared(differences, same, untold)


def _is_alike(one: Fact, other: Fact) -> bool:
    if one.text == other.text:
        return True
    if not (one.seconds and one.value and other.value):
        return False
    longer, shorter = max(one.value, other.value), min(one.value, other.value)
    return longer / shorter < _ALIKE or longer - shorter < _ALIKE_S


def _write_change(one: Fact, other: Fact) -> str | None:
    if one.value is None or other.value is None:
        return None
    if not one.seconds:
        return f"{one.value - other.value:+,.0f}"
    if not (one.value and other.value):
        return None
    ratio = one.value / other.value
    return f"×{ratio:,.0f}" if ratio >= _LARGE else f"×{ratio:.2g}"


@dataclass(frozen=True)
class ReadTasks:
    """The tasks of an execution, as far as they were read.

    Attributes:
        by_name: of several of one name the last.
        whole: whether there are no others.
    """

    by_name: Mapping[str, Task] = field(default_factory=dict[str, Task])
    whole: bool = True


@dataclass(frozen=True)
class TasksCompared:
    """What differs between the tasks of two executions.

    Attributes:
        compared: how many are in both, as far as both were read.
        counts: how many failed only here, are new, gone, much slower, and what failed in both or there only.
        shown: some of each kind.
        notes: what an agent must know of how they were matched.
    """

    compared: int
    counts: dict[str, int]
    shown: Sequence[TaskDifference]
    notes: Sequence[str]


def compare_tasks(this: ReadTasks, base: ReadTasks) -> TasksCompared:
    """Compare the tasks of two executions, by name; what only one of them has is told where the other is whole."""
    ours, theirs, notes = _match_names(this.by_name, base.by_name)
    found: dict[TaskChange, list[tuple[Task | None, Task | None]]] = {kind: [] for kind in _ORDER}
    counts: Counter[str] = Counter()
    for key in dict.fromkeys([*ours, *theirs]):
        one, other = ours.get(key), theirs.get(key)
        counts += _count_failed(one, other)
        if (one is None and not this.whole) or (other is None and not base.whole):
            counts["not in what was read of the other"] += 1
        elif change := _find_change(one, other):
            found[change].append((one, other))
    told = {**{kind: len(pairs) for kind, pairs in found.items() if pairs}, **+counts}
    shown = [_describe_task(kind, *pair) for kind in _ORDER for pair in _choose(found[kind], kind)]
    return TasksCompared(len(ours.keys() & theirs.keys()), told, shown, notes if told else [])


def _match_names(
    ours: Mapping[str, Task], theirs: Mapping[str, Task]
) -> tuple[Mapping[str, Task], Mapping[str, Task], list[str]]:
    """Return tasks by what they are matched by: their names, or if no name is in both, the number at its end."""
    names = {*ours, *theirs}
    if ours and theirs and not ours.keys() & theirs.keys():
        one, other = _number(ours), _number(theirs)
        if one and other:
            return one, other, ["no task's name is in both: they are matched by the number that a name ends in"]
    found = [_NUMBERED.fullmatch(name) for name in names]
    if len(names) > 1 and all(found) and len({match["before"] for match in found if match}) == 1:
        return (
            ours,
            theirs,
            ["tasks' names only count them: the same name is the same place, not surely the same work"],
        )
    return ours, theirs, []


def _number(tasks: Mapping[str, Task]) -> dict[str, Task] | None:
    """Return tasks by the number that their names end in; None if not all have one of their own."""
    found = {match["number"]: task for name, task in tasks.items() if (match := _NUMBERED.fullmatch(name))}
    return found if len(found) == len(tasks) else None


def _count_failed(one: Task | None, other: Task | None) -> Counter[str]:
    if other is None or other.status not in FAILURES or one is None:
        return Counter()
    return Counter(["failed in both" if one.status in FAILURES else "failed there only"])


def _find_change(one: Task | None, other: Task | None) -> TaskChange | None:
    if one is None or other is None:
        return "gone" if one is None else "new"
    if one.status in FAILURES:
        return None if other.status in FAILURES else "failed only here"
    if {one.status, other.status} - ENDED or not one.duration_s or not other.duration_s:
        return None
    slow = one.duration_s >= other.duration_s * SLOWER and one.duration_s - other.duration_s >= SLOWER_BY_S
    return "much slower" if slow else None


def _describe_task(change: TaskChange, one: Task | None, other: Task | None) -> TaskDifference:
    return TaskDifference(
        name=(one or other or Task(name="", status="unknown")).name,
        change=change,
        this=_write_end(one),
        base=_write_end(other),
    )


def _write_end(task: Task | None) -> str | None:
    return f"{task.status} {format_duration(task.duration_s)}".rstrip() if task else None


def _choose(
    pairs: Sequence[tuple[Task | None, Task | None]], kind: TaskChange
) -> Sequence[tuple[Task | None, Task | None]]:
    """Return a few tasks of a kind: those that failed first, the slowest by how much longer they took."""

    def rank(pair: tuple[Task | None, Task | None]) -> float:
        one, other = pair
        if kind == "much slower" and one and other:
            return (other.duration_s or 0) - (one.duration_s or 0)
        return one is None or one.status not in FAILURES

    return sorted(pairs, key=rank)[:_SHOWN_OF_A_KIND]
