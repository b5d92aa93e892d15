"""`wait_for`: what it asks and when, what it keeps when things go wrong, and whole answers over the embedded store."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from inline_snapshot import snapshot
from mcp import Client

from jobtrail.errors import RateLimited, Unauthorized, UnknownName, Unreachable, UpstreamFault
from jobtrail.models import Execution, Run
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.store import Store
from jobtrail.tools.waiting import PollingPace, Waiter, WaitTarget
from tests.plane.records import make_execution, make_job, make_task, set_status, time_at
from tests.sample_client import NOW, FixedClock, answer, count_tokens, rows_of, text_of
from tests.upstreams import Upstream, client_of, execution_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from jobtrail.store.rows import AnyRow
    from jobtrail.vocabulary import Status

pytestmark = pytest.mark.anyio

FAST = PollingPace(first=0.01, most=0.04, growth=2.0, share=0.0, settle=0.0, grace=0.1)
SLOW = PollingPace(first=60.0, most=60.0, settle=0.0, grace=0.1)


def run_now(status: Status = "running") -> Run:
    return Run(id="r", status=status)


def execution_now(status: Status, total: int, succeeded: int = 0, failed: int = 0) -> Execution:
    return Execution(id="e", status=status, tasks=total, succeeded=succeeded, failed=failed)


@dataclass
class Script:
    """Something that is looked at: what each look shows or raises, the last for ever.

    Attributes:
        takes: seconds that a look takes.
        looked: when each look began.
    """

    shows: list[Run | Execution | Exception]
    takes: float = 0.0
    looked: list[float] = field(default_factory=list[float])
    under_way: int = 0

    async def __call__(self) -> Run | Execution:
        assert not self.under_way
        self.looked.append(anyio.current_time())
        shown = self.shows[min(len(self.looked), len(self.shows)) - 1]
        self.under_way += 1
        try:
            await anyio.sleep(self.takes)
        finally:
            self.under_way -= 1
        if isinstance(shown, Exception):
            raise shown
        return shown


@dataclass
class Wait:
    """A wait for scripts, and what came of it."""

    scripts: list[Script]
    watched: list[WaitTarget] = field(default_factory=list[WaitTarget])
    heard: list[tuple[float, float | None, str | None]] = field(default_factory=list[Any])
    took: float = 0.0

    async def run(self, seconds: float, pace: PollingPace = FAST, follow: Any = None) -> None:
        async def hear(progress: float, total: float | None, message: str | None) -> None:
            self.heard.append((progress, total, message))

        self.watched = [WaitTarget(f"r{number}", script) for number, script in enumerate(self.scripts)]
        began = anyio.current_time()
        try:
            await Waiter(self.watched, seconds, hear, pace).wait_until_ended(follow)
        finally:
            self.took = anyio.current_time() - began


async def waited(seconds: float, *scripts: Script, pace: PollingPace = FAST, follow: Any = None) -> Wait:
    wait = Wait([*scripts])
    await wait.run(seconds, pace, follow)
    return wait


async def test_what_has_ended_is_looked_at_once() -> None:
    wait = await waited(30, Script([run_now("failed")]))
    assert len(wait.scripts[0].looked) == 1
    assert wait.took < 1


async def test_it_ends_as_soon_as_all_have_ended_and_keeps_how_they_were() -> None:
    wait = await waited(30, Script([run_now(), run_now(), run_now("failed")]), Script([run_now("succeeded")]))
    assert wait.took < 2
    first = wait.watched[0].to_awaited(NOW)
    assert (first.before, first.status, first.ended) == ("running", "failed", True)
    assert len(wait.scripts[1].looked) == 1


async def test_pauses_grow_to_a_bound_and_one_thing_is_never_looked_at_twice_at_once() -> None:
    script = Script([run_now()], takes=0.005)
    await waited(0.3, script)
    pauses = [later - sooner - script.takes for sooner, later in pairwise(script.looked)]
    assert 3 <= len(pauses) <= 11
    assert pauses[0] >= 0.009
    # The last look comes at the end of the time, whatever the pause.
    assert all(pause >= 0.039 for pause in pauses[2:-1])


async def test_what_is_slow_to_look_at_is_looked_at_less_often() -> None:
    script = Script([run_now()], takes=0.03)
    await waited(0.35, script, pace=PollingPace(first=0.01, most=0.01, share=4.0, grace=0.1))
    assert len(script.looked) <= 5


async def test_one_that_is_slow_keeps_no_other_waiting() -> None:
    slow, quick = Script([run_now()], takes=0.2), Script([run_now(), run_now(), run_now("succeeded")])
    await waited(0.4, slow, quick)
    assert quick.looked[2] < slow.looked[0] + slow.takes


async def test_the_last_look_is_at_the_end_of_the_time_and_one_that_hangs_is_given_up() -> None:
    script = Script([run_now(), run_now("succeeded")])
    wait = await waited(0.2, script, pace=SLOW)
    assert (len(script.looked), wait.watched[0].ended) == (2, True)
    hanging = Script([run_now()])
    wait = Wait([hanging])
    async with anyio.create_task_group() as group:
        group.start_soon(wait.run, 0.1, SLOW)
        await anyio.sleep(0.05)
        hanging.takes = 60
    assert wait.took < 2
    assert wait.watched[0].to_awaited(NOW).status == "running"


async def test_an_upstream_error_loses_nothing_and_is_forgotten_once_it_is_over() -> None:
    trouble = UpstreamFault("the upstream failed", retryable=True)
    wait = await waited(30, Script([run_now("queued"), trouble, trouble, run_now("succeeded")]))
    assert wait.watched[0].to_awaited(NOW).error is None
    wait = await waited(0.1, Script([run_now("queued"), run_now(), trouble]))
    stood = wait.watched[0].to_awaited(NOW)
    assert (stood.before, stood.status, str(stood.error)) == ("queued", "running", "the upstream failed")
    wait = await waited(0.1, Script([trouble, run_now()]))
    assert wait.watched[0].to_awaited(NOW).before == "running"


async def test_an_upstream_that_asks_to_be_left_alone_is() -> None:
    script = Script([run_now(), RateLimited("slower", retry_after=0.15), run_now("succeeded")])
    await waited(2, script)
    assert script.looked[2] - script.looked[1] >= 0.149


@pytest.mark.parametrize(
    "error", [UnknownName("no such run"), Unauthorized("refused"), UpstreamFault("failed"), RateLimited("slower")]
)
async def test_where_nothing_can_be_learnt_the_error_is_raised(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        await waited(0.05, Script([error]))


async def test_where_nothing_answers_in_time_that_is_raised() -> None:
    with pytest.raises(Unreachable, match="did not answer in this time"):
        await waited(0.05, Script([run_now()], takes=60))


async def test_one_that_does_not_exist_is_told_apart_and_not_waited_for() -> None:
    gone = Script([UnknownName("no such run")])
    wait = await waited(30, gone, Script([run_now(), run_now("succeeded")]))
    assert [one.to_awaited(NOW).to_wire().get("error") for one in wait.watched] == ["no such run", None]
    assert len(gone.looked) == 1
    assert wait.took < 2


async def test_one_that_never_answered_says_so_beside_the_others() -> None:
    wait = await waited(0.05, Script([run_now()], takes=60), Script([run_now()]))
    silent = wait.watched[0].to_awaited(NOW)
    assert silent.status is None
    assert str(silent.error) == "the upstream did not answer in this time; a retry may help"


async def test_a_cancelled_wait_stops_at_once() -> None:
    script, began = Script([run_now()], takes=0.02), anyio.current_time()
    with anyio.move_on_after(0.05) as scope:
        await waited(30, script)
    assert scope.cancelled_caught
    assert anyio.current_time() - began < 1
    assert not script.under_way


async def test_news_of_a_run_makes_the_next_look_at_once() -> None:
    async def follow(changed: Callable[[str], None]) -> None:
        await anyio.sleep(0.05)
        changed("another")
        changed("r1")
        await anyio.sleep_forever()

    left, told = Script([run_now()]), Script([run_now(), run_now("succeeded")])
    wait = await waited(0.3, left, told, pace=SLOW, follow=follow)
    assert told.looked[1] - told.looked[0] < 0.25
    assert wait.watched[1].ended
    assert len(left.looked) == 2


async def test_news_that_fails_or_ends_leaves_the_looks() -> None:
    async def fails(_changed: Callable[[str], None]) -> None:
        raise Unreachable("no events")

    async def ends(_changed: Callable[[str], None]) -> None:
        return

    for follow in (fails, ends):
        wait = await waited(5, Script([run_now(), run_now("succeeded")]), follow=follow)
        assert wait.watched[0].ended


async def test_progress_is_reported_when_more_tasks_are_done_than_before() -> None:
    states = [(100, 1), (100, 1), (120, 3), (118, 3), (297, 3)]
    shows: list[Run | Execution | Exception] = [execution_now("running", 300, good, bad) for good, bad in states]
    wait = await waited(30, Script([*shows, execution_now("failed", 300, 297, 3)]))
    assert wait.heard == [
        (101, 300, "101 of 300 tasks done, 1 failed"),
        (123, 300, "123 of 300 tasks done, 3 failed"),
        (300, 300, "300 of 300 tasks done, 3 failed"),
    ]
    runs = await waited(30, Script([run_now(), run_now("failed")]), Script([run_now("succeeded")]))
    assert runs.heard[-1] == (2, 2, "2 of 2 ended")


RUNNING = set_status(make_execution("a", "etl", 1), 2, "running")


@asynccontextmanager
async def stocked(path: Path) -> AsyncGenerator[tuple[Client, Store]]:
    """A client over a store of its own, and the store: `a` runs, `b` has failed, `c` is queued."""
    store = Store(path)
    store.write([make_job("etl"), make_execution("b", "etl", 0, "failed"), make_execution("c", "etl", 2), RUNNING])
    store.write([make_task(f"t{number}", "a", 1, "running") for number in range(4)])
    store.write([make_task("t0", "b", 0, "running", "failed")])
    settings = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded", store=path)
    async with Client(build_server(settings, clock=FixedClock(moment=time_at(10)))) as client:
        yield client, store
    store.close()


def ends(*tasks: str, status: str = "succeeded") -> list[AnyRow]:
    return [make_task(name, "a", 1, "running", status) for name in tasks]


@asynccontextmanager
async def recorded(store: Store, *records: AnyRow) -> AsyncGenerator[None]:
    """Record them a moment from now."""

    async def record() -> None:
        await anyio.sleep(0.1)
        store.write(records)

    async with anyio.create_task_group() as group:
        group.start_soon(record)
        yield


def timeless(text: str) -> str:
    """Return an answer without how long the wait took."""
    return re.sub(r"^waited \S+ of", "waited TIME of", text)


async def test_what_has_ended_is_answered_at_once_with_the_call_that_explains_it(tmp_path: Path) -> None:
    async with stocked(tmp_path / "store.db") as (client, _):
        text, found = await answer(client, "wait_for", job="etl", execution="b")
    assert timeless(text) == snapshot("""\
