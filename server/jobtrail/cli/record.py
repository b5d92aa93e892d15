"""`jobtrail record`: run commands and record them in the embedded store."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from jobtrail.cli.command_output import LineForwarder, OutputForwarder
from jobtrail.cli.option_types import parse_name
from jobtrail.errors import SettingsError
from jobtrail.recorder import Plan, run_and_record
from jobtrail.settings import is_store_durable, store_path
from jobtrail.store import Store
from jobtrail.store.recording import CannotJoin, JobSchedule
from jobtrail.text import count_noun

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from jobtrail.recorder import RecordingResult


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return its exit code."""
    plan = _build_plan(arguments)
    with _open_output(plan) as output:
        try:
            result = anyio.run(run_and_record, plan, _open_store, output)
        except CannotJoin as error:
            raise SettingsError(str(error)) from None
    if plan.inputs is not None:
        OutputForwarder().warn(_format_summary(plan, result))
    return result.code


def _open_store() -> Store:
    return Store(store_path(), durable=is_store_durable())


def _build_plan(arguments: argparse.Namespace) -> Plan:
    """Return what the options ask for.

    Raises:
        SettingsError: options exclude each other, or a file cannot be read.
    """
    job, execution, inherited = arguments.job, arguments.execution, False
    if job is None:
        # Inside a recorded command: add a task to the same execution.
        job = _read_name("JOBTRAIL_JOB")
        if execution is None:
            execution = _read_name("JOBTRAIL_EXECUTION")
            inherited = execution is not None
    if not job:
        raise SettingsError(f"record needs --job NAME; {arguments.parser.usage}")
    if not arguments.command:
        raise SettingsError(f"record needs a command after --; {arguments.parser.usage}")
    if arguments.inputs is not None and arguments.task is not None:
        raise SettingsError("--task names one task and --from makes one for each line; give one of them")
    if arguments.inputs is None and arguments.parallel != 1:
        raise SettingsError("--parallel needs --from FILE, which makes a task for each line")
    return Plan(
        job=job,
        command=arguments.command,
        execution=execution,
        inherited=inherited,
        outer=_read_outer_task() if inherited else "",
        task=arguments.task,
        inputs=None if arguments.inputs is None else _read_input_lines(arguments.inputs),
        labels=dict(arguments.label),
        timeout=arguments.timeout,
        retries=arguments.retries,
        retry_delay=arguments.retry_delay,
        parallel=arguments.parallel,
        schedule=_read_schedule(arguments.schedule, arguments.timezone),
    )


def _read_schedule(expression: str | None, zone: str | None) -> JobSchedule | None:
    """Return when the job is due; None where nothing says so.

    Raises:
        SettingsError: it is no cron expression, or there is no such zone.
    """
    if expression is None:
        if zone is not None:
            raise SettingsError("--timezone is the zone of a --schedule; give both")
        return None
    from jobtrail.analysis.due_times import NotJudged, find_zone, read_expression  # noqa: PLC0415 # where a schedule is given

    if expression.strip().lower() == "none":
        return JobSchedule("", "UTC")
    zone = zone or _find_local_zone()
    advice = "give --timezone one such as Europe/Berlin"
    try:
        find_zone(zone)
        advice = "give minute, hour, day, month and weekday, as in '0 2 * * *'"
        read_expression(expression, zone)
    except NotJudged as error:
        raise SettingsError(f"--schedule: {error}; {advice}") from None
    return JobSchedule(" ".join(expression.split()), zone)


def _find_local_zone() -> str:
    """Return the name of this machine's zone, which cron goes by; UTC where nothing names it."""
    named = os.environ.get("TZ", "").removeprefix(":") or "/etc/localtime"
    if not named.startswith("/"):
        return named
    _, _, zone = str(Path(named).resolve()).rpartition("zoneinfo/")
    return zone if not zone.startswith("/") else "UTC"


def _read_name(variable: str) -> str | None:
    """Return the name that an environment variable holds; None where it is not set.

    Raises:
        SettingsError: it cannot be a name.
    """
    try:
        return parse_name(text) if (text := os.environ.get(variable)) else None
    except ArgumentTypeError as error:
        raise SettingsError(f"{variable}: {error}") from None


def _read_outer_task() -> str:
    """Return the name of the task that this runs within, as far as it is text; one that is none names no task."""
    return os.environ.get("JOBTRAIL_OUTER_TASK", "").encode(errors="replace").decode()


def _read_input_lines(name: str) -> list[str]:
    try:
        # Arguments are bytes to the system, so bytes that are not UTF-8 are passed unchanged.
        text = (sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()).decode(
            "utf-8", "surrogateescape"
        )
    except OSError as error:
        raise SettingsError(f"--from {name} cannot be read ({error.strerror})") from None
    lines = [line.removesuffix("\r") for line in text.split("\n") if line.strip()]
    if not lines:
        raise SettingsError(f"--from {name} has no lines, so there is nothing to run")
    if any("\0" in line for line in lines):
        raise SettingsError(f"--from {name} has a NUL byte in it, which no argument can carry; give a text file")
    return lines


def _format_summary(plan: Plan, result: RecordingResult) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in sorted(result.counts.items(), reverse=True))
    where = f"recorded as {result.execution}" if result.execution else "not recorded"
    return f"{count_noun(sum(result.counts.values()), 'task')} of {plan.job}: {counts}; {where}"


@contextmanager
def _open_output(plan: Plan) -> Generator[OutputForwarder]:
    """Yield what passes output on: as it comes from one command, by whole lines from several."""
    if plan.inputs is None:
        yield OutputForwarder()
    elif not sys.stderr.isatty():
        yield LineForwarder()
    else:
        from jobtrail.cli.progress_bar import show_task_bar  # noqa: PLC0415 # rich delays a command by 60 ms

        with show_task_bar(len(plan.inputs)) as output:
            yield output
