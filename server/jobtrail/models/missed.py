"""What should have run and did not: `Missed`, a row for each job, or for each stretch of one job's due times."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobtrail.models.calls import NextCall, Note
from jobtrail.models.entities import FrozenModel, Timestamp
from jobtrail.models.pages import Coverage, Rows, Window

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


class Missed(Rows):
    """What did not run as it was due, across jobs and sources; `errors` names what could not be read."""

    rows = "items"

    sources: tuple[str, ...]
    sample: tuple[str, ...] | None = Field(default=None, description="sources that show sample data")
    job: str | None = None
    jobs: int = Field(description="jobs and tasks asked")
    scheduled: int = Field(description="of these, with a schedule")
    due: int = Field(description="due times that were judged")
    missed: int
    late: int
    skipped: int
    found: int = Field(description="rows in what was judged, this page's among them")
    items: tuple[Overdue, ...]
    next_due: tuple[NextDue, ...]
    errors: dict[str, Note] | None = None
    coverage: Coverage
    cursor: str | None = None
    window: Window
    notes: tuple[Note, ...] | None = None

    @property
    def alarm(self) -> bool:
        """Whether something is missing, or whether it is cannot be known."""
        return bool(self.missed or self.errors) or any(one.state == "never ran" for one in self.items)
