"""Blaxel's documents as what they tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from jobtrail.importing.blaxel_shapes import EXECUTIONS, JOBS
from jobtrail.importing.fields import Refused, check, refuse
from jobtrail.plane.store import moment
from jobtrail.plane.told import ToldExecution, ToldJob, ToldTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobtrail.importing.blaxel_shapes import Execution, Task

__all__ = ["told_execution", "told_job"]

_OPEN = {"queued", "pending", "running", "cancelling", "reconciling"}
"""Words of what cannot have ended; `unspecified` says neither."""


def told_execution(document: Mapping[str, Any]) -> ToldExecution:
    """Return what a JobExecution tells.

    Raises:
        Refused: it is none.
    """
    given = check(EXECUTIONS, document)
    metadata = given["metadata"]
    created = metadata["createdAt"]
    if created is None:
        raise Refused("metadata.createdAt is missing")
    _check_times("", given, created)
    further = {"deletedAt": moment(metadata.get("deletedAt")), "expiredAt": moment(metadata.get("expiredAt"))}
    return ToldExecution(
        id=metadata["id"],
        job=metadata["job"],
        status=given["status"],
        created=created,
        started=metadata.get("startedAt"),
        ended=metadata.get("completedAt"),
        updated=metadata.get("updatedAt"),
        spec=given["spec"],
        metadata={
            **({"cluster": metadata["cluster"]} if "cluster" in metadata else {}),
            **{name: value for name, value in further.items() if value is not None},
        },
        stats=cast("dict[str, int]", given.get("stats", {})),
        tasks=_tasks(given.get("tasks", []), created),
    )


def _tasks(given: list[Task], created: int) -> list[ToldTask]:
    places: dict[str, int] = {}
    for place, task in enumerate(given):
        name = task["metadata"]["name"]
        if name in places:
            raise refuse(f"tasks[{place}].metadata.name", name, f"is that of tasks[{places[name]}] too; names differ")
        places[name] = place
    return [_task(place, task, created) for place, task in enumerate(given)]


def _task(place: int, given: Task, created: int) -> ToldTask:
    metadata = given["metadata"]
    scheduled, started = metadata.get("scheduledAt"), metadata.get("startedAt")
    # A task of which that is not told was created with its execution, as far as anyone knows.
    made = metadata.get("createdAt") or scheduled or started or created
    _check_times(f"tasks[{place}].", given, metadata.get("createdAt"))
    return ToldTask(
        name=metadata["name"],
        status=given["status"],
        created=made,
        started=started,
        ended=metadata.get("completedAt"),
        updated=metadata.get("updatedAt"),
        spec=given.get("spec", {}),
        conditions=given.get("conditions", []),
        metadata={"scheduledAt": moment(scheduled)} if scheduled and scheduled != made else {},
    )


def _check_times(where: str, given: Execution | Task, created: int | None) -> None:
    """Refuse an end that cannot be one."""
    metadata = given["metadata"]
    ended = metadata.get("completedAt")
    if ended is None:
        return
    field = f"{where}metadata.completedAt"
    if given["status"] in _OPEN:
        raise refuse(field, moment(ended), f"is an end, and status says {given['status']}; give one of them")
    started = metadata.get("startedAt")
    if started is not None and ended < started:
        raise refuse(field, moment(ended), f"lies before startedAt, {moment(started)}")
    if created is not None and ended < created:
        raise refuse(field, moment(ended), f"lies before createdAt, {moment(created)}")


def told_job(document: Mapping[str, Any]) -> ToldJob:
    """Return what a Job tells.

    Raises:
        Refused: it is none.
    """
    given = check(JOBS, document)
    metadata = given["metadata"]
    return ToldJob(
        name=metadata["name"],
        created=metadata.get("createdAt"),
        updated=metadata.get("updatedAt"),
        status=given.get("status"),
        metadata={key: value for key, value in metadata.items() if key not in {"name", "createdAt", "updatedAt"}},
        spec=given["spec"],
        events=given.get("events", []),
    )
