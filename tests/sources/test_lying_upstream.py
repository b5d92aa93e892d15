"""Whatever an upstream does: what an answer claims is true as far as what it was sent shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources import http_client
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.http import HttpLimits
from jobtrail.sources.runwisp.registration import RunWispSettings
from tests.hypothesis_profiles import scale_examples
from tests.sample_client import NOW, FixedClock, rows_of, text_of
from tests.sources.judge import Judge, Page
from tests.sources.lying_upstream import EXECUTION, FAULTS, KINDS, OWNERS, WORDS, Liar, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_CALLS = 30
STATUSES = {"failed,timeout": {"failed", "timeout"}, "succeeded": {"succeeded"}, "running": {"running"}}
SIZES = [*range(8, 17)] * 3 + [*range(3)] * 2
_STRANGE = [word for word, sense in WORDS.items() if sense == "strange"]
_WORDS = [*(word for word in WORDS if word not in _STRANGE), "failed", "failed", "succeeded"]
_APART = 0.9
WINDOWS = [150, 300, 450, 600, 1_500]
"""Minutes."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try each request once."""
    monkeypatch.setattr(http_client, "HttpLimits", lambda: HttpLimits(attempts=1))


def make_liar(dice: Random, kind: str, fault: str, what: str = "attempts") -> Liar:
    """Return an upstream of a kind that commits one fault, several, or none.

    Most rows are of the owner that is asked for, at moments that differ, and in pages of a few: what a fault does
    shows only where there is something before it and behind it.
    """
    faults = frozenset(dice.sample(FAULTS, dice.randint(2, 3)) if fault == "several" else {fault} & {*FAULTS})
    moments = [dice.randint(1, 900) if dice.random() < _APART else 60 for _ in range(dice.choice(SIZES))]
    fields = ["created", "status", *(["count"] if what == "attempts" else [])]
    broken = ["", "", *fields] if "unreadable" in faults else [""]
    words = [*_WORDS, *_STRANGE] if "unknown words" in faults else _WORDS
    words = {"jobs": ["deployed", "failed"], "tasks": [word for word in words if word != "timeout"]}.get(what, words)
    owners = [OWNERS[0]] * 3 + [OWNERS[1]] if what == "attempts" else [OWNERS[0]]
    rows = [
        Row(place, dice.choice(owners), moment, dice.choice(words), dice.choice(broken))
        for place, moment in enumerate(moments)
    ]
    skew = timedelta(hours=1) if "other clock" in faults else timedelta()
    size = dice.choice([1, 2, 3, 3, 4, 4])
    return Liar(kind, rows, NOW + skew, faults, seed=dice.randint(0, 99), largest=size, what=what)


@dataclass
class World:
    """An upstream, what is asked of it, and who judges the answer."""

    judge: Judge
    tool: str
    arguments: dict[str, Any]
    pages: list[Page] = field(default_factory=list[Page])

    async def walk(self, client: Client, source: str) -> None:
        """Make the call, and go on with its cursors up to an error."""
        arguments: dict[str, Any] = {**self.arguments, "source": source}
        for _ in range(MOST_CALLS):
            result = await client.call_tool(self.tool, arguments)
            found: dict[str, Any] = result.structured_content or {}
            text, sent = text_of(result), len(self.judge.liar.sent)
            self.pages.append(Page(found, sent, text, text if result.is_error else ""))
            if result.is_error or "cursor" not in found:
                break
            arguments = {"cursor": found["cursor"]}


def ask(worlds: Sequence[World]) -> Sequence[World]:
    """Ask all of a few upstreams, which are the sources of one server."""
    liars = {f"liar-{number}": world.judge.liar for number, world in enumerate(worlds)}

    def open_settings(name: str) -> BlaxelSettings | RunWispSettings:
        if liars[name].kind == "blaxel":
            return BlaxelSettings(name=name, url=f"http://{name}.invalid/v0")
        return RunWispSettings(name=name, url=f"http://{name}.invalid")

    async def asked() -> None:
        known = Settings(sources=tuple(map(open_settings, liars)), default="liar-0")
        edge = httpx2.MockTransport(lambda request: liars[request.url.host.removesuffix(".invalid")](request))
        server = build_server(known, edge, FixedClock(moment=NOW))
        with anyio.fail_after(60):
            async with Client(server) as client:
                for name, world in zip(liars, worlds, strict=True):
                    await world.walk(client, name)

    anyio.run(asked)
    return worlds


