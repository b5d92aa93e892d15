"""What agents see: frozen models, one vocabulary for every upstream.

Upstream shapes live in `sources`; nothing an upstream sends reaches an agent except through
one of these fields. Times are timezone-aware and UTC, durations are seconds, and an absent field
means that the upstream did not say.
"""

from jobtrail.models.calls import Call, NextCall, Note, Sentence, write_text
from jobtrail.models.details import (
    Awaited,
    ExecutionDetail,
    FailureGroup,
    JobDetail,
    LogLine,
    LogPage,
    LogTail,
    Record,
    RunDetail,
    Waited,
)
from jobtrail.models.pages import Coverage, ExecutionPage, JobPage, Page, RunPage, TaskPage, Total, Window
from jobtrail.models.summaries import Bucket, FailureCause, Failures, History, Period, Streak
from jobtrail.models.things import Attempt, Execution, Job, Moment, Run, Seen, Stats, Task
from jobtrail.vocabulary import ENDED, STATUSES, Status

__all__ = [
    "ENDED",
    "STATUSES",
    "Attempt",
    "Awaited",
    "Bucket",
    "Call",
    "Coverage",
    "Execution",
    "ExecutionDetail",
    "ExecutionPage",
    "FailureCause",
    "FailureGroup",
    "Failures",
    "History",
    "Job",
    "JobDetail",
    "JobPage",
    "LogLine",
    "LogPage",
    "LogTail",
    "Moment",
    "NextCall",
    "Note",
    "Page",
    "Period",
    "Record",
    "Run",
    "RunDetail",
    "RunPage",
    "Seen",
    "Sentence",
    "Stats",
    "Status",
    "Streak",
    "Task",
    "TaskPage",
    "Total",
    "Waited",
    "Window",
    "write_text",
]
