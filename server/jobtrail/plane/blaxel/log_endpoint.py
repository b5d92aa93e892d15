"""Answers the Blaxel log endpoint, `GET /observability/logs`, from the output in the store.

The vendor does not document it: this is how its command line calls it and what that reads of the answer. There
`severity` is a number; the numbers are OpenTelemetry's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobtrail.plane.blaxel.list_query import read_clamped_integer, read_clamped_time, read_word_list
from jobtrail.plane.responses import RequestError
from jobtrail.store.output import OutputQuery, select_output
from jobtrail.times import format_optional_nanoseconds

if TYPE_CHECKING:
    from starlette.requests import Request

    from jobtrail.store.store import Store

_SEVERITIES = ("ALL", "FATAL", "ERROR", "WARNING", "INFO", "DEBUG", "TRACE", "UNKNOWN")
# A line says nothing of its severity, only where it was written: told apart as other platforms do that keep output.
_STREAMS = {"INFO": ("stdout", 9), "ERROR": ("stderr", 17), "UNKNOWN": ("system", 0)}
_NUMBERS = dict(_STREAMS.values())
_MOST_LINES = 1000
_FURTHEST = 2**62


def read_log_query(request: Request, workspace: str) -> tuple[list[str], OutputQuery]:
    """Read the query of a log request; `type`, `interval` and other parameters are ignored.

    Returns:
        The names of the jobs, and what to look for in each of them.

    Raises:
        RequestError: 400, and what would be right.
    """
    params = request.query_params
    if params.get("resourceType") != "jobs":
        raise RequestError(400, "resourceType must be jobs")
    named = params.get("workloadIds", "")
    if not named:
        raise RequestError(400, "workloadIds must name a job")
    severities = read_word_list(request, "severity", _SEVERITIES)
    everything = not severities or "ALL" in severities
    return list(dict.fromkeys(named.split(","))), OutputQuery(
        workspace=workspace,
        job="",
        execution=params.get("executionId", ""),
        task=params.get("taskId", ""),
        since=read_clamped_time(request, "start"),
        until=read_clamped_time(request, "end"),
        streams=tuple(
            stream
            for word, (stream, _) in _STREAMS.items()
            # No line is part of a trace.
            if (everything or word in severities) and not params.get("traceId")
        ),
        search=params.get("search", ""),
        limit=read_clamped_integer(request, "limit", _MOST_LINES, 1, _MOST_LINES),
        offset=read_clamped_integer(request, "offset", 0, 0, _FURTHEST),
    )


def select_logs(store: Store, query: OutputQuery) -> dict[str, Any]:
    """Return the lines of one job, the newest first, and how many there are."""
    if query.execution and store.find_execution(query.workspace, query.job, query.execution) is None:
        return {"logs": [], "totalCount": 0}
    rows, total = select_output(store, query)
    lines = [
        {
            "timestamp": format_optional_nanoseconds(row["at"]),
            "message": row["text"],
            "severity": _NUMBERS.get(row["stream"], 0),
            "trace_id": "",
            "task_id": row["task"],
        }
        for row in rows
    ]
    return {"logs": lines, "totalCount": total}
