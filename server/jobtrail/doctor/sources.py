"""Check one source: is it reachable, are the credentials valid, its dialect, its clock, one read of each kind."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from jobtrail.doctor.report import Check
from jobtrail.errors import (
    JobtrailError,
    RateLimited,
    SettingsError,
    Unauthorized,
    Unreachable,
    Unsupported,
    UpstreamError,
    UpstreamFault,
)
from jobtrail.paging import NEWEST_FIRST, Walk, walk
from jobtrail.sources.base import CLOCK_TOLERANCE
from jobtrail.sources.list_options import ListOptions
from jobtrail.text import quote_unless_word, sanitize_text
from jobtrail.times import format_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jobtrail.doctor.report import Verdict
    from jobtrail.logs.log import Lines
    from jobtrail.models import Execution, Job, Run
    from jobtrail.paging import Listing
    from jobtrail.settings import SourceSettings
    from jobtrail.sources.base import BatchJobs, Runs, Source, Workspace
    from jobtrail.window import Clock

READ_SECONDS = 10.0
"""The longest time for one read."""
SOURCE_SECONDS = 30.0
"""The longest time for all reads of a source."""
_UNAUTHORIZED = 401
_JOBS, _JOBS_TRIED = 100, 5

T = TypeVar("T")


@dataclass(frozen=True)
class _Timed(Generic[T]):
    """A value that was read, and the seconds that the read took."""

    value: T
    seconds: float


async def examine_source(one: SourceSettings, open_it: Callable[[], Source], clock: Clock) -> list[Check]:
    """Check a source, in a bounded time whatever it does."""
    checkup = _SourceCheckup(one, clock)
    with anyio.move_on_after(SOURCE_SECONDS) as bound:
        try:
            await checkup.run(open_it())
        except JobtrailError as error:
            checkup.add("settings", "failed", sanitize_text(str(error), 300), f"correct {one.origin}")
    if bound.cancelled_caught:
        checkup.add(
            "time", "failed", f"it took longer than {SOURCE_SECONDS:g} s, and was given up", "ask it again later"
        )
    return checkup.checks


@dataclass
class _SourceCheckup:
    one: SourceSettings
    clock: Clock
    checks: list[Check] = field(default_factory=list[Check])

    def add(
        self, check: str, verdict: Verdict, found: str, fix: str | None = None, seconds: float | None = None
    ) -> None:
        subject = f"{self.one.name} ({self.one.kind})"
        self.checks.append(Check("source", subject, check, verdict, found, fix, seconds))

    async def run(self, source: Source) -> None:
        jobs = await self._read_jobs(source)
        if jobs is None:
            return
        await self._check_dialect_and_clock(source)
        if source.batch:
            await self._check_executions(source.batch, jobs)
        if source.runs:
            await self._check_runs(source.runs)

    async def _read_jobs(self, source: Source) -> list[Job] | None:
        """Read the jobs, which shows whether the source is reachable and the credentials are valid."""
        began = time.monotonic()
        try:
            with anyio.fail_after(READ_SECONDS):
                jobs = await _read_rows(source.jobs(ListOptions(sort=source.job_sort)), _JOBS)
        except TimeoutError:
            self._add_unreachable(f"no answer within {READ_SECONDS:g} s")
        except (Unreachable, SettingsError) as error:
            self._add_unreachable(_format_error(error))
        except Unauthorized as error:
            self._add_reachable()
            # Who is refused access may well have valid credentials, and who has none may need some.
            check = "credentials" if error.status == _UNAUTHORIZED else "access"
            given = self.one.credentials or "no credentials are set"
            self.add(check, "failed", f"{given}: {_format_error(error)}", self._advise_on_refusal(error))
        except UpstreamError as error:
            self._add_reachable()
            wrong = f"check that the address is that of the API: {self.one.origin}"
            self.add("jobs", "failed", _format_error(error), _advise_to_wait(error) or wrong)
        else:
            took = time.monotonic() - began
            self._add_reachable()
            if self.one.address:
                self.add("credentials", "ok", f"accepted: {_describe_credentials(self.one)}")
            self.add("jobs", "ok", _format_job_count(jobs, source), seconds=took)
            return jobs
        return None

    def _add_unreachable(self, why: str) -> None:
        if not self.one.address:
            self.add("opens", "failed", why, "see what is said of the store")
            return
        where = self.one.address
        self.add("reachable", "failed", f"{where}: {why}", f"check that it runs, and correct {self.one.origin}")

    def _add_reachable(self) -> None:
        if not self.one.address:
            self.add("opens", "ok", "in this process, without a port")
        else:
            self.add("reachable", "ok", self.one.address)

    def _advise_on_refusal(self, error: Unauthorized, *, accepted: bool = False) -> str:
        """Return what mends a refusal.

        Args:
            error: the refusal.
            accepted: whether other requests with the same credentials were answered.
        """
        if error.status == _UNAUTHORIZED:
            which = "valid ones" if self.one.credentials else "those that it wants"
            return f"put {which} into {self.one.origin}"
        if accepted:
            return "allow these credentials to read it"
        who = "these credentials may be valid" if self.one.credentials else "it may want credentials"
        return f"see its reason; {who}: allow them to read this, or put others into {self.one.origin}"

    async def _check_dialect_and_clock(self, source: Source) -> None:
        about = await self._check_read("dialect", source.about, lambda one: one.speaks)
        if about is None or not self.one.address:
            return
        if about.workspace:
            self._check_workspace(about.workspace)
        if about.ahead is None:
            self.add("clock", "skipped", "its answers do not tell the time")
            return
        apart = abs(about.ahead)
        if apart <= CLOCK_TOLERANCE.total_seconds():
            self.add(
                "clock", "ok", "the same as here, within a second or so" if apart <= 1 else f"{apart:.0f} s apart"
            )
            return
        way = "ahead of" if about.ahead > 0 else "behind"
        self.add(
            "clock", "warning", f"it is {format_duration(apart)} {way} this machine's",
            "its times are its own, and times such as since=15m are counted on its clock; beside another source they "
            "are apart, so set the clock that is wrong (NTP)",
        )  # fmt: skip

    def _check_workspace(self, workspace: Workspace) -> None:
        asked, told = workspace.asked, workspace.told
        if told is None or asked in {None, told}:
            whose = asked or told
            self.add(
                "workspace", "ok", quote_unless_word(whose, 60) if whose else "none named, so that of the credentials"
            )
            return
        found = f"{quote_unless_word(told, 60)} answers, where {quote_unless_word(asked or '', 60)} was asked for"
        self.add("workspace", "warning", found, f"put the workspace of the credentials into {self.one.origin}")

    async def _check_executions(self, batch: BatchJobs, jobs: list[Job]) -> None:
        names = [job.name for job in jobs if job.kind == "job"]
        if not names:
            self.add("executions", "skipped", "there is no batch job to ask for its executions")
            return
        newest_first = ListOptions(sort=NEWEST_FIRST)
        newest: tuple[str, Execution] | None = None
        for name in names[:_JOBS_TRIED]:
            rows = await self._try_read(
                "executions", lambda name=name: _read_rows(batch.executions(name, newest_first), 1)
            )
            if rows is None:
                return
            if rows.value:
                newest = (name, rows.value[0])
                self.add(
                    "executions", "ok", f"newest of {_clean_name(name)}: {rows.value[0].status}", seconds=rows.seconds
                )
                break
        if newest is None:
            self.add("executions", "ok", f"none yet of {', '.join(map(_clean_name, names[:_JOBS_TRIED]))}")
            return
        name, one = newest
        await self._check_read(
            "tasks",
            lambda: _read_rows(batch.tasks(name, one.id, newest_first), 1),
            lambda rows: f"read of {one.id}" if rows else f"{one.id} has none",
        )
        log = await self._try_read("task log", lambda: batch.log(name, one.id, None, self.clock.now()), soft=True)
        if log is not None:
            await self._check_read("task log", lambda: log.value.read(-1, 1), _describe_lines, soft=True)

    async def _check_runs(self, scheduled: Runs) -> None:
        async def newest() -> list[Run]:
            return await _read_rows(await scheduled.list(None, ListOptions(sort=NEWEST_FIRST)), 1)

        runs = await self._check_read(
            "runs",
            newest,
            lambda rows: f"newest of {_clean_name(rows[0].job or '?')}: {rows[0].status}" if rows else "none yet",
        )
        if runs:
            log = await scheduled.log(runs[0].id)
            await self._check_read("run log", lambda: log.read(-1, 1), _describe_lines, soft=True)

    async def _check_read(
        self, check: str, read: Callable[[], Awaitable[T]], describe: Callable[[T], str], *, soft: bool = False
    ) -> T | None:
        """Read something and add a check of it; return None if that failed."""
        found = await self._try_read(check, read, soft=soft)
        if found is None:
            return None
        self.add(check, "ok", sanitize_text(describe(found.value)), seconds=found.seconds)
        return found.value

    async def _try_read(
        self, check: str, read: Callable[[], Awaitable[T]], *, soft: bool = False
    ) -> _Timed[T] | None:
        """Read something, and add a check only if that fails; a soft failure is a warning."""
        began = time.monotonic()
        try:
            with anyio.fail_after(READ_SECONDS):
                value = await read()
        except TimeoutError:
            why, fix = f"no answer within {READ_SECONDS:g} s", "ask it again later"
        except Unauthorized as error:
            why, fix = _format_error(error), self._advise_on_refusal(error, accepted=True)
        except UpstreamError as error:
            why, fix = (
                _format_error(error),
                _advise_to_wait(error) or "see what it logs; its API may be another version",
            )
        except Unsupported as error:
            why, fix = _format_error(error), "nothing is to be mended: it does not offer this"
        except JobtrailError as error:
            why, fix = _format_error(error), "run doctor again: what it listed may be gone"
        else:
            return _Timed(value, time.monotonic() - began)
        self.add(check, "warning" if soft else "failed", why, fix, time.monotonic() - began)
        return None


async def _read_rows(listing: Listing[T], limit: int) -> list[T]:
    return (await walk(listing, Walk(limit=limit))).items


def _format_job_count(jobs: list[Job], source: Source) -> str:
    if not jobs:
        return "there is none yet"
    more = " or more" if len(jobs) >= _JOBS else ""
    return f"{len(jobs)}{more}{' (SAMPLE DATA)' if source.sample else ''}"


def _clean_name(name: str) -> str:
    return quote_unless_word(name, 60)


def _describe_lines(found: Lines) -> str:
    return _format_line_count(found.total) if found.total else "empty"


def _format_line_count(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"


def _format_error(error: JobtrailError) -> str:
    """Return what went wrong, without the advice that an error has for agents."""
    return sanitize_text(error.describe_problem(), 300)


def _advise_to_wait(error: UpstreamError) -> str | None:
    """Return what mends trouble that passes; None where it is of another kind."""
    if isinstance(error, RateLimited):
        when = "later" if error.retry_after is None else f"in {error.retry_after:.0f} s"
        return f"ask it again {when}, and less often: it limits its callers"
    return "ask it again later; see what it logs" if isinstance(error, UpstreamFault | Unreachable) else None


def _describe_credentials(one: SourceSettings) -> str:
    """Return in words which credentials a source gets."""
    return one.credentials or "none are set, and none were asked for"