waited TIME of 30s for executions of etl · source embedded · 1 of 1 ended
id	status	tasks done	failed	duration
b	failed	1 of 1	1	1m
next: get_execution(job='etl', execution='b', source='embedded')\
""")
    assert found["all_ended"]


async def test_at_the_timeout_it_says_what_changed_and_how_to_wait_on(tmp_path: Path) -> None:
    some = [*ends("t0", "t1"), *ends("t2", status="failed")]
    async with stocked(tmp_path / "store.db") as (client, store), recorded(store, *some):
        text, found = await answer(client, "wait_for", job="etl", execution=["a", "b", "c"], timeout=0.3)
    assert timeless(text) == snapshot("""\
waited TIME of 300ms for executions of etl · source embedded · 1 of 3 ended
id	status	tasks done	failed	duration
a	running	0 → 3 of 4	0 → 1	8m so far
b	failed	1 of 1	1	1m
c	queued	0 of 0	0	8m so far
note: a, c: shown as imported, before the end; a later import tells how it went on
next: get_execution(job='etl', execution='b', source='embedded')
next: wait_for(job='etl', execution='a,c', timeout=0.3, source='embedded')\
""")
    assert [item["ended"] for item in rows_of(found)] == [False, True, False]
    assert not found["all_ended"]
    assert count_tokens(text) < 250


async def test_it_returns_as_soon_as_the_last_task_has_ended_and_reports_on_the_way(tmp_path: Path) -> None:
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async with stocked(tmp_path / "store.db") as (client, store):
        failed = set_status(RUNNING, 4, "failed")
        async with recorded(store, *ends("t0", "t1", "t2"), *ends("t3", status="failed"), failed):
            arguments = {"job": "etl", "execution": "a"}
            result = await client.call_tool("wait_for", arguments, progress_callback=hear)
    assert timeless(text_of(result)) == snapshot("""\
