"""What stands out among things unfinished, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobtrail.analysis.unfinished import judge_unfinished
from jobtrail.models import Attempt, Execution, Run

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def ended(waited: float, took: float) -> Execution:
    created = ago(50_000)
    started = created + timedelta(seconds=waited)
    return Execution(
        id="e", status="succeeded", created_at=created, started_at=started,
        ended_at=started + timedelta(seconds=took), duration_s=took,
    )  # fmt: skip


RECENT = [ended(waited, took) for waited, took in ((5, 60), (20, 90), (30, 120), (2, 80))]
RUNNING = Execution(id="now", status="running", created_at=ago(500), started_at=ago(100))
QUEUED = Execution(id="now", status="queued", created_at=ago(25))


@pytest.mark.parametrize(
    ("one", "recent", "verdict"),
    [
        (RUNNING, RECENT, None),
        (RUNNING.model_copy(update={"started_at": ago(121)}), RECENT, "longer than it ever took: at most 2m, of 4"),
        (RUNNING.model_copy(update={"started_at": ago(999)}), RECENT[:2], None),
        (QUEUED, RECENT, None),
        (QUEUED.model_copy(update={"created_at": ago(31)}), RECENT, "queued longer than usual: p95 30s of 4"),
        (QUEUED.model_copy(update={"created_at": ago(9)}), [ended(1, 60)] * 5, None),
        (QUEUED.model_copy(update={"created_at": ago(999)}), [], None),
        (
            RUNNING.model_copy(update={"raw_status": "cancelling", "updated_at": ago(300)}),
            RECENT,
            "cancelling for long: 5m since it last changed",
        ),
        (RUNNING.model_copy(update={"raw_status": "cancelling", "updated_at": ago(299)}), RECENT, None),
        (RECENT[0], RECENT, None),
    ],
)
def test_it_stands_out_where_it_takes_longer_than_the_like_of_it(
    one: Attempt, recent: list[Attempt], verdict: str | None
) -> None:
    assert judge_unfinished(one, NOW, recent, service=False) == verdict


def crashed(seconds: float, instance: int) -> Run:
    return Run(id="r", status="failed", created_at=ago(seconds + 1), ended_at=ago(seconds), instance=instance)


def test_a_service_stands_out_where_its_instance_restarts_and_never_for_how_long_it_runs() -> None:
    recent = [
        *(crashed(600 * number, 0) for number in range(1, 4)),
        crashed(5, 1),
        *(crashed(9_000, 1) for _ in "abc"),
    ]
    service = Run(id="s", status="running", created_at=ago(999_999), started_at=ago(999_999), instance=0)
    assert judge_unfinished(service, NOW, recent, service=True) == (
        "restarts again and again: 3 ended within the last hour"
    )
    assert judge_unfinished(service.model_copy(update={"instance": 1}), NOW, recent, service=True) is None
