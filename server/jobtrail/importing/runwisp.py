"""RunWisp's documents, in either dialect, as what they tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobtrail.importing.fields import Refused, check, refuse
from jobtrail.importing.runwisp_shapes import CAMEL, DEFINITIONS, REGISTRATIONS, RUNS
from jobtrail.plane.store import moment
from jobtrail.plane.told import ToldDefinition, ToldRun

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jobtrail.importing.runwisp_shapes import Run

__all__ = ["told_definition", "told_registration", "told_run"]

_STORED = {
    "triggeredBy": "triggered_by",
    "retryAttempt": "retry_attempt",
    "retryOfRunId": "retry_of_run_id",
    "instanceIndex": "replica_index",
    "executionId": "external_execution_id",
    "params": "params",
    "isFailure": "is_failure",
}
"""What the store's body of a run holds, and how it is spelt there."""


def told_run(document: Mapping[str, Any], log: Path | None = None) -> ToldRun:
    """Return what a run tells, in either spelling.

    Args:
        document: its fields.
        log: the file that holds its output.

    Raises:
        Refused: it is none.
    """
    spelt: dict[str, str] = {}
    fields: dict[str, Any] = {}
    for name, value in document.items():
        field = CAMEL.get(name, name)
        # Either upstream may write an optional field as an empty one.
        if value not in {None, ""} if isinstance(value, str | None) else True:
            spelt[field], fields[field] = name, value
    snake = {camel: name for name, camel in CAMEL.items()} if "task_name" in document else {}
    given = check(RUNS, fields, lambda field: spelt.get(field, snake.get(field, field)))
    created = given["createdAt"]
    if created is None:
        raise Refused(f"{spelt['createdAt']} is missing")
    _check_end(given, created, spelt)
    return ToldRun(
        id=given["id"],
        task=given["taskName"],
        status=given["status"],
        created=created,
        started=given.get("startedAt"),
        ended=given.get("endedAt"),
        end_reason=given.get("endReason"),
        # A run that has not ended has none, whatever it says.
        exit_code=given["exitCode"] if given["status"] == "ended" else 0,
        body={stored: given[field] for field, stored in _STORED.items() if field in given},
        log=log,
    )


def _check_end(given: Run, created: int, spelt: Mapping[str, str]) -> None:
    """Refuse an end that cannot be one."""
    ended, status = given.get("endedAt"), given["status"]
    if status != "ended":
        for field, value in (("endedAt", moment(ended)), ("endReason", given.get("endReason"))):
            if value is not None:
                raise refuse(spelt[field], value, f"is an end, and status says {status}; give one of them")
        return
    started = given.get("startedAt")
    if ended is None:
        return
    if started is not None and ended < started:
        raise refuse(spelt["endedAt"], moment(ended), f"lies before {spelt['startedAt']}, {moment(started)}")
    if ended < created:
        raise refuse(spelt["endedAt"], moment(ended), f"lies before {spelt['createdAt']}, {moment(created)}")


def told_definition(document: Mapping[str, Any]) -> ToldDefinition:
    """Return what the definition of a task or service tells.

    Raises:
        Refused: it is none.
    """
    given = check(DEFINITIONS, document)
    return ToldDefinition(given["name"], {**given})


def told_registration(name: Any, seen: Any) -> ToldDefinition:
    """Return what a row of a daemon's own table of tasks tells.

    Raises:
        Refused: it holds no name, or no time.
    """
    given = check(REGISTRATIONS, {"name": name, "seen": seen})
    return ToldDefinition(given["name"], None, given.get("seen"))
