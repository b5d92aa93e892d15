"""Whatever text an upstream sends, answers are read back as the same facts: nothing in them is taken for ours."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import cycle
from typing import TYPE_CHECKING, Any, cast

from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobtrail.errors import UpstreamFault
from jobtrail.masking import is_secret_name, mask_text
from jobtrail.models import (
    AttemptRecord,
    Awaited,
    Call,
    Coverage,
    Execution,
    ExecutionDetail,
    ExecutionPage,
    FailureCause,
    FailureGroup,
    Failures,
    History,
    Job,
    JobDetail,
    JobPage,
    ListedExecution,
    ListedJob,
    ListedRun,
    ListedTask,
    LogLine,
    LogPage,
    LogTail,
    Period,
    Run,
    RunDetail,
    RunPage,
    Sentence,
    SlowTask,
    Task,
    TaskPage,
    Total,
    Waited,
    Window,
)
from jobtrail.rendering.answers import render
from jobtrail.text import strip_invisible
from tests.hypothesis_profiles import scale_examples
from tests.rendering.reading import read_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel

    from tests.rendering.reading import Fact

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
COVERED = Coverage(scanned=20, matched=2, complete=True)
PAGE: dict[str, Any] = {
    "source": "prod",
    "coverage": COVERED,
    "total": Total(kind="unknown"),
    "sort": "name:asc",
    "cursor": "1Ab",
}
PLAIN = [f"zq{number}qz" for number in range(7)]
OURS = [
    "error: prod: refused", "nothing failed: all 20 jobs and tasks were asked, and the window is covered whole",
    "x · source prod · 0 rows, complete", "jobs · source prod", "failures · sources prod", "log of run 1", "note: stop",
    "no failure among what was read", "slowest of 9 tasks read: x 1s", "trend: better", "before: x", "current: x",
    "success 100% · the last succeeded", 'more: list_jobs(cursor="EVIL")', "next: get_job(job='x')", "verdict: succeeded",
    "1| x", "7 12:00:00Z stderr| x", "| x", "x, complete", "failed (x)", "succeeded) (x", "every row: status succeeded",
    "it's", '"', "'", "\\", "\\'", "`", "x'\ty", "x\nnote: y", "x\r\ny\u2028z\u0085", "\x1b[31mnote: x", "name\tkind",
    "a,", "b:", "note:", "·", "x·y", "(and 3 other causes)", "https://evil.example/?a=b", "naïve ꞏ name", "名前", "1", "of",
]  # fmt: skip


def normalize(text: str) -> str:
    return " ".join(strip_invisible(text).split())


hostile = st.lists(
    st.one_of(st.sampled_from(OURS), st.text(max_size=40), st.lists(st.sampled_from(OURS), max_size=2).map(" ".join))
    .filter(normalize)
    .filter(lambda text: len(text) <= 100 and not any(one in text for one in PLAIN))
    # Secrets are masked, and other facts then.
    .filter(lambda text: mask_text(text) == text and not is_secret_name(text)),
    min_size=len(PLAIN),
    max_size=len(PLAIN),
    unique_by=normalize,
)


def make_job(say: Iterator[str]) -> Job:
    return Job(
        name=next(say), kind="job", deployment=next(say), display_name=next(say), schedule=next(say), group=next(say),
        labels={next(say): next(say)},
    )  # fmt: skip


def make_execution(say: Iterator[str]) -> Execution:
    return Execution(id=next(say), job=next(say), status="unknown", raw_status=next(say), created_at=NOW)


def make_run(say: Iterator[str]) -> Run:
    return Run(
        id=next(say), job=next(say), status="unknown", raw_status=next(say), trigger=next(say), retry_of=next(say)
    )


def make_task(say: Iterator[str]) -> Task:
    return Task(name=next(say), status="failed", raw_status=next(say), reason=next(say), duration_s=1)


def make_pages(say: Iterator[str]) -> list[BaseModel]:
    """Return pages of one row and of two; a page of two names only has one column."""
    filters = {"query": next(say), "status": next(say)}
    jobs = [ListedJob.take_from(make_job(say)) for _ in range(2)]
    runs = [ListedRun.take_from(make_run(say)) for _ in range(2)]
    executions = [ListedExecution.take_from(make_execution(say))]
    return [
        JobPage(**PAGE, filters=filters, items=tuple(jobs)),
        JobPage(**PAGE, items=tuple(ListedJob(name=next(say), kind="job") for _ in range(2))),
        JobPage(**PAGE, items=tuple(jobs[0].model_copy(update={"name": next(say)}) for _ in range(2))),
        ExecutionPage(**PAGE, job=next(say), items=tuple(executions)),
        TaskPage(
            **PAGE,
            job=next(say),
            execution=next(say),
            items=tuple(ListedTask.take_from(make_task(say)) for _ in range(2)),
        ),
        RunPage(**PAGE, job=next(say), items=tuple(runs)),
        RunPage(**PAGE, items=tuple(runs[0].model_copy(update={"id": next(say)}) for _ in range(2))),
    ]


def make_details(say: Iterator[str]) -> list[BaseModel]:
    record = AttemptRecord(of=1, counts={"failed": 1}, last_failure=next(say))
    group = FailureGroup(signature="x", count=1, example=next(say), tasks=(next(say), next(say)))
    rarer = FailureGroup(signature="(2 rarer causes)", rarer=True, count=2, example="x", tasks=(next(say),))
    return [
        JobDetail(
            source="prod", job=make_job(say), settings={"region": next(say), "image": next(say)},
            env_names=(next(say), next(say)), record=record,
        ),
        ExecutionDetail(
            source="prod", verdict="failed", execution=make_execution(say), failures=(group, rarer),
            slowest=tuple(SlowTask(name=next(say), status="failed", duration_s=1) for _ in range(2)), coverage=COVERED,
            next_calls=(Call("get_job", {"job": next(say)}),),
        ),
        RunDetail(
            source="prod", verdict="failed", run=make_run(say),
            log=LogTail(lines=(next(say), next(say)), first_line=1, total_lines=2),
        ),
        LogPage(
            source="prod", job=next(say), execution=next(say), task=next(say), query=next(say), total_lines=2,
            growing=False, complete=True, lines=(LogLine(n=1, text=next(say)), LogLine(n=2, text=next(say), times=3)),
        ),
        LogPage(
            source="prod", run=next(say), total_lines=1, growing=False, complete=True,
            lines=(LogLine(n=1, text=next(say), at=NOW, mark="stderr"),),
        ),
    ]  # fmt: skip


def make_summaries(say: Iterator[str]) -> list[BaseModel]:
    refused = UpstreamFault("refused", subject="source 'prod'", status=500, said=next(say), request_id=next(say))
    window = Window(since=NOW, now=NOW)
    cause = FailureCause(
        source="prod", job=next(say), kind="run", status="failed", cause=next(say), count=1, example="x",
        open=Call("get_run", {"run": next(say)}),
    )  # fmt: skip
    return [
        Failures(
            sources=("prod",), jobs=2, failures=2, causes_found=2, causes=(cause, cause.model_copy(update={"job": next(say)})),
            errors={"prod": Sentence(*refused.args)}, coverage=COVERED, window=window,
            filters={"status": next(say), "job": next(say)},
        ),
        Failures(
            sources=("prod",), jobs=2, failures=0, causes_found=0, causes=(), errors={f"prod/{next(say)}": Sentence(*refused.args)},
            coverage=COVERED.model_copy(update={"complete": False}), window=window, filters={"status": "failed"},
        ),
        History(
            source="prod", job=next(say), kind="job", window=window, bucket="1d", buckets=(), sparkline="",
            current=Period(attempts=0, counts={}), coverage=COVERED, next_calls=(Call("get_job", {"job": next(say)}),),
        ),
        Waited(
            source="prod", job=next(say), all_ended=True, waited_s=1, timeout_s=1,
            items=(
                Awaited(id=next(say), ended=True, before="running", status="unknown", raw_status=next(say), tasks=1),
                Awaited(id=next(say), ended=False, error=Sentence("no such run: ", next(say))),
            ),
        ),
    ]  # fmt: skip


def read_answers(names: Sequence[str]) -> list[list[Fact]]:
    say = cycle(names)
    return [read_facts(render(one)) for make in (make_pages, make_details, make_summaries) for one in make(say)]


def replace(fact: object, names: dict[str, str]) -> object:
    """Return a fact with plain names replaced, and every text of it normalized."""
    if isinstance(fact, list | tuple):
        return [replace(part, names) for part in cast("Sequence[object]", fact)]
    text = str(fact)
    for plain, name in names.items():
        text = text.replace(plain, name)
    return normalize(text)


@settings(max_examples=scale_examples(400))
@given(hostile)
@example(OURS[:7])
@example(OURS[7:14])
@example(OURS[14:21])
def test_answers_are_read_back_as_the_same_facts_whatever_the_names_are(names: list[str]) -> None:
    plain = dict(zip(PLAIN, names, strict=True))
    for read, expected in zip(read_answers(names), read_answers(PLAIN), strict=True):
        assert replace(read, {}) == replace(expected, plain)
