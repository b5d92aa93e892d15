"""What agents see: frozen models, one vocabulary for every upstream.

Upstream shapes live in `sources`; nothing an upstream sends reaches an agent except through
one of these fields. Times are timezone-aware and UTC, durations are seconds, and an absent field
means that the upstream did not say.
"""

from jobtrail.models.calls import Call, NextCall, Note, Sentence, write_text
from jobtrail.models.details import (
    AttemptRecord,
    Awaited,
    ExecutionDetail,
    FailureGroup,
    JobDetail,
    LogLine,
    LogPage,
    LogTail,
    RunDetail,
    SlowTask,
    Waited,
)
from jobtrail.models.entities import (
    Attempt,
    Execution,
    FrozenModel,
    Job,
    ListedExecution,
    ListedJob,
    ListedRun,
    Run,
    Task,
    Timestamp,
)
from jobtrail.models.pages import Coverage, ExecutionPage, JobPage, Page, Rows, RunPage, TaskPage, Total, Window
from jobtrail.models.summaries import (
    ActiveAttempt,
    ActivePage,
    Bucket,
    Everywhere,
    FailureCause,
    Failures,
    History,
    Period,
    Streak,
)

__all__ = [
    "ActiveAttempt",
    "ActivePage",
    "Attempt",
    "AttemptRecord",
    "Awaited",
    "Bucket",
    "Call",
    "Coverage",
    "Everywhere",
    "Execution",
    "ExecutionDetail",
    "ExecutionPage",
    "FailureCause",
    "FailureGroup",
    "Failures",
    "FrozenModel",
    "History",
    "Job",
    "JobDetail",
    "JobPage",
    "ListedExecution",
    "ListedJob",
    "ListedRun",
    "LogLine",
    "LogPage",
    "LogTail",
    "NextCall",
    "Note",
    "Page",
    "Period",
    "Rows",
    "Run",
    "RunDetail",
    "RunPage",
    "Sentence",
    "SlowTask",
    "Streak",
    "Task",
    "TaskPage",
    "Timestamp",
    "Total",
    "Waited",
    "Window",
    "write_text",
]
