"""The two executions or runs that `compare` compares: which they are, and what is read of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jobtrail.analysis.comparison import Fact, ReadTasks, list_facts, tell_count, tell_timeout
from jobtrail.analysis.task_summary import TaskTally
from jobtrail.analysis.unfinished import measure_so_far
from jobtrail.errors import BadArgument, MissingArgument
from jobtrail.models import Attempt, Call, Execution, Run, Task
from jobtrail.paging import EVERYTHING, NEWEST_FIRST, Budget, Sort, Walk, walk
from jobtrail.sources.federation import OwnedAttempt
from jobtrail.sources.list_options import ListOptions
from jobtrail.text import quote_unless_word, quote_value
from jobtrail.times import format_time
from jobtrail.tools.failure_causes import CauseReader, CausesOfOne, list_causes
from jobtrail.tools.finding import find_ids, find_newest, find_source
from jobtrail.vocabulary import is_failure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from jobtrail.models import Job, JobDetail, Note
    from jobtrail.sources.base import FullExecution, Source
    from jobtrail.tools.resumable import ServerState

_TASKS = Budget(items=10_000, seconds=12.0)
"""What is read of the tasks of each of two executions: 50 pages."""
_CAUSE_SECONDS = 8.0


@dataclass(frozen=True)
class Side:
    """One of the two, with what reading it alone tells.

    Attributes:
        full: of an execution.
    """

    one: Attempt
    full: FullExecution | None = None

    def list_facts(self, definition: JobDetail) -> dict[str, Fact]:
        """Return all that is told of it."""
        if self.full is None:
            return list_facts(self.one, {})
        more = {
            "parallelism": tell_count(self.full.parallelism),
            "timeout": tell_timeout(self.full.timeout_s),
            **{name: Fact(value, given=True) for name, value in self.full.overrides.items()},
            "revision": Fact(_find_revision(definition, self.one.created_at)),
        }
        return list_facts(self.one, more)


def _find_revision(definition: JobDetail, at: datetime | None) -> str:
    """Return the revision that was deployed last before a time; nothing where that is not told."""
    return next((name for name, deployed in definition.revisions.items() if at and deployed <= at), "")


@dataclass(frozen=True)
class Rest:
    """What was read of a side besides: its tasks, why it failed, and what of these was not read."""

    tasks: ReadTasks | None = None
    causes: CausesOfOne | None = None
    notes: Sequence[Note] = ()


@dataclass(frozen=True)
class Subject:
    """What is compared: the execution or run with this id.

    Attributes:
        detail: the definition of its job.
        now: by the clock of the source.
        newest: it, where it was found as the newest of its job.
        notes: what an agent must know of how it was found.
    """

    source: Source
    job: Job
    id: str
    detail: JobDetail
    now: datetime
    newest: Attempt | None = None
    notes: Sequence[Note] = ()

    @property
    def kind(self) -> Literal["execution", "run"]:
        """What it is called."""
        return "execution" if self.job.kind == "job" else "run"

    def call(self, tool: str, identity: str, **more: object) -> Call:
        """Return a call about one of the job's executions or runs."""
        named = {"job": self.job.name, "execution": identity} if self.kind == "execution" else {"run": identity}
        return Call(tool, {**named, **more, "source": self.source.name})

    async def read(self, identity: str, listed: Attempt | None = None) -> Side:
        """Read one of the job's executions or runs; a run that was listed is known already.

        Raises:
            UnknownName: there is none with this id.
            BadArgument: it is another job's.
        """
        if self.kind == "run":
            known = listed if isinstance(listed, Run) and listed.id == identity else None
            run = known or await self.source.need_runs().get(identity)
            if run.job != self.job.name:
                raise BadArgument(
                    f"run {quote_unless_word(identity)} is of {quote_unless_word(run.job or '')}, not of "
                    f"{quote_unless_word(self.job.name)}; compare takes two of one job"
                )
            return Side(run.model_copy(update={"so_far_s": measure_so_far(run, self.now)}))
        full = await self.source.need_batch().execution(self.job.name, identity)
        so_far = measure_so_far(full.execution, self.now)
        return Side(full.execution.model_copy(update={"so_far_s": so_far}), full)

    async def read_rest(self, side: Side) -> Rest:
        """Read an execution's tasks, and why either failed."""
        if isinstance(side.one, Execution):
            return await self._read_tasks(side.one)
        if not is_failure(side.one):
            return Rest()
        owned = OwnedAttempt(self.source.name, self.job.name, side.one)
        read = await CauseReader([self.source], {}, self.now).read([owned], _CAUSE_SECONDS)
        return Rest(causes=read.found[0] if read.found else None)

    async def _read_tasks(self, one: Execution) -> Rest:
        """Read the tasks of an execution; of too many those of two executions begin with the same names."""
        batch = self.source.need_batch()
        sort = Sort("name", descending=False) if (one.tasks or 0) > _TASKS.items else NEWEST_FIRST
        listing = batch.tasks(self.job.name, one.id, ListOptions(sort))
        how = Walk[Task](limit=EVERYTHING, budget=_TASKS, subject=f"source {self.source.name!r}")
        walked = await walk(listing, how)
        tally = TaskTally()
        for task in walked.items:
            tally.add(task)
        whole = walked.position is None and walked.whole and walked.scanned >= (one.tasks or 0)
        notes = [*walked.notes]
        if not walked.scanned and one.tasks:
            notes += filter(None, [await batch.explain_no_tasks(self.job.name, one.id)])
        causes = list_causes(one, tally.summarize()) if is_failure(one) else None
        return Rest(ReadTasks({task.name: task for task in walked.items}, whole), causes, notes)


