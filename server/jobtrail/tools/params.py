"""The parameters that tools share, each described once."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field


def _join_words(value: Any) -> Any:
    """Take a list of words for a comma list: agents send either."""
    return ",".join(str(one) for one in cast("list[object]", value)) if isinstance(value, list) else value


_JOB, _RUN = Field(description="Job name from list_jobs."), Field(description="Run id from list_runs.")

Job = Annotated[str | None, _JOB]
NeededJob = Annotated[str, _JOB]
Execution = Annotated[
    str | None, BeforeValidator(_join_words), Field(description="Execution id from list_executions.")
]
TaskName = Annotated[str | None, Field(description="Task name; all tasks if absent.")]
Run = Annotated[str | None, BeforeValidator(_join_words), _RUN]
NeededRun = Annotated[str, BeforeValidator(_join_words), _RUN]
With = Annotated[
    str | None,
    BeforeValidator(_join_words),
    Field(alias="with", description="Id of another one to compare with."),
]
Status = Annotated[
    str | None,
    BeforeValidator(_join_words),
    Field(
        description="Comma list of failure (any), queued, running, succeeded, failed, timeout, missed, cancelled, "
        "skipped, unknown, or upstream words."
    ),
]
DeploymentStatus = Annotated[
    str | None,
    BeforeValidator(_join_words),
    Field(description="Comma list of deployed, failed, deactivated, building, …; batch jobs only."),
]
FromEnd = Annotated[bool | None, Field(description="Start at the far end of the order: the oldest first.")]
Since = Annotated[
    str | None,
    Field(description="Created since: 2h, last night, monday, ISO 8601."),
]
Until = Annotated[str | None, Field(description="At or before; dates whole.")]
Bucket = Annotated[str | None, Field(description="Width of a row: 15m, 1h, 1d, 1w; chosen to fit if absent.")]
Query = Annotated[str | None, Field(description="Text in name, id, reason or log, any case; in logs also /regex/.")]
Cause = Annotated[str | None, Field(description="Cause id from get_execution.")]
Fields = Annotated[
    str | None, BeforeValidator(_join_words), Field(description="Comma list of fields to show, such as name.")
]
By = Annotated[str | None, Field(description="cause: a row a cause, over all jobs.")]
Around = Annotated[int | None, Field(description="Line number.")]
Lines = int | None
Timeout = Annotated[float | None, Field(description="Seconds: 30, at most 45.")]
Sort = Annotated[str | None, Field(description="field:asc or field:desc.")]
Limit = Annotated[int | None, Field(description="Rows, 1 to 100; 20 if absent.")]
Cursor = Annotated[
    str | None,
    Field(description="Continues an earlier answer. Give it alone."),
]
Source = Annotated[str | None, Field(description="Found by name or id if absent.")]
