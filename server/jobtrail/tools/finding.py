"""Finds the source that has a name or an id: where none is given, every one that may have it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

import anyio

from jobtrail.errors import AgentError, BadArgument, JobtrailError, MissingArgument, UnknownName, Unreachable
from jobtrail.models import Attempt, Call, Execution, Run
from jobtrail.paging import AT_ONCE, NEWEST_FIRST, Walk, run_concurrently, walk
from jobtrail.sources.base import NOT_DEFINED
from jobtrail.sources.list_options import ListOptions
from jobtrail.text import find_closest, quote_value, sanitize_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from jobtrail.models import Job, Note
    from jobtrail.sources import Sources
    from jobtrail.sources.base import Source

Need = Literal["executions", "runs"]

_SECONDS = 10.0
_SECONDS_FOR_EXECUTIONS = 25.0
"""A source asks one job after the other for an execution."""
_MISSES = UnknownName, BadArgument
"""Answers of a source that has not what was asked for: a name or an id may be none that it could have."""


@dataclass(frozen=True)
class Found:
    """Where something was found.

    Attributes:
        source: the one to ask.
        jobs: of executions that were looked for, by their ids.
        notes: which sources could not be asked whether they have it too.
    """

    source: Source
    jobs: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: Sequence[Note] = ()


async def find_source(
    sources: Sources, given: str | None, argument: str, name: str | None, needs: Need | None = None
) -> Found:
    """Return the source to ask for a job: the one given, else the one that has it.

    Args:
        sources: the configured ones.
        given: the name of a source.
        argument: the name of the argument that names the job.
        name: of the job; None for the default source.
        needs: what the job must have.

    Raises:
        AgentError: none has it, or several.
        UpstreamError: none has it of those that could be asked.
    """
    if given or not name or len(sources.names) == 1:
        return Found(sources.get(given, needs=needs))
    able = _list_able(sources, needs)
    if len(able) == 1 and await _may_have(able[0], name):
        # It alone can have it, so what it answers, or why it does not, is the answer.
        return Found(able[0])
    every = sources.all()
    told = await run_concurrently({one.name: partial(one.job, name) for one in every}, seconds=_SECONDS)
    kinds = {name: one.job.kind for name, one in told.items() if not isinstance(one, JobtrailError)}
    fitting = {name for name, kind in kinds.items() if needs is None or (kind == "job") == (needs == "executions")}
    answers = {one.name: told.get(one.name) for one in every}
    owner = _choose_owner(argument, [name], fitting or {*kinds}, answers)
    return Found(sources.get(owner), notes=_write_unasked({one.name: answers[one.name] for one in able}))


async def find_ids(
    sources: Sources, given: str | None, argument: Literal["run", "execution"], ids: Sequence[str]
) -> Found:
    """Return the source to ask for runs or executions: the one given, else the one that has them.

    Where only one source has such ids it is not asked for a run, and what it answers then is the answer.

    Args:
        sources: the configured ones.
        given: the name of a source.
        argument: the name of the argument that has the ids.
        ids: at least one; those that nobody has are no error, as long as one is found.

    Raises:
        AgentError: no source has any of them, or several do.
        UpstreamError: none has any of them of those that could be asked.
    """
    needs: Need = "runs" if argument == "run" else "executions"
    able = [sources.get(given, needs=needs)] if given else _list_able(sources, needs)
    if len(able) <= 1:
        one = able[0] if able else sources.get(None, needs=needs)
        return Found(one, {} if argument == "run" else await _find_those(one, argument, ids))
    seconds = _SECONDS if argument == "run" else _SECONDS_FOR_EXECUTIONS
    told = await run_concurrently(
        {one.name: partial(_find_those, one, argument, ids) for one in able}, seconds=seconds
    )
    found = {name: one for name, one in told.items() if not isinstance(one, JobtrailError)}
    answers = {one.name: told.get(one.name) for one in able}
    owner = _choose_owner(argument, ids, {*found}, answers)
    return Found(sources.get(owner), found[owner], _write_unasked(answers))


async def find_execution(
    sources: Sources, given: str | None, tool: str, job: str | None, execution: str | None
) -> tuple[Found, str, str]:
    """Return where an execution is, its job and its id: of a job alone its newest.

    Args:
        sources: the configured ones.
        given: the name of a source.
        tool: that was called.
        job: its job; the id alone is looked for in every job.
        execution: its id.

    Raises:
        AgentError: there is none, or nothing was named.
        UpstreamError: there is none in what could be asked.
    """
    name, identity = (job or "").strip(), (execution or "").strip()
    if name:
        found = await find_source(sources, given, "job", name, "executions")
        return found, name, identity or await _find_newest_execution(found.source, name)
    if identity:
        found = await find_ids(sources, given, "execution", [identity])
        return found, found.jobs[identity], identity
    raise MissingArgument(f"{tool} needs job or execution", advice=("call ", Call("list_jobs"), " for what there is"))


async def _find_newest_execution(source: Source, job: str) -> str:
    batch = source.need_batch()
    how = Walk[Execution](limit=1, subject=f"source {source.name!r}")
    walked = await walk(batch.executions(job, ListOptions(sort=NEWEST_FIRST)), how)
    await check_parent(partial(batch.check_job, job), walked.scanned)
    if not walked.items:
        raise _explain_never_ran(job, "execution")
    return walked.items[0].id


async def find_newest(source: Source, job: Job) -> Attempt:
    """Return the newest execution of a batch job, or the newest run of a scheduled task.

    Raises:
        UnknownName: the job has not run.
    """
    listing = await source.attempts(job, ListOptions(sort=NEWEST_FIRST))
    walked = await walk(listing, Walk[Attempt](limit=1, subject=f"source {source.name!r}"))
    if not walked.items:
        raise _explain_never_ran(job.name, "execution" if job.kind == "job" else "run")
    return walked.items[0]


def _explain_never_ran(job: str, noun: str) -> UnknownName:
    schedule = Call("get_job", {"job": sanitize_text(job, 80)})
    return UnknownName(f"job {quote_value(job)} has no {noun} yet; ", schedule, " shows its schedule")


async def _find_those(source: Source, argument: str, ids: Sequence[str]) -> dict[str, str]:
    """Return the jobs of those runs or executions that a source has, by id.

    Raises:
        JobtrailError: it has none of them, or could not be asked.
    """
    if argument == "run":
        lane, read = anyio.CapacityLimiter(AT_ONCE), source.need_runs().get
        told = await run_concurrently({one: partial(read, one) for one in ids}, lambda _id: lane)
    else:
        # Each of them may take a request for every job.
        alone, find = anyio.CapacityLimiter(1), source.need_batch().owner
        told = await run_concurrently({one: partial(find, one) for one in ids}, lambda _id: alone)
    errors = [one for one in told.values() if isinstance(one, JobtrailError)]
    if len(errors) == len(told):
        raise next((one for one in errors if not isinstance(one, AgentError)), errors[0])
    found = {name: one for name, one in told.items() if not isinstance(one, JobtrailError)}
    return {name: one.job or "" if isinstance(one, Run) else one for name, one in found.items()}


def _list_able(sources: Sources, needs: Need | None) -> list[Source]:
    """Return the sources that can have what is needed."""
    every = sources.all()
    return [one for one in every if needs is None or (one.batch if needs == "executions" else one.runs)]


async def _may_have(source: Source, name: str) -> bool:
    """Return whether a source has a job of this name, as far as it can be asked."""
    try:
        await source.job(name)
    except JobtrailError as error:
        return not isinstance(error, UnknownName)
    return True


def _choose_owner(argument: str, names: Sequence[str], owners: Collection[str], answers: Mapping[str, object]) -> str:
    """Return the one source that has a name or an id.

    Args:
        argument: which named it.
        names: the value of that: a name, or ids.
        owners: the sources that have it.
        answers: what each source answered; None for one that did not.

    Raises:
        JobtrailError: none has it, or several.
    """
    name = ",".join(names)
    if len(owners) > 1:
        named = " and ".join(one for one in answers if one in owners)
        advice = "give source=… with it" if len(names) == 1 else "make a call for each, with source=…"
        raise BadArgument(f"{argument}={quote_value(name)} is in the sources {named}; {advice}")
    if not owners:
        raise explain_nowhere(argument, name, answers)
    return next(iter(owners))


def _write_unasked(answers: Mapping[str, object]) -> list[Note]:
    """Return a note on each source that could not be asked, given what each answered."""
    return [
        f"source {name} could not be asked whether it has it too: {_describe_silence(one)}"
        for name, one in answers.items()
        if one is None or (isinstance(one, JobtrailError) and not isinstance(one, _MISSES))
    ]


def _describe_silence(answer: object) -> str:
    return answer.describe_problem() if isinstance(answer, JobtrailError) else "did not answer in time"


def _list_values(argument: str) -> Call:
    """Return the call that lists the values of an argument in a source."""
    if argument == "execution":
        return Call("list_executions", {"job": ..., "source": ...})
    return Call("list_runs" if argument == "run" else "list_jobs", {"source": ...})


def explain_nowhere(argument: str, name: str, answers: Mapping[str, object]) -> JobtrailError:
    """Return the error for a name that no source has, given what each answered; None for one that did not."""
    refused = [one for one in answers.values() if isinstance(one, BadArgument)]
    if len(refused) == len(answers):
        return refused[0]
    missing = [name for name, one in answers.items() if isinstance(one, _MISSES)]
    failed = {name: one for name, one in answers.items() if name not in missing}
    what = f"{argument}={quote_value(name)} does not exist"
    if failed:
        where = f"in {', '.join(missing)}" if missing else "in any source that could be asked"
        which, error = next(iter(failed.items()))
        why = _describe_silence(error)
        return Unreachable(f"{what} {where}, and {', '.join(failed)} could not be asked: {which} {why}")
    closest = [near for one in answers.values() if isinstance(one, UnknownName) for near in one.closest]
    return UnknownName(
        f"{what} in any of the sources {', '.join(answers)}",
        closest=find_closest(name, closest) or closest[:3],
        advice=() if closest else ("call ", _list_values(argument), " for what exists"),
    )


async def check_parent(parent: Callable[[], Awaitable[object]] | None, read: int) -> object:
    """Ask whether what was read exists, if it was empty: many upstreams answer an unknown name with an empty list.

    Return what the source answered; None where it was not asked.

    Args:
        parent: asks the source for the job, task or execution that was read; None where nothing was named.
        read: how many items or lines there were.

    Raises:
        UnknownName: it does not exist.
    """
    return await parent() if parent is not None and not read else None


async def check_job(source: Source, job: str, needs: Need, check: Callable[[str], Awaitable[None]]) -> str | None:
    """Check that a job of which nothing was read exists; return a note where it only did once.

    Raises:
        UnknownName: as `check` raises it.
    """
    try:
        await check(job)
    except UnknownName:
        past = None if await source.find_job(job) else await source.find_past_job(job)
        if past is None or (past.job.kind == "job") != (needs == "executions"):
            raise
        return NOT_DEFINED
    return None
