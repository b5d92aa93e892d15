"""From one state to another: the events that lead from what the store has to what was told."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jobtrail.plane.store import Event, stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jobtrail.plane.store import Kind, Row
    from jobtrail.plane.told import ToldExecution, ToldRun, ToldTask

__all__ = [
    "ENDED",
    "STATS",
    "Here",
    "State",
    "execution_events",
    "execution_state",
    "here",
    "run_events",
    "run_state",
]

STATS = ("total", "success", "failure", "running", "cancelled", "retried")


@dataclass(frozen=True, slots=True)
class State:
    """A state of an execution, task or run.

    Attributes:
        updated: None where it was not told, which is then as it comes.
        more: the other columns that an event of a status can set, by the keys of its body.
    """

    status: str
    created: int
    started: int | None
    ended: int | None
    updated: int | None
    more: Mapping[str, Any]

    def like(self, told: State) -> bool:
        """Return whether it is all that was told."""
        updated = told.updated is None or told.updated == self.updated
        return updated and self.but_updated == told.but_updated

    @property
    def but_updated(self) -> tuple[Any, ...]:
        """Everything but when it was last changed."""
        return (self.status, self.created, self.started, self.ended, self.more)

    @property
    def last(self) -> int:
        """The last moment known of it."""
        return self.updated if self.updated is not None else max(self.created, self.started or 0, self.ended or 0)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the triggers of schema.sql make of a status.

    Attributes:
        ended: the words of what has ended.
        reset: columns that a status sets back where its event does not give them.
    """

    kind: Kind
    ended: frozenset[str]
    reset: Mapping[str, Any]

    def after(self, have: State, at: int, status: str) -> State:
        """Return the state that follows from a status alone."""
        started = at if status == "running" and have.started is None else have.started
        ended = at if status in self.ended else None
        return State(status, have.created, started, ended, at, {**have.more, **self.reset})

    def event(self, name: str, parent: str, have: State, told: State) -> Event:
        """Return the event that leads to what was told; its body says what does not follow from the status."""
        follows = self.after(have, told.last, told.status)
        body: dict[str, Any] = {
            key: wanted
            for key, made, wanted in (
                ("created_at", follows.created, told.created),
                ("started_at", follows.started, told.started),
                ("ended_at", follows.ended, told.ended),
            )
            if made != wanted
        }
        body |= {key: value for key, value in told.more.items() if follows.more[key] != value}
        # As everything else records conditions.
        conditions_alone = body.keys() == {"conditions"}
        return Event(
            self.kind, told.last, name, parent, told.status, body["conditions"] if conditions_alone else body or None
        )


ENDED = frozenset({"succeeded", "failed", "cancelled", "timeout", "ended"})
"""Words of what has ended, whatever it is."""
_EXECUTION = _Rules("execution.status", frozenset({"succeeded", "failed", "cancelled", "timeout"}), {})
_TASK = _Rules("task.status", frozenset({"succeeded", "failed", "cancelled"}), {})
_RUN = _Rules("run.status", frozenset({"ended"}), {"end_reason": None, "exit_code": 0})


@dataclass(frozen=True, slots=True)
class Here:
    """What the store has of an execution.

    Attributes:
        tasks: by their names.
        stats: its counts.
        listed: how many tasks it lists.
    """

    state: State
    tasks: Mapping[str, State]
    stats: Mapping[str, int]
    listed: int


def here(row: Row, tasks: Iterable[Row]) -> Here:
    """Return what the store has of an execution."""
    state = _state(row, {"spec": _loaded(row["body"], {}), "metadata": _loaded(row["metadata"], {})})
    stats = {name: row[name] for name in STATS}
    return Here(state, {task["name"]: _task_here(task) for task in tasks}, stats, row["tasks"])


def _task_here(row: Row) -> State:
    more = {
        "spec": _loaded(row["spec"], {}),
        "conditions": _loaded(row["conditions"], []),
        "metadata": _loaded(row["metadata"], {}),
    }
    return _state(row, more)


def _state(row: Row, more: Mapping[str, Any]) -> State:
    return State(row["status"], row["created_at"], row["started_at"], row["ended_at"], row["updated_at"], more)


def _loaded(text: str | None, default: Any) -> Any:
    return json.loads(text) if text else default


def execution_state(told: ToldExecution) -> State:
    """Return the state that was told of an execution."""
    more = {"spec": told.spec, "metadata": told.metadata}
    return State(told.status, told.created, told.started, told.ended, told.updated, more)