async def find_subject(
    state: ServerState, job: str | None, execution: str | None, run: str | None, source: str | None
) -> Subject:
    """Find what is to be compared: the one that is named, or the newest of the job.

    Raises:
        BadArgument: nothing, or two things, or several.
        UnknownName: it does not exist.
    """
    if execution and run:
        raise BadArgument("compare takes execution or run, not both; name the other one in with")
    identity = (execution or run or "").strip()
    if "," in identity:
        raise BadArgument(f"compare takes one id, not {quote_value(identity)}; name the other one in with")
    if not job and not identity:
        raise MissingArgument(
            "compare needs job, execution or run",
            advice=("call ", Call("list_jobs"), " for its values"),
            argument="job",
        )
    if job:
        needs = "executions" if execution else "runs" if run else None
        found = await find_source(state.sources, source, "job", job, needs)
    else:
        found = await find_ids(state.sources, source, "execution" if execution else "run", [identity])
    chosen = found.source
    job = job or found.jobs.get(identity) or (await chosen.need_runs().get(identity)).job or ""
    detail = await chosen.job(job)
    kind = "executions" if detail.job.kind == "job" else "runs"
    if (execution and kind == "runs") or (run and kind == "executions"):
        raise BadArgument(f"job {quote_value(job)} has {kind}; give {kind[:-1]}=…, or job alone for its newest")
    newest = None if identity else await find_newest(chosen, detail.job)
    identity = newest.id if newest else identity
    notes = (*found.notes, *(detail.notes or ()))
    return Subject(chosen, detail.job, identity, detail, chosen.find_now(state.clock), newest, notes)


def describe_definition(detail: JobDetail, this: Side, base: Side | None) -> list[str]:
    """Return a note on whether the definition changed between two, as far as it tells when it last changed."""
    changed, created = detail.job.updated_at, this.one.created_at
    if changed is None or created is None or base is None or base.one.created_at is None:
        return []
    first, last = sorted((created, base.one.created_at))
    if changed <= first:
        return []
    when = "between the two" if changed <= last else "after both"
    return [
        f"the definition of the job last changed {when}, at {format_time(changed)}; get_job shows it as it is now"
    ]
