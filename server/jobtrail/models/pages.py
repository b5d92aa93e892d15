"""Pages of jobs, executions, tasks and runs, and `Coverage`: how much of the list an answer covers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobtrail.models.calls import Note
from jobtrail.models.entities import Execution, FrozenModel, Job, Run, Task, Timestamp


class Coverage(FrozenModel):
    """How much of the truth an answer covers, counted from the first page of the walk.

    `back_to` is the oldest time that a newest-first walk has reached.
    """

    scanned: int = Field(description="items read so far, over all pages of this walk")
    matched: int = Field(description="items that matched so far, over all pages of this walk")
    complete: bool = Field(description="true when nothing is left to read")
    back_to: Timestamp | None = None


class Total(FrozenModel):
    """How many there are, and how far to trust it.

    `exact` counts what was asked for; `at_least` is a floor; `unfiltered` is the upstream's count
    before the filters; `unknown` has no value.
    """

    value: int | None = None
    kind: Literal["exact", "at_least", "unfiltered", "unknown"]


class Window(FrozenModel):
    """The resolved time window, closed at both ends, and the server's own now.

    `zone` is the one that times without a zone were taken in, where there were any.
    """

    since: Timestamp | None = None
    until: Timestamp | None = None
    now: Timestamp
    zone: str | None = None

    def contains(self, moment: Timestamp | None) -> bool:
        """Return whether a time lies in the window; an unknown time does, so that its item is not hidden."""
        if moment is None:
            return True
        return (self.since is None or moment >= self.since) and (self.until is None or moment <= self.until)


class Answer(FrozenModel):
    """What every answer says of itself."""

    source: str
    sample: bool | None = None
    notes: tuple[Note, ...] | None = None


class Page(Answer):
    """What one list call returns; `cursor` is there exactly when there is more."""

    coverage: Coverage
    total: Total
    cursor: str | None = None
    window: Window | None = None
    sort: str
    filters: dict[str, str] | None = None


class JobPage(Page):
    """A page of jobs."""

    items: tuple[Job, ...]


class ExecutionPage(Page):
    """A page of executions of one job."""

    job: str
    items: tuple[Execution, ...]


class TaskPage(Page):
    """A page of tasks of one execution."""

    job: str
    execution: str
    items: tuple[Task, ...]


class RunPage(Page):
    """A page of runs, of one task or of all."""

    task: str | None = None
    items: tuple[Run, ...]
