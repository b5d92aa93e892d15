"""Whatever an upstream does: what an answer claims is true as far as what it was sent shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from hypothesis import HealthCheck, event, given, settings
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
from tests.sources.lying_upstream import FAULTS, KINDS, OWNERS, UNSEEN, WORDS, Liar, Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

MOST_CALLS = 30
SETTINGS = {
    "blaxel": Settings(sources=(BlaxelSettings(name="one", url="http://liar.invalid/v0"),), default="one"),
    "runwisp": Settings(sources=(RunWispSettings(name="one", url="http://liar.invalid"),), default="one"),
}
_WORDS = [*WORDS, "failed", "failed", "succeeded"]
_ALONE, _APART = 0.8, 0.9
# Disorder shows only in some windows.
_LIKELY = [*FAULTS, *["any order"] * 4]
STATUSES = {"failed,timeout": {"failed", "timeout"}, "succeeded": {"succeeded"}, "running": {"running"}}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try each request once."""
    monkeypatch.setattr(http_client, "HttpLimits", lambda: HttpLimits(attempts=1))


def make_liar(dice: Random) -> Liar:
    """Return an upstream of some kind, with rows and faults: mostly one alone, sometimes several, seldom none.

    Most rows are of the owner that is asked for, at moments that differ, and in pages of a few: what a fault does
    shows only where there is something before it and behind it.
    """
    most = 1 if dice.random() < _ALONE else 3
    faults = frozenset(dice.sample(_LIKELY, dice.randint(most // 2 if most > 1 else 1, most)))
    number = dice.choice([*range(8, 17), *range(3)])
    moments = [dice.randint(1, 900) if dice.random() < _APART else 60 for _ in range(number)]
    broken = ["", "", "created", "status", "count"] if "unreadable" in faults else [""]
    owners = [OWNERS[0]] * 3 + [OWNERS[1]]
    rows = [
        Row(place, dice.choice(owners), moment, dice.choice(_WORDS), dice.choice(broken))
        for place, moment in enumerate(moments)
    ]
    skew = timedelta(hours=1) if "other clock" in faults else timedelta()
    return Liar(
        dice.choice(KINDS),
        rows,
        NOW + skew,
        faults,
        seed=dice.randint(0, 99),
        largest=dice.choice([1, 2, 3, 3, 4, 4]),
    )


@dataclass
class Judge:
    """What an answer may claim of an upstream's rows.

    Attributes:
        since: where the window began, by the upstream's clock; None for no window.
        words: the raw statuses that were asked for; None for all.
    """

    liar: Liar
    owner: str | None
    since: datetime | None = None
    words: set[str] | None = None
    at_first: list[Row] = field(default_factory=list[Row])

    def __post_init__(self) -> None:
        self.at_first = [*self.liar.rows]

    def wants(self, row: Row) -> bool:
        """Return whether a row is certainly one of those that were asked for."""
        if row.broken == "created" and self.since:
            return False
        inside = self.since is None or self.liar.created(row) >= self.since
        fits = self.words is None or (row.word in self.words and row.broken != "status")
        return self.owner in {None, row.owner} and inside and fits

    def may_list(self, row: Row) -> bool:
        """Return whether a row may be listed; one without a time may be in any window."""
        inside = self.since is None or row.broken == "created" or self.liar.created(row) >= self.since
        fits = self.words is None or (row.word in self.words and row.broken != "status")
        return self.owner in {None, row.owner} and inside and fits

    def shown(self) -> set[str]:
        """Return the ids that a complete answer has: what was sent, and what was there if nothing is hidden."""
        known = [row for row in self.at_first if row.number in self.liar.sent]
        # Pages of keys, and a walk that ends with its window, go by the order of what was sent.
        by_order = self.liar.kind == "runwisp" or self.since is not None
        hidden = self.liar.faults & UNSEEN or (by_order and "any order" in self.liar.faults)
        if not hidden:
            known += self.at_first
        if self.liar.faults >= {"any order", "changes"}:
            # Another disorder each time.
            known = []
        if self.liar.kind == "runwisp" and "any order" in self.liar.faults:
            # No page of keys need show that it is out of order with the one before (docs/paging.md).
            known = []
        # What is gone by the end may have been shown and gone before its turn.
        return {self.liar.id_of(row) for row in known if self.wants(row) and row in self.liar.rows}


async def walk(client: Client, tool: str, **arguments: Any) -> list[dict[str, Any]]:
    """Return the pages of a walk, up to one that is an error."""
    pages: list[dict[str, Any]] = []
    for _ in range(MOST_CALLS):
        result = await client.call_tool(tool, arguments)
        if result.is_error:
            pages.append({"error": text_of(result)})
            break
        assert result.structured_content is not None
        pages.append({**result.structured_content, "text": text_of(result)})
        if "cursor" not in result.structured_content:
            break
        arguments = {"cursor": result.structured_content["cursor"]}
    return pages


def ask(liar: Liar, tool: str, **arguments: Any) -> list[dict[str, Any]]:
    """Make a call and go on with its cursors."""

    async def asked() -> list[dict[str, Any]]:
        known = SETTINGS["blaxel" if liar.kind == "blaxel" else "runwisp"]
        server = build_server(known, httpx2.MockTransport(liar), FixedClock(moment=NOW))
        with anyio.fail_after(30):
            async with Client(server) as client:
                return await walk(client, tool, **arguments)

    pages = anyio.run(asked)
    count(pages)
    return pages


def count(pages: list[dict[str, Any]]) -> None:
    """Let `--hypothesis-show-statistics` say of how many worlds what was judged."""
    last = pages[-1]
    event(
        "a world whose answer is "
        + ("an error" if "error" in last else "complete" if last["coverage"]["complete"] else "not complete")
    )
    event(f"a world of {len(pages)} answers")


def judge_list(judge: Judge, pages: list[dict[str, Any]]) -> None:
    """Judge the pages of a list."""
    liar, last = judge.liar, pages[-1]
    listed = [one["id"] for page in pages if "error" not in page for one in rows_of(page)]
    assert all(judge.may_list(liar.ever[one]) for one in listed)
    for page in pages:
        ids = [one["id"] for one in page.get("items", ())]
        assert len(ids) == len(set(ids))
    if "error" in last or "cursor" in last:
        return
    if last["coverage"]["complete"]:
        assert judge.shown() <= set(listed)
    if last["total"]["kind"] == "exact":
        assert last["total"]["value"] == len(set(listed)) == len(listed)
        assert last["coverage"]["complete"]
    # Oldest first, only the first page shows where a list begins.
    if judge.since and last["coverage"]["complete"] and (len(pages) == 1 or last["sort"].endswith("desc")):
        judge_reach(judge, last)


def judge_reach(judge: Judge, answer: dict[str, Any]) -> None:
    """Judge what an answer says of a window that begins before anything its upstream keeps."""
    liar = judge.liar
    kept = [row for row in judge.at_first if judge.owner in {None, row.owner} and row.minutes <= liar.kept]
    if liar.faults != frozenset({"forgets"}) or not kept or judge.since is None:
        return
    oldest = min(liar.created(row) for row in kept)
    told = answer["coverage"]["back_to"]
    assert datetime.fromisoformat(told) == max(judge.since, oldest)
    noted = any("oldest there is: " in note for note in answer.get("notes", ()))
    # A history looks at the window before as well.
    assert noted or oldest <= judge.since
    assert not noted or oldest > judge.since or "before" in answer


def begin(liar: Liar, minutes: int) -> datetime | None:
    """Return where a window begins by the upstream's clock; no row is created at that very moment."""
    liar.rows = [row for row in liar.rows if row.minutes != minutes]
    liar.ever = {liar.id_of(row): row for row in liar.rows}
    return liar.now - timedelta(minutes=minutes) if minutes else None


WINDOWS = [0, 150, 300, 450, 600, 1_500]
"""Minutes; 0 for no window."""
DICE = st.randoms(use_true_random=True)
"""Hypothesis would try one kind of world many times and others never: here each is as likely as another."""
PROPERTY: Callable[[Callable[..., None]], Callable[..., None]] = settings(
    max_examples=scale_examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@PROPERTY
@given(DICE)
def test_a_list_claims_what_is_true(dice: Random) -> None:
    liar, minutes, status = make_liar(dice), dice.choice(WINDOWS), dice.choice([None, None, *STATUSES])
    judge = Judge(liar, "alpha", begin(liar, minutes), STATUSES[status] if status else None)
    tool, name = ("list_executions", "job") if liar.kind == "blaxel" else ("list_runs", "job")
    given_ = {"since": minutes and f"{minutes}m", "status": status}
    asked = {key: value for key, value in given_.items() if value}
    sort, limit = dice.choice(["created_at:desc", "created_at:asc"]), dice.choice([1, 3, 20])
    judge_list(judge, ask(liar, tool, **{name: "alpha"}, sort=sort, limit=limit, **asked))


@PROPERTY
@given(DICE)
def test_nothing_failed_is_said_where_nothing_did(dice: Random) -> None:
    liar, minutes, alone = make_liar(dice), dice.choice(WINDOWS) or 1_440, dice.choice([True, False])
    judge = Judge(liar, "alpha" if alone else None, begin(liar, minutes), {"failed", "timeout"})
    pages = ask(liar, "find_failures", since=f"{minutes}m", **({"job": "alpha"} if alone else {}))
    last = pages[-1]
    counted = sum(cause["count"] for page in pages if "error" not in page for cause in rows_of(page, "causes"))
    # A circle that begins anew in another call repeats what that one cannot know.
    assert "circles" in liar.faults or counted <= len([row for row in liar.ever.values() if judge.may_list(row)])
    if "error" in last or not last["coverage"]["complete"]:
        return
    # What goes meanwhile may have been shown in a list of successes, and in that of failures no more.
    assert "changes" in liar.faults or counted >= len(judge.shown())
    judge_reach(judge, last)
    # RunWisp 1.x selects failures by its own judgement, so that a word of its own hides none.
    silent = liar.kind != "runwisp" and "nothing failed" in last["text"] and not last.get("notes")
    unknown = [row for row in judge.at_first if row.number in liar.sent and WORDS[row.word] == "strange"]
    judge.words = None
    assert not silent or not [row for row in unknown if judge.wants(row)]


@PROPERTY
@given(DICE)
def test_a_rate_is_of_what_there_was(dice: Random) -> None:
    liar, minutes = make_liar(dice), dice.choice([150, 450])
    judge = Judge(liar, "alpha", begin(liar, minutes))
    (found,) = ask(liar, "history", job="alpha", since=f"{minutes}m")
    if "error" in found or not found["coverage"]["complete"] or liar.faults & {"unreadable", "changes", "any order"}:
        return
    shown = [liar.ever[one] for one in judge.shown()]
    good, bad = (sum(WORDS[row.word] == kind for row in shown) for kind in ("good", "bad"))
    rate = found["current"].get("success_rate")
    assert rate == (round(good / (good + bad), 4) if good + bad else None)
    assert found["current"]["attempts"] == len(shown)
    judge_reach(judge, found)
