"""Lists the sample's scheduled tasks as constants: schedule, possible endings and printed lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jobtrail.sample.batch_job_definitions import DAY, HOUR, MINUTE
from jobtrail.sample.schedule import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

PrintedLine = tuple[Literal["stdout", "stderr"], str]
"""A line of output, in which numbers, an id and a date vary."""


@dataclass(frozen=True)
class SampleTask:
    """One scheduled task or service of the sample.

    Attributes:
        every: between two runs.
        at: offset of the first run of the period.
        length: how long a run takes, about.
        failures: one run in so many ends badly; 0 for none.
        endings: how runs end badly, as (end reason, exit code).
        in_turn: whether the endings take turns, one in every `failures` runs, so that none is ever missing.
        begins: what every run prints first.
        ends: what it prints at its end, by the end reason.
    """

    name: str
    description: str
    group: str
    cron: str
    every: timedelta
    at: timedelta
    length: timedelta
    failures: int
    endings: tuple[tuple[str, int], ...] = (("failed", 1),)
    retries: int = 0
    service: bool = False
    in_turn: bool = False
    begins: str = ""
    ends: Mapping[str, tuple[PrintedLine, ...]] = field(default_factory=dict[str, tuple[PrintedLine, ...]])


SAMPLE_TASKS = (
    SampleTask(
        "backup-postgres",
        "Nightly dump of the primary database to off-site storage.",
        "Backups",
        "15 3 * * *",
        DAY,
        195 * MINUTE,
        21 * MINUTE,
        4,
        (("failed", 2), ("timeout", -1)),
        retries=1,
        begins="pg_dump: dumping database acme, snapshot {hex}",
        ends={
            "succeeded": (("stdout", "uploaded {n} MiB to s3://acme-backups/{date}.dump"),),
            "failed": (
                (
                    "stderr",
                    "pg_dump: error: connection to server at '10.0.{b}.{a}' failed: timeout expired",
                ),
                ("stderr", "backup: giving up after {b} of 61 tables"),
            ),
            "timeout": (("stdout", "uploading to s3://acme-backups/{date}.dump: {b} %"),),
        },
    ),
    SampleTask(
        "cert-renew",
        "Renews TLS certificates that end within 30 days.",
        "Maintenance",
        "0 5 * * *",
        DAY,
        5 * HOUR,
        20 * SECOND,
        9,
        begins="checking {b} certificates",
        ends={
            "succeeded": (("stdout", "none ends within 30 days"),),
            "failed": (("stderr", "acme: error 429: too many certificates already issued for crm.example"),),
        },
    ),
    SampleTask(
        "healthcheck-api",
        "Probes the public API.",
        "Health",
        "*/30 * * * *",
        30 * MINUTE,
        0 * MINUTE,
        2 * SECOND,
        17,
        (("failed", 1), ("timeout", -1)),
        retries=2,
        begins="GET https://api.acme.example/healthz",
        ends={
            "succeeded": (("stdout", "200 OK in {a} ms"),),
            "failed": (("stderr", "502 Bad Gateway in {a} ms, request id req_{hex}"),),
        },
    ),
    SampleTask(
        "queue-worker",
        "Background worker for e-mail and webhooks.",
        "Services",
        "",
        8 * HOUR,
        0 * MINUTE,
        # Even the shortest outlives the period, so that one is always running.
        14 * HOUR,
        5,
        (("crashed", 139), ("stopped", -1)),
        service=True,
        in_turn=True,
        begins="worker {n} waits for messages on queue mail",
        ends={
            "succeeded": (("stdout", "sent {n} messages, queue is empty"),),
            "crashed": (("stderr", "fatal: segmentation fault while rendering template {hex}"),),
            "stopped": (("stdout", "SIGTERM received, {b} messages go back to the queue"),),
        },
    ),
    SampleTask(
        "reindex-search",
        "Rebuilds the search index.",
        "Search",
        # Its host sleeps every other night, so that one of two is missed.
        "0 1 * * *",
        2 * DAY,
        HOUR,
        55 * MINUTE,
        3,
        (("log_overflow", -1),),
        in_turn=True,
        begins="indexing {n} documents into acme-{date}",
        ends={
            "succeeded": (("stdout", "index acme-{date} is live"),),
            "log_overflow": (
                ("stderr", "WARN document {hex} has no title, skipped"),
                ("stderr", "WARN document {n} has no title, skipped"),
            ),
        },
    ),
    SampleTask(
        "report-usage",
        "Sends usage numbers to billing.",
        "Reports",
        "0 */4 * * *",
        4 * HOUR,
        0 * MINUTE,
        40 * SECOND,
        12,
        (("failed", 3),),
        begins="collecting the usage of {n} accounts",
        ends={
            "succeeded": (("stdout", "sent {b} reports"),),
            "failed": (("stderr", "billing.acme.example answered 503 Service Unavailable, {b} reports not sent"),),
        },
    ),
    SampleTask(
        "rotate-logs",
        "Compresses and prunes application logs.",
        "Maintenance",
        "0 4 * * *",
        DAY,
        4 * HOUR,
        3 * MINUTE,
        0,
        begins="compressing {b} files",
        ends={"succeeded": (("stdout", "freed {n} MiB"),)},
    ),
    SampleTask(
        "sync-ldap",
        "Copies groups from the directory.",
        "Maintenance",
        "20 * * * *",
        HOUR,
        20 * MINUTE,
        9 * SECOND,
        20,
        (("skipped", 0), ("failed", 1)),
        in_turn=True,
        begins="reading groups from ldaps://directory.acme.example",
        ends={
            "succeeded": (("stdout", "{b} groups, {a} members, nothing to change"),),
            "failed": (("stderr", "ldap_bind: Invalid credentials (49)"),),
        },
    ),
)