waited TIME of 30s for executions of etl · source embedded · 1 of 1 ended
id	status	tasks done	failed	duration
a	running → failed	0 → 4 of 4	0 → 1	2m
next: get_execution(job='etl', execution='a', source='embedded')\
""")
    assert heard == ["0 of 4 tasks done, 0 failed", "4 of 4 tasks done, 1 failed"]


async def test_a_look_alone_takes_no_time(tmp_path: Path) -> None:
    async with stocked(tmp_path / "store.db") as (client, _):
        text, found = await answer(client, "wait_for", job="etl", execution="a", timeout=0)
    assert found["waited_s"] <= 0.2
    assert text.splitlines()[-1] == "next: wait_for(job='etl', execution='a', timeout=0, source='embedded')"


async def test_an_unknown_id_among_others_is_said_and_one_alone_is_an_error(tmp_path: Path) -> None:
    async with stocked(tmp_path / "store.db") as (client, _):
        text, found = await answer(client, "wait_for", job="etl", execution="b, x", timeout=0)
        alone = await client.call_tool("wait_for", {"job": "etl", "execution": "x"})
    sentence = "execution='x' does not exist in job 'etl'; call list_executions(job='etl') for those that do"
    assert rows_of(found)[1] == {"id": "x", "ended": False, "error": sentence}
    assert sentence in text
    assert "wait_for" not in text
    assert (alone.is_error, text_of(alone)) == (True, sentence)


BAD: list[tuple[dict[str, Any], str]] = [
    (
        {},
        (
            "wait_for needs run, execution or job; call list_jobs() for them. Such as: "
            "wait_for(execution='exec-1,exec-2')"
        ),
    ),
    ({"run": "x", "job": "etl"}, "wait_for takes run, or job and execution, not both; make two calls"),
    ({"job": "etl", "execution": " , "}, "wait_for was given 0 ids; it waits for 1 to 20 at once"),
    ({"run": ",".join(map(str, range(21)))}, "wait_for was given 21 ids; it waits for 1 to 20 at once"),
    ({"run": "x"}, "run='x' is not a run id; ids are 26 letters and digits, call list_runs() for them"),
    ({"job": "et", "execution": "b"}, "job='et' does not exist; closest: etl"),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD)
async def test_what_cannot_be_waited_for_is_refused_in_a_sentence(
    tmp_path: Path, arguments: dict[str, Any], sentence: str
) -> None:
    async with stocked(tmp_path / "store.db") as (client, _):
        result = await client.call_tool("wait_for", arguments)
    assert (result.is_error, text_of(result)) == (True, sentence)


async def test_a_cancelled_call_asks_its_upstream_for_nothing_more(no_settings: Path) -> None:
    upstream = Upstream()
    upstream.executions = [execution_of(0, "running")]
    async with client_of(no_settings, upstream, RUNWISP_URL=None, RUNWISP_TOKEN=None) as client:
        with anyio.move_on_after(0.2) as scope:
            await client.call_tool("wait_for", {"job": "etl", "execution": "exec-0000"})
        asked = len(upstream.requests)
        await anyio.sleep(0.6)
    assert scope.cancelled_caught
    assert (asked, len(upstream.requests)) == (1, 1)


async def test_a_timeout_out_of_bounds_is_taken_as_the_nearest_and_said(tmp_path: Path) -> None:
    async with stocked(tmp_path / "store.db") as (client, _):
        text, found = await answer(client, "wait_for", job="etl", execution="b", timeout=600)
    assert found["timeout_s"] == 45
    assert "note: timeout 600.0 was taken as 45; it can be 0 to 45 s" in text
