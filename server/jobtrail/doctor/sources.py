"""One source looked at: reached, let in, its dialect, its clock, and one read of each kind it offers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from jobtrail.doctor.report import Check
from jobtrail.errors import JobtrailError, SettingsError, Unauthorized, Unreachable, UpstreamError, clean
from jobtrail.paging import NEWEST_FIRST, Walk, walk
from jobtrail.sources.list_options import ListOptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jobtrail.doctor.report import Verdict
    from jobtrail.logs.log import Lines
    from jobtrail.models import Execution, Job, Run, Task
    from jobtrail.paging import Listing
    from jobtrail.settings import SourceSettings
    from jobtrail.sources.base import BatchJobs, Runs, Source, Workspace
    from jobtrail.window import Clock

__all__ = ["examine_source"]

READ_SECONDS = 10.0
"""What one read may take."""
SOURCE_SECONDS = 30.0
"""What all reads of a source may take."""
_FAR_APART = 5.0
_JOBS, _JOBS_TRIED = 100, 5

T = TypeVar("T")


@dataclass(frozen=True)
class _Timed(Generic[T]):
    """What a read came to, and the seconds it took."""

    value: T
    seconds: float


async def examine_source(one: SourceSettings, open_it: Callable[[], Source], clock: Clock) -> list[Check]:
    """Return what was found of a source, in a bounded time whatever it does."""
    found = _Findings(one, clock)
    with anyio.move_on_after(SOURCE_SECONDS) as bound:
        try:
            await found.look(open_it())
        except JobtrailError as error:
            found.add("settings", "failed", clean(str(error), 300), f"correct {one.origin}")
    if bound.cancelled_caught:
        found.add(
            "time", "failed", f"it took longer than {SOURCE_SECONDS:g} s, and was given up", "ask it again later"
        )
    return found.checks


@dataclass
class _Findings:
    one: SourceSettings
    clock: Clock
    checks: list[Check] = field(default_factory=list[Check])

    def add(
        self, check: str, verdict: Verdict, found: str, fix: str | None = None, seconds: float | None = None
    ) -> None:
        subject = f"{self.one.name} ({self.one.kind})"
        self.checks.append(Check("source", subject, check, verdict, found, fix, seconds))

    async def look(self, source: Source) -> None:
        jobs = await self._first(source)
        if jobs is None:
            return
        await self._about(source)
        if source.batch:
            await self._executions(source.batch, jobs)
        if source.runs:
            await self._runs(source.runs)

    async def _first(self, source: Source) -> list[Job] | None:
        """Read the jobs, which tells whether it can be reached and lets us in."""
        began = time.monotonic()
        try:
            with anyio.fail_after(READ_SECONDS):
                jobs = await _rows(source.jobs(ListOptions(sort=source.job_sort)), _JOBS)
        except TimeoutError:
            self._unreached(f"no answer within {READ_SECONDS:g} s")
        except (Unreachable, SettingsError) as error:
            self._unreached(_what(error))
        except Unauthorized as error:
            self._reached()
            self.add("credentials", "failed", f"{_credentials(self.one)}: {_what(error)}", self._key_fix())
        except UpstreamError as error:
            self._reached()
            self.add("jobs", "failed", _what(error), self._answer_fix())
        else:
            took = time.monotonic() - began
            self._reached()
            if self.one.address:
                self.add("credentials", "ok", f"accepted: {_credentials(self.one)}")
            self.add("jobs", "ok", _counted(jobs, source), seconds=took)
            return jobs
        return None

    def _unreached(self, why: str) -> None:
        if not self.one.address:
            self.add("opens", "failed", why, "see what is said of the store")
            return
        where = self.one.address
        self.add("reachable", "failed", f"{where}: {why}", f"check that it runs, and correct {self.one.origin}")

    def _reached(self) -> None:
        if not self.one.address:
            self.add("opens", "ok", "in this process, without a port")
        else:
            self.add("reachable", "ok", self.one.address)

    def _key_fix(self) -> str:
        return f"put a valid one into {self.one.origin}"

    def _answer_fix(self) -> str:
        return f"check that the address is that of the API: {self.one.origin}"

    async def _about(self, source: Source) -> None:
        about = await self._read("dialect", source.about, lambda one: one.speaks)
        if about is None or not self.one.address:
            return
        if about.workspace:
            self._workspace(about.workspace)
        if about.ahead is None:
            self.add("clock", "skipped", "its answers do not tell the time")
            return
        apart = abs(about.ahead)
        if apart <= _FAR_APART:
            self.add(
                "clock", "ok", "the same as here, within a second or so" if apart <= 1 else f"{apart:.0f} s apart"
            )
            return
        way = "ahead of" if about.ahead > 0 else "behind"
        self.add(
            "clock", "warning", f"it is {_length(apart)} {way} this machine's",
            "times such as since=15m are counted from this machine's clock, so they take in as much too much or too "
            "little; set the clock that is wrong (NTP)",
        )  # fmt: skip

    def _workspace(self, workspace: Workspace) -> None:
        asked, told = workspace.asked, workspace.told
        if told is None or asked in {None, told}:
            whose = asked or told
            self.add("workspace", "ok", clean(whose, 60) if whose else "none named, so that of the credentials")
            return
        found = f"{clean(told, 60)} answers, where {clean(asked or '', 60)} was asked for"
        self.add("workspace", "warning", found, f"put the workspace of the credentials into {self.one.origin}")

    async def _executions(self, batch: BatchJobs, jobs: list[Job]) -> None:
        names = [job.name for job in jobs if job.kind == "job"]
        if not names:
            self.add("executions", "skipped", "there is no batch job to ask for its executions")
            return
        newest: tuple[str, Execution] | None = None
        for name in names[:_JOBS_TRIED]:
            read = _reader(lambda name=name: batch.executions(name, ListOptions(sort=NEWEST_FIRST)))
            rows = await self._quiet("executions", read)
            if rows is None:
                return
            if rows.value:
                newest = (name, rows.value[0])
                self.add(
                    "executions", "ok", f"newest of {_named(name)}: {rows.value[0].status}", seconds=rows.seconds
                )
                break
        if newest is None:
            self.add("executions", "ok", f"none yet of {', '.join(map(_named, names[:_JOBS_TRIED]))}")
            return
        name, one = newest
        tasks = _task_reader(batch, name, one.id)
        await self._read("tasks", tasks, lambda rows: f"read of {one.id}" if rows else f"{one.id} has none")
        log = await self._quiet("task log", lambda: batch.log(name, one.id, None, self.clock.now()), soft=True)
        if log is not None:
            await self._read("task log", lambda: log.value.read(-1, 1), _lines_text, soft=True)

    async def _runs(self, scheduled: Runs) -> None:
        async def newest() -> list[Run]:
            return await _rows(await scheduled.list(None, ListOptions(sort=NEWEST_FIRST)), 1)

        runs = await self._read(
            "runs",
            newest,
            lambda rows: f"newest of {_named(rows[0].task or '?')}: {rows[0].status}" if rows else "none yet",
        )
        if runs:
            await self._read(
                "run log",
                lambda: scheduled.log_tail(runs[0].id, 1),
                lambda tail: _lines(tail.total_lines) if tail else "this one keeps none",
            )

    async def _read(
        self, check: str, read: Callable[[], Awaitable[T]], said: Callable[[T], str], *, soft: bool = False
    ) -> T | None:
        """Read something and say what came of it; None where it failed."""
        found = await self._quiet(check, read, soft=soft)
        if found is None:
            return None
        self.add(check, "ok", clean(said(found.value)), seconds=found.seconds)
        return found.value

    async def _quiet(self, check: str, read: Callable[[], Awaitable[T]], *, soft: bool = False) -> _Timed[T] | None:
        """Read something and say only what went wrong; a soft failure is of what no document promises."""
        began = time.monotonic()
        try:
            with anyio.fail_after(READ_SECONDS):
                value = await read()
        except TimeoutError:
            why, fix = f"no answer within {READ_SECONDS:g} s", "ask it again later"
        except Unauthorized as error:
            why, fix = _what(error), f"allow it what it may not read, or {self._key_fix()}"
        except JobtrailError as error:
            why, fix = _what(error), "ask it again later; see what it logs"
        else:
            return _Timed(value, time.monotonic() - began)
        self.add(check, "warning" if soft else "failed", why, fix, time.monotonic() - began)
        return None


async def _rows(listing: Listing[T], limit: int) -> list[T]:
    return (await walk(listing, Walk(limit=limit))).items


def _reader(listing: Callable[[], Listing[Execution]]) -> Callable[[], Awaitable[list[Execution]]]:
    return lambda: _rows(listing(), 1)


def _task_reader(batch: BatchJobs, job: str, execution: str) -> Callable[[], Awaitable[list[Task]]]:
    return lambda: _rows(batch.tasks(job, execution, ListOptions(sort=NEWEST_FIRST)), 1)


def _counted(jobs: list[Job], source: Source) -> str:
    if not jobs:
        return "there is none yet"
    more = " or more" if len(jobs) >= _JOBS else ""
    return f"{len(jobs)}{more}{' (SAMPLE DATA)' if source.sample else ''}"


def _named(name: str) -> str:
    return clean(name, 60)


def _lines_text(found: Lines) -> str:
    return _lines(found.total) if found.total else "empty"


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"


def _what(error: JobtrailError) -> str:
    """Return what went wrong; whose it is and which setting to check are said beside it."""
    return clean(error.what if isinstance(error, UpstreamError) else str(error), 300)


def _credentials(one: SourceSettings) -> str:
    """Return what a source is shown, in words."""
    return one.credentials or "none are set, and none were asked for"


def _length(seconds: float) -> str:
    """Return a length of time in the largest unit of which there are two."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
