"""Reads executions, and keeps those that have ended with what their tasks came to: a few kilobytes each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from jobtrail.sources.blaxel.response_models import WireExecution
from jobtrail.sources.blaxel.task_reading import summarize_sent
from jobtrail.sources.cache import BoundedCache
from jobtrail.sources.responses import check_told, parse_fields
from jobtrail.vocabulary import ENDED

if TYPE_CHECKING:
    from jobtrail.analysis.task_summary import TaskSummary
    from jobtrail.sources.base import FullExecution
    from jobtrail.sources.http import Http

MOST, MOST_BYTES = 1_000, 8 * 1024 * 1024
"""Executions that a source keeps, and what they take as text."""
_SETTLES = timedelta(minutes=1)
"""What is counted late is counted by then; no document says how late that can be."""


@dataclass(frozen=True)
class _Held:
    full: FullExecution
    tag: str


class EndedExecutions:
    """The executions of one API: those that have ended and settled are asked for once.

    Where the API keeps nothing by itself (`Http.cache` is None), one that is held is still asked for each time, with
    the `ETag` it came with, so that a prune or an import shows at once.
    """

    def __init__(self, http: Http) -> None:
        self._http = http
        self._held = BoundedCache[tuple[str, str], _Held](MOST, MOST_BYTES)

    def __len__(self) -> int:
        return len(self._held)

    @property
    def used(self) -> int:
        """Characters of what it keeps, as text."""
        return self._held.used

    async def read(self, job: str, execution: str, path: str) -> FullExecution:
        """Return an execution.

        Args:
            job: its job.
            execution: its id.
            path: of its endpoint.

        Raises:
            UpstreamError: in one of its forms.
        """
        held = self._held.get((job, execution))
        if held is not None and self._http.cache is not None:
            return held.full
        answer = await self._http.get_unless(path, held.tag if held else "")
        if answer is None and held is not None:
            return held.full
        wire = parse_fields(WireExecution, answer and answer.body, self._http.subject)
        check_told("execution", execution, wire.metadata.id, self._http.subject)
        check_told("an execution of job", job, wire.metadata.job, self._http.subject)
        full = wire.to_full_execution(job, summarize_sent(wire.to_execution(job), wire.tasks, self._http.subject))
        self._keep(job, execution, _Held(full, answer.tag if answer else ""))
        return full

    def add_tasks(self, job: str, execution: str, tasks: TaskSummary) -> None:
        """Add what the tasks came to, which were read since; the execution is forgotten if one has not ended."""
        held = self._held.get((job, execution))
        if held is not None and not tasks.cut_short:
            self._keep(job, execution, replace(held, full=replace(held.full, tasks=tasks)))

    def holds(self, job: str, execution: str) -> bool:
        """Return whether an execution is held, so that its pages of tasks do not change any more."""
        return self._held.get((job, execution)) is not None

    def _keep(self, job: str, execution: str, one: _Held) -> None:
        if self._is_final(one):
            self._held.keep((job, execution), one, len(repr(one)))
        else:
            self._held.drop((job, execution))

    def _is_final(self, one: _Held) -> bool:
        """Return whether what is known of an execution does not change any more, or shows it by its tag."""
        if not _has_ended(one.full):
            return False
        if self._http.cache is None:
            return bool(one.tag)
        ended = one.full.execution.ended_at
        return ended is not None and self._http.now() - ended >= _SETTLES


def _has_ended(full: FullExecution) -> bool:
    """Return whether an execution has ended, and with it every task that was read or counted."""
    one = full.execution
    if one.status not in ENDED or one.running or (full.tasks is not None and full.tasks.unfinished):
        return False
    return one.tasks is None or sum((one.succeeded or 0, one.failed or 0, one.cancelled or 0)) >= one.tasks
