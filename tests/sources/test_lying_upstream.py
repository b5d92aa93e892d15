"""Whatever an upstream does: what an answer claims is true as far as what it was sent shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
from tests.sources.lying_upstream import FAULTS, KINDS, OWNERS, UNSEEN, WORDS, Liar, Row

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CALLS = 30
SETTINGS = {
    "blaxel": Settings(sources=(BlaxelSettings(name="one", url="http://liar.invalid/v0"),), default="one"),
    "runwisp": Settings(sources=(RunWispSettings(name="one", url="http://liar.invalid"),), default="one"),
}
STATUSES = {"failed,timeout": {"failed", "timeout"}, "succeeded": {"succeeded"}, "running": {"running"}}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try each request once."""
    monkeypatch.setattr(http_client, "HttpLimits", lambda: HttpLimits(attempts=1))


@st.composite
def liars(draw: st.DrawFn) -> Liar:
    """Return an upstream of some kind, with some rows and up to three faults."""
    faults = draw(st.frozensets(st.sampled_from(FAULTS), max_size=3))
    broken = st.sampled_from(["", "", "created", "status", "count"]) if "unreadable" in faults else st.just("")
    made = st.tuples(st.sampled_from(OWNERS), st.integers(0, 900), st.sampled_from([*WORDS]), broken)
    rows = [Row(number, *row) for number, row in enumerate(draw(st.lists(made, max_size=16)))]
    skew = timedelta(hours=1) if "other clock" in faults else timedelta()
    return Liar(
        draw(st.sampled_from(KINDS)), rows, NOW + skew, faults,
        seed=draw(st.integers(0, 99)), largest=draw(st.integers(1, 7)),
    )  # fmt: skip


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
        # The pages of keys of an upstream without an order can hide any row.
        hidden = self.liar.faults & UNSEEN or (self.liar.kind == "runwisp" and "any order" in self.liar.faults)
        if not hidden:
            known += self.at_first
        return {self.liar.id_of(row) for row in known if self.wants(row)}


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

    return anyio.run(asked)


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
    if judge.since and last["coverage"]["complete"]:
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


@st.composite
def windows(draw: st.DrawFn) -> tuple[str | None, int]:
    """Return `since` and its minutes; none has all."""
    minutes = draw(st.sampled_from([0, 150, 450, 1_500]))
    return (f"{minutes}m" if minutes else None), minutes


def begin(liar: Liar, minutes: int) -> datetime | None:
    """Return where a window begins by the upstream's clock; no row is created at that very moment."""
    liar.rows = [row for row in liar.rows if row.minutes != minutes]
    liar.ever = {liar.id_of(row): row for row in liar.rows}
    return liar.now - timedelta(minutes=minutes) if minutes else None


PROPERTY: Callable[[Callable[..., None]], Callable[..., None]] = settings(
    max_examples=scale_examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@PROPERTY
@given(
    liars(), windows(), st.sampled_from([None, *STATUSES]), st.sampled_from(["created_at:desc", "created_at:asc"]),
    st.sampled_from([1, 3, 20]),
)  # fmt: skip
def test_a_list_claims_what_is_true(
    liar: Liar, window: tuple[str | None, int], status: str | None, sort: str, limit: int
) -> None:
    since, minutes = window
    judge = Judge(liar, "alpha", begin(liar, minutes), STATUSES[status] if status else None)
    tool, name = ("list_executions", "job") if liar.kind == "blaxel" else ("list_runs", "task")
    given_ = {"since": since, "status": status}
    asked = {key: value for key, value in given_.items() if value}
    judge_list(judge, ask(liar, tool, **{name: "alpha"}, sort=sort, limit=limit, **asked))


@PROPERTY
@given(liars(), windows(), st.booleans())
def test_nothing_failed_is_said_where_nothing_did(liar: Liar, window: tuple[str | None, int], alone: bool) -> None:
    since, minutes = window[0] or "24h", window[1] or 1_440
    judge = Judge(liar, "alpha" if alone else None, begin(liar, minutes), {"failed", "timeout"})
    pages = ask(liar, "find_failures", since=since, **({"job": "alpha"} if alone else {}))
    last = pages[-1]
    counted = sum(cause["count"] for page in pages if "error" not in page for cause in rows_of(page, "causes"))
    assert counted <= len([row for row in liar.ever.values() if judge.may_list(row)])
    if "error" in last or not last["coverage"]["complete"]:
        return
    assert counted >= len(judge.shown())
    judge_reach(judge, last)
    silent = "nothing failed" in last["text"] and not last.get("notes")
    unknown = [row for row in judge.at_first if row.number in liar.sent and WORDS[row.word] == "strange"]
    judge.words = None
    assert not silent or not [row for row in unknown if judge.wants(row)]


@PROPERTY
@given(liars(), st.sampled_from([150, 450]))
def test_a_rate_is_of_what_there_was(liar: Liar, minutes: int) -> None:
    judge = Judge(liar, "alpha", begin(liar, minutes))
    (found,) = ask(liar, "history", job="alpha", since=f"{minutes}m")
    if "error" in found or not found["coverage"]["complete"] or liar.faults & {"unreadable", "changes"}:
        return
    shown = [liar.ever[one] for one in judge.shown()]
    good, bad = (sum(WORDS[row.word] == kind for row in shown) for kind in ("good", "bad"))
    rate = found["current"].get("success_rate")
    assert rate == (round(good / (good + bad), 4) if good + bad else None)
    assert found["current"]["attempts"] == len(shown)
    judge_reach(judge, found)