def begin(liar: Liar, minutes: int) -> datetime | None:
    """Return where a window begins by the upstream's clock; no row is created at that very moment."""
    liar.rows = [row for row in liar.rows if row.minutes != minutes]
    liar.ever = {liar.id_of(row): row for row in liar.rows}
    return liar.now - timedelta(minutes=minutes) if minutes else None


DICE = st.randoms(use_true_random=True)
"""Hypothesis would try one kind of world many times and others never: here each is as likely as another."""
PROPERTY: Callable[[Callable[..., None]], Callable[..., None]] = settings(
    max_examples=scale_examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
each_fault = pytest.mark.parametrize("fault", [*FAULTS, "several", "none"])
"""An example is a world of one kind of upstream, or of each."""


@each_fault
@PROPERTY
@given(DICE)
def test_a_list_claims_what_is_true(fault: str, dice: Random) -> None:
    worlds: list[World] = []
    for kind in KINDS:
        liar, status = make_liar(dice, kind, fault), dice.choice([None, None, *STATUSES])
        minutes = dice.choice([0, *WINDOWS])
        judge = Judge(liar, "alpha", begin(liar, minutes), STATUSES[status] if status else None)
        tool, name = ("list_executions", "job") if kind == "blaxel" else ("list_runs", "job")
        filters = {
            key: value for key, value in {"since": minutes and f"{minutes}m", "status": status}.items() if value
        }
        sort = dice.choice(["created_at:desc", "created_at:asc"])
        worlds.append(World(judge, tool, {name: "alpha", "sort": sort, "limit": dice.choice([1, 3, 20]), **filters}))
    for world in ask(worlds):
        world.judge.judge_list(world.pages)


@each_fault
@PROPERTY
@given(DICE)
def test_a_list_of_jobs_or_tasks_claims_what_is_true(fault: str, dice: Random) -> None:
    worlds: list[World] = []
    for kind, what in dice.sample([("blaxel", "jobs"), ("runwisp", "jobs"), ("blaxel", "tasks")], 1):
        liar = make_liar(dice, kind, fault, what)
        words = {"deployed": {"deployed"}} if what == "jobs" else {"failed": {"failed"}, "running": {"running"}}
        status = dice.choice([None, *words]) if kind == "blaxel" else None
        judge = Judge(liar, words=words[status] if status else None, name="name")
        arguments = {"job": "alpha", "execution": EXECUTION} if what == "tasks" else {}
        if status:
            arguments["status"] = status
        sort = dice.choice(["created_at:desc", "created_at:asc", "name:asc"] if kind == "blaxel" else ["name:asc"])
        tool = "list_tasks" if what == "tasks" else "list_jobs"
        worlds.append(World(judge, tool, {"sort": sort, "limit": dice.choice([1, 3, 20]), **arguments}))
    for world in ask(worlds):
        world.judge.judge_list(world.pages)


@each_fault
@PROPERTY
@given(DICE)
def test_nothing_failed_is_said_where_nothing_did(fault: str, dice: Random) -> None:
    worlds: list[World] = []
    for kind in dice.sample(KINDS, 1):
        liar, minutes, alone = make_liar(dice, kind, fault), dice.choice(WINDOWS), dice.choice([True, False])
        judge = Judge(liar, "alpha" if alone else None, begin(liar, minutes), {"failed", "timeout"})
        worlds.append(World(judge, "find_failures", {"since": f"{minutes}m", **({"job": "alpha"} if alone else {})}))
    for world in ask(worlds):
        judge_failures(world.judge, world.pages)


def judge_failures(judge: Judge, pages: Sequence[Page]) -> None:
    """Judge the pages of causes."""
    liar, last = judge.liar, pages[-1]
    counted = sum(cause["count"] for page in pages if not page.error for cause in rows_of(page.found, "causes"))
    # A circle that begins anew in another call repeats what that one cannot know.
    assert "circles" in liar.faults or counted <= len([row for row in liar.ever.values() if judge.may_list(row)])
    if not last.complete:
        return
    # What goes meanwhile may have been shown in a list of successes, and in that of failures no more.
    assert "changes" in liar.faults or counted >= len(judge.find_due(last))
    judge.judge_reach(pages)
    # RunWisp 1.x selects failures by its own judgement, so that a word of its own hides none.
    silent = liar.kind != "runwisp" and "nothing failed" in last.text and not last.found.get("notes")
    unknown = [row for row in judge.find_sent(last) if WORDS[row.word] == "strange"]
    judge.words = None
    assert not silent or not [row for row in unknown if judge.wants(row)]


@each_fault
@PROPERTY
@given(DICE)
def test_a_rate_is_of_what_there_was(fault: str, dice: Random) -> None:
    worlds: list[World] = []
    for kind in dice.sample(KINDS, 1):
        liar, minutes = make_liar(dice, kind, fault), dice.choice([150, 450])
        judge = Judge(liar, "alpha", begin(liar, minutes))
        worlds.append(World(judge, "history", {"job": "alpha", "since": f"{minutes}m"}))
    for world in ask(worlds):
        judge_rate(world.judge, world.pages)


def judge_rate(judge: Judge, pages: Sequence[Page]) -> None:
    """Judge a history."""
    page, liar = pages[-1], judge.liar
    hidden = "skips" in liar.faults and liar.kind != "blaxel"
    # An upstream that fails on the way has been believed so far.
    hidden = hidden or ("any order" in liar.faults and bool(page.notes("stopped early")))
    if not page.complete or hidden or liar.faults & {"unreadable", "changes"}:
        return
    shown = [liar.ever[one] for one in judge.find_due(page)]
    good, bad = (sum(WORDS[row.word] == kind for row in shown) for kind in ("good", "bad"))
    rate = page.found["current"].get("success_rate")
    assert rate == (round(good / (good + bad), 4) if good + bad else None)
    assert page.found["current"]["attempts"] == len(shown)
    judge.judge_reach(pages)


@each_fault
@pytest.mark.hypothesis  # As many worlds in CI as the properties.
def test_what_is_said_to_run_does_and_all_of_it_is_said(fault: str) -> None:
    for number in range(scale_examples(20)):
        dice = Random(f"active {fault} {number}")  # noqa: S311 # no secret
        liar, alone = make_liar(dice, dice.choice(KINDS), fault), dice.choice([True, False])
        judge = Judge(liar, "alpha" if alone else None, None, {"running"})
        arguments = {"limit": dice.choice([1, 3, 20]), **({"job": "alpha"} if alone else {})}
        (world,) = ask([World(judge, "list_active", arguments)])
        judge_active(judge, world.pages)


def judge_active(judge: Judge, pages: Sequence[Page]) -> None:
    """Judge the pages of what runs."""
    liar, last = judge.liar, pages[-1]
    listed = [row["id"] for page in pages if not page.error for row in rows_of(page.found)]
    assert {liar.ever[one].word for one in listed} <= {"running"}
    assert "circles" in liar.faults or len(listed) == len({*listed})
    # Which rows of a list that changes, or skips some, were there is not known.
    if last.complete and not liar.faults & {"changes", "skips"}:
        assert judge.find_due(last) <= {*listed}


@each_fault
@pytest.mark.hypothesis  # As many worlds in CI as the properties.
def test_a_rate_of_each_of_all_jobs_is_of_what_there_was(fault: str) -> None:
    for number in range(scale_examples(20)):
        dice = Random(f"history {fault} {number}")  # noqa: S311 # no secret
        liar, minutes = make_liar(dice, dice.choice(KINDS), fault), dice.choice([150, 450])
        begin(liar, minutes)
        judges = {name: Judge(liar, name, liar.now - timedelta(minutes=minutes)) for name in OWNERS}
        (world,) = ask([World(judges["alpha"], "history", {"since": f"{minutes}m", "limit": dice.choice([1, 20])})])
        judge_rates(judges, world.pages)


def judge_rates(judges: dict[str, Judge], pages: Sequence[Page]) -> None:
    """Judge the pages of a history of all jobs."""
    last, liar = pages[-1], judges["alpha"].liar
    rows = {row["name"]: row for page in pages if not page.error for row in rows_of(page.found)}
    for name, row in rows.items():
        sent = [one for one in judges[name].find_sent(last) if one.owner == name and not one.broken]
        assert not row.get("never_succeeded") or not [one for one in sent if WORDS[one.word] == "good"]
        # Where an upstream skips rows, a rate is of those that it listed.
        if last.complete and not liar.faults & {"unreadable", "changes", "skips"}:
            due = [liar.ever[one] for one in judges[name].find_due(last)]
            good, bad = (sum(WORDS[one.word] == kind for one in due) for kind in ("good", "bad"))
            assert row.get("rate") == (round(good / (good + bad), 2) if good + bad else None)
            assert row["runs"] == len(due)