def execution_events(told: ToldExecution, found: Here | None) -> Iterator[Event]:
    """Yield the events that lead to an execution as it was told, its tasks in their order; none where it is so."""
    wanted = execution_state(told)
    if found is None:
        have = State("queued", told.created, None, None, told.created, {"spec": told.spec, "metadata": {}})
        yield Event("execution.created", told.created, told.id, told.job, have.status, told.spec)
    else:
        have = found.state
    if have.started is None and told.started is not None:
        have = _EXECUTION.after(have, told.started, "running")
        yield Event("execution.status", told.started, told.id, told.job, "running")
    last = None
    for event in _inside(told, found):
        last = event.at
        yield event
    if last is not None:
        # Whatever happens to its tasks or counts changes the execution.
        have = replace(have, updated=stamp(last))
    wanted = execution_state(told)
    if not have.like(wanted):
        yield _EXECUTION.event(told.id, told.job, have, wanted)


def _inside(told: ToldExecution, found: Here | None) -> Iterator[Event]:
    """Yield the events of an execution's tasks and counts."""
    changed = False
    for task in told.tasks:
        for event in _task_events(task, told.id, found.tasks.get(task.name) if found else None):
            changed = True
            yield event
    stats = _stats(told, found, changed=changed)
    if stats:
        yield Event("execution.stats", execution_state(told).last, told.id, told.job, None, stats)


def _stats(told: ToldExecution, found: Here | None, *, changed: bool) -> Mapping[str, int]:
    """Return the counts that do not follow from the tasks."""
    if found is None:
        follows: Mapping[str, int] = {**counted(told.tasks), "retried": 0}
    elif not changed:
        follows = found.stats
    elif told.stats:
        follows = {}
    else:
        # Counts that were told once stood for tasks that were not listed, and now are.
        return counted(told.tasks) if found.stats["total"] != found.listed else {}
    return {name: count for name, count in told.stats.items() if follows.get(name) != count}


def counted(tasks: Sequence[ToldTask]) -> dict[str, int]:
    """Return the counts of tasks as the documents have them, but for retries, of which their list says nothing."""
    words = {"success": "succeeded", "failure": "failed", "running": "running", "cancelled": "cancelled"}
    statuses = [task.status for task in tasks]
    return {"total": len(tasks), **{name: statuses.count(word) for name, word in words.items()}}


def _task_events(told: ToldTask, execution: str, have: State | None) -> Iterator[Event]:
    more = {"spec": told.spec, "conditions": told.conditions, "metadata": told.metadata}
    wanted = State(told.status, told.created, told.started, told.ended, told.updated, more)
    if have is None:
        state = _given(
            started_at=told.started,
            ended_at=told.ended,
            updated_at=wanted.last if wanted.last != told.created else None,
            conditions=told.conditions or None,
            metadata=told.metadata or None,
        )
        body = {**told.spec, "told": state} if state else told.spec
        yield Event("task.scheduled", told.created, told.name, execution, told.status, body)
    elif not have.like(wanted):
        yield _TASK.event(told.name, execution, have, wanted)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def run_state(row: Row) -> State:
    """Return what the store has of a run."""
    more = {"run": json.loads(row["body"]), "end_reason": row["end_reason"], "exit_code": row["exit_code"]}
    return State(row["status"], row["created_at"], row["started_at"], row["ended_at"], None, more)


def run_events(told: ToldRun, have: State | None) -> Iterator[Event]:
    """Yield the events that lead to a run as it was told; none where it is so."""
    if have is None:
        state = _given(started_at=told.started, ended_at=told.ended, end_reason=told.end_reason)
        if told.exit_code:
            state["exit_code"] = told.exit_code
        body = {**told.body, "told": state} if state else told.body
        yield Event("run.created", told.created, told.id, told.task, told.status, body)
        return
    known = have.more["run"]
    # The dialects differ in what they tell, and in two words.
    trigger = _kept(known.get("triggered_by"), told.body.get("triggered_by"))
    more = {
        "run": {**known, **told.body, "triggered_by": trigger},
        "end_reason": _kept(have.more["end_reason"], told.end_reason),
        "exit_code": told.exit_code,
    }
    wanted = State(told.status, told.created, told.started, told.ended, None, more)
    if not have.like(wanted):
        yield _RUN.event(told.id, told.task, have, wanted)


_IN_1 = {"success": "succeeded", "cloud": "station"}
"""Words of the seed document that 1.0.1 has others for."""


def _kept(known: str | None, told: str | None) -> str | None:
    """Return a word that was told, or the one that is known where they are the same in two dialects."""
    if known and told and _IN_1.get(known, known) == _IN_1.get(told, told):
        return known
    return told
