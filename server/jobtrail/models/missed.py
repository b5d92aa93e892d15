"""What should have run and did not: `Missed`, a row for each job, or for each stretch of one job's due times."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobtrail.models.calls import NextCall
from jobtrail.models.entities import FrozenModel, Timestamp
from jobtrail.models.summaries import Everywhere

Outcome = Literal["never ran", "missed", "late", "skipped", "held"]


class Overdue(FrozenModel):
    """A job that did not run as it was due; of one job alone, due times in a row that went alike.

    The counts are of due times, `first_at` and `last_at` are the first and the last of those that `state` is of.
    """

    source: str
    job: str
    state: Outcome
    due: int = Field(description="due times that were judged")
    missed: int | None = None
    told: int | None = Field(default=None, description="of these, told by the upstream")
    late: int | None = None
    late_by_s: float | None = Field(default=None, description="the most")
    skipped: int | None = None
    reason: str | None = None
    first_at: Timestamp | None = None
    last_at: Timestamp | None = None
    next_due_at: Timestamp | None = None
    schedule: str | None = None
    open: NextCall | None = None


class NextDue(FrozenModel):
    """When a job is due next."""

    source: str
    job: str
    at: Timestamp


class Missed(Everywhere):
    """What did not run as it was due, across jobs and sources; counts are over all pages so far."""

    rows = "items"

    job: str | None = None
    scheduled: int = Field(description="of the jobs, with a schedule")
    due: int = Field(description="due times that were judged")
    missed: int
    late: int
    skipped: int
    found: int = Field(description="rows in what was judged, this page's among them")
    items: tuple[Overdue, ...]
    next_due: tuple[NextDue, ...]

    @property
    def alarm(self) -> bool:
        """Whether something is missing, or whether it is cannot be known."""
        never = any(one.state == "never ran" for one in self.items)
        return bool(self.missed or self.errors) or never or self.unread or self.untold

    @property
    def unread(self) -> bool:
        """Whether a part of the window is left to later pages."""
        since, back = self.window.since, self.coverage.back_to
        return bool(self.cursor and since and back and back > since)

    @property
    def untold(self) -> bool:
        """Whether no schedule says what is due, or that of the job that was asked about cannot be judged."""
        return not self.scheduled or bool(self.job and not self.cursor and not self.coverage.complete)
