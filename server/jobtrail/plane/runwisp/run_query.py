"""Reads and checks the query parameters of requests to the RunWisp API.

An empty parameter counts as left out. A value that is not of its parameter's documented kind is refused with 422, and
the refusal says which one and why, as RunWisp does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobtrail.plane.responses import RequestError
from jobtrail.plane.runwisp.serializers import translate_legacy_status
from jobtrail.store.runs import RunQuery
from jobtrail.times import parse_nanoseconds

if TYPE_CHECKING:
    from starlette.requests import Request

    from jobtrail.store.runs import RunSort

_SORTS: dict[str, RunSort] = {
    "createdAt": "created_at",
    "taskName": "task_name",
    "status": "status",
    "startedAt": "start_at",
    "exitCode": "exit_code",
    "duration": "duration",
}
_LEGACY_SORTS: dict[str, RunSort] = {name: name for name in _SORTS.values()}
_TASK_NAME = "[a-zA-Z0-9._-]{1,100}"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
_LARGEST = 2**63 - 1
"""What the store can hold."""


def read_task_name(request: Request) -> str:
    """Read the task's name out of the path, as the legacy dialect has it.

    Raises:
        RequestError: 422.
    """
    name: str = request.path_params["taskName"]
    if not re.fullmatch(_TASK_NAME, name):
        raise _build_error("path.taskName", name, f"expected string to match pattern ^{_TASK_NAME}$")
    return name


def read_legacy_query(request: Request, task: str) -> RunQuery:
    """Read a page of a task's runs as the legacy dialect has it: limit, offset, status, sort, search.

    Raises:
        RequestError: 422.
    """
    return RunQuery(
        task=task,
        sort=_LEGACY_SORTS[_read_choice(request, "sort_field", *_LEGACY_SORTS)],
        descending=_read_choice(request, "sort_direction", "desc", "asc") == "desc",
        limit=read_integer(request, "limit", 50, least=1, most=1000),
        offset=read_integer(request, "offset", 0, least=0),
        statuses=translate_legacy_status(_read_text(request, "status")),
        search=_read_text(request, "search"),
    )


def read_runs_query(request: Request) -> RunQuery:
    """Read a page of runs as 1.0.1 has it: limit, offset, filters, sort, search.

    Raises:
        RequestError: 422.
    """
    return RunQuery(
        task=_read_text(request, "taskName"),
        sort=_SORTS[_read_choice(request, "sortField", *_SORTS)],
        descending=_read_choice(request, "sortDirection", "desc", "asc") == "desc",
        limit=read_integer(request, "limit", 50, least=1, most=1000),
        offset=read_integer(request, "offset", 0, least=0),
        statuses={word for word in _read_text(request, "status").split(",") if word},
        failures=_read_choice(request, "isFailure", "false", "true") == "true",
        since=_read_time(request, "createdAfter"),
        until=_read_time(request, "createdBefore"),
        search=_read_text(request, "search"),
    )


def read_integer(
    request: Request, name: str, default: int, *, least: int = -_LARGEST - 1, most: int = _LARGEST
) -> int:
    """Read a whole number.

    Raises:
        RequestError: 422, none, or out of bounds.
    """
    text = _read_text(request, name)
    if not text:
        return default
    if not re.fullmatch("-?[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise _build_error(f"query.{name}", text, f"expected a whole number from {least} to {most}")
    return int(text)


def _read_text(request: Request, name: str) -> str:
    return request.query_params.get(name, "")


def _read_choice(request: Request, name: str, *known: str) -> str:
    """Read a parameter that must be one of `known`; the first of them is the default.

    Raises:
        RequestError: 422, another word.
    """
    text = _read_text(request, name) or known[0]
    if text not in known:
        raise _build_error(f"query.{name}", text, f"expected value to be one of {', '.join(known)}")
    return text


def _read_time(request: Request, name: str) -> int | None:
    """Return a time in nanoseconds since 1970; one that is further off than the store can hold is moved nearer.

    Raises:
        RequestError: 422, no time in RFC 3339.
    """
    text = _read_text(request, name)
    if not text:
        return None
    try:
        nanoseconds = parse_nanoseconds(text) if re.fullmatch(_TIME, text) else None
    except ValueError:
        nanoseconds = None
    if nanoseconds is None:
        raise _build_error(f"query.{name}", text, "expected a time in RFC 3339")
    return max(-_LARGEST, min(nanoseconds, _LARGEST))


def _build_error(location: str, value: str, message: str) -> RequestError:
    error = {"message": message, "location": location, "value": value}
    return RequestError(422, "validation failed", word="Unprocessable Entity", errors=[error])
