"""Lists every tool that an agent can call, in the order in which clients see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobtrail.models import (
    ActivePage,
    Comparison,
    ExecutionDetail,
    ExecutionPage,
    Failures,
    History,
    JobDetail,
    JobPage,
    JobsHistory,
    LogPage,
    Missed,
    RunDetail,
    RunPage,
    TaskPage,
    Waited,
)
from jobtrail.tools.active import list_active
from jobtrail.tools.comparing import compare
from jobtrail.tools.executions import get_execution, list_executions, list_tasks
from jobtrail.tools.failures import find_failures
from jobtrail.tools.jobs import get_job, list_jobs
from jobtrail.tools.logs import read_log
from jobtrail.tools.missed import find_missed
from jobtrail.tools.resumable import ServerState
from jobtrail.tools.runs import get_run, list_runs
from jobtrail.tools.trends import history
from jobtrail.tools.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel

__all__ = ["TOOLS", "ServerState", "ToolSpec"]


@dataclass(frozen=True)
class ToolSpec:
    """One tool.

    Attributes:
        fn: the function, whose docstring is the description.
        title: what people see.
        answer: what it answers.
        board: whether hosts that can show the board show it beside the answer.
        other: what it answers to other arguments.
    """

    fn: Callable[..., Awaitable[BaseModel]]
    title: str
    answer: type[BaseModel]
    board: bool = False
    other: type[BaseModel] | None = None


TOOLS = (
    ToolSpec(list_jobs, "List jobs", JobPage),
    ToolSpec(get_job, "Get job", JobDetail),
    ToolSpec(list_executions, "List executions", ExecutionPage),
    ToolSpec(get_execution, "Explain execution", ExecutionDetail, board=True),
    ToolSpec(list_tasks, "List tasks of an execution", TaskPage),
    ToolSpec(list_runs, "List runs", RunPage),
    ToolSpec(get_run, "Get run", RunDetail),
    ToolSpec(find_failures, "Find failures", Failures),
    ToolSpec(list_active, "List what is going on", ActivePage),
    ToolSpec(find_missed, "Find missed starts", Missed),
    ToolSpec(history, "History of a job, or of all", History, board=True, other=JobsHistory),
    ToolSpec(compare, "Compare with the last good one", Comparison),
    ToolSpec(read_log, "Read log", LogPage),
    ToolSpec(wait_for, "Wait until ended", Waited),
)
