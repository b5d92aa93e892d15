"""Questions about the sample as two upstreams behind a network in which something goes wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from tests.agents.asking import Question
from tests.agents.edge import broken, down, dropped, limited, slow
from tests.agents.reader import Call
from tests.agents.truth import BAD, WELL, nanos, newest, share, stamp
from tests.sample_client import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.agents.agent import Agent, Program
    from tests.agents.reader import Answer
    from tests.agents.world import World

__all__ = ["QUESTIONS"]

_ALL_TRIES = (3, 4, 5, 6)
"""A page that fails as often as it is asked for: the call has to end there."""


class _OfTwoSources(Question):
    data = "two sources"


class GettingWorse(_OfTwoSources):
    words = "Is invoice-export getting worse this week: which share succeeded, and which the week before?"
    budget = 520
    faults = (slow("/invoice-export/executions"),)

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("history", job="invoice-export", since="7d")
        assert answer.complete
        share, before = (answer.field("success") or "").split(" (")
        return share, before.split(" ")[0], ", worse" in before

    async def compute(self, program: Program) -> object:
        answer = await program.ask("history", job="invoice-export", since="7d")
        assert answer["coverage"]["complete"]
        share, before = (answer[which]["success_rate"] for which in ("current", "before"))
        return f"{share:.0%}", f"{before:.0%}", answer["trend"] == "worse"

    def truth(self, world: World) -> object:
        rows = world.rows.executions("invoice-export", NOW - timedelta(days=14))
        edge = nanos(NOW - timedelta(days=7))
        now = share(row for row in rows if row["created_at"] >= edge)
        before = share(row for row in rows if row["created_at"] < edge)
        # What anybody would call worse: ten points or more.
        return f"{now:.0%}", f"{before:.0%}", before - now >= 0.1


class LastSuccess(_OfTwoSources):
    words = "When was the last log-compaction that succeeded?"
    budget = 250
    faults = (dropped("/log-compaction/executions"),)

    async def read(self, agent: Agent) -> object:
        return (await agent.ask("get_job", job="log-compaction")).field("last success")

    async def compute(self, program: Program) -> object:
        return (await program.ask("get_job", job="log-compaction"))["record"]["last_success_at"]

    def truth(self, world: World) -> object:
        return stamp(newest(world.rows.executions("log-compaction"), WELL)["created_at"])


class TimedOut(_OfTwoSources):
    words = "How many runs of healthcheck-api timed out in the last 24 hours?"
    budget = 400
    faults = (broken("/api/runs", at=(2,)),)

    async def read(self, agent: Agent) -> object:
        return len(await agent.rows("list_runs", job="healthcheck-api", status="timeout", since="24h"))

    async def compute(self, program: Program) -> object:
        return len(await program.items("list_runs", job="healthcheck-api", status="timeout", since="24h"))

    def truth(self, world: World) -> object:
        rows = world.rows.runs("healthcheck-api", NOW - timedelta(days=1))
        return sum(row["word"] == "timeout" for row in rows)


class EveryFailedTask(_OfTwoSources):
    words = "Which tasks of the last backfill-embeddings (10,000 tasks) failed? Name each one once."
    budget = 21_000
    faults = (
        limited("/tasks", at=(1,)),
        broken("/tasks?", at=_ALL_TRIES, words="a page that fails for good midway"),
    )

    async def read(self, agent: Agent) -> object:
        offered = (await agent.ask("get_execution", job="backfill-embeddings")).next
        call = next(one for one in offered if "status" in one.arguments)
        answers = [answer async for answer in agent.walk(call.tool, **call.arguments)]
        assert [note for answer in answers for note in answer.notes if note.startswith("stopped early")]
        return sorted(row["name"] for answer in answers for row in answer.rows)

    async def compute(self, program: Program) -> object:
        offered = (await program.ask("get_execution", job="backfill-embeddings"))["next_calls"]
        call = next(one for one in map(Call.read, offered) if one and "status" in one.arguments)
        answers = [answer async for answer in program.walk(call.tool, **call.arguments)]
        assert [note for answer in answers for note in answer.get("notes", ()) if note.startswith("stopped early")]
        return sorted(item["name"] for answer in answers for item in answer["items"])

    def truth(self, world: World) -> object:
        tasks = world.rows.tasks(world.rows.executions("backfill-embeddings")[0]["key"])
        return sorted(task["name"] for task in tasks if task["status"] == "failed")


class _AnythingFailed(_OfTwoSources):
    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("find_failures", since="10m")
        nothing = answer.complete and "nothing failed" in answer.text
        return {source: self._known(source, answer, nothing=nothing) for source in answer.sources}

    def _known(self, source: str, answer: Answer, *, nothing: bool) -> str:
        if source in answer.errors:
            return "not known"
        # Without a call that goes on, what can be read was read.
        return "nothing" if nothing or (not answer.rows and answer.more is None) else "something"

    async def compute(self, program: Program) -> object:
        answer = await program.ask("find_failures", since="10m")
        failed = {cause["source"] for cause in answer["causes"]}
        whole = "cursor" not in answer
        return {
            source: "not known"
            if source in answer.get("errors", {})
            else "something"
            if source in failed or not whole
            else "nothing"
            for source in answer["sources"]
        }


class NothingFailed(_AnythingFailed):
    words = "Did anything fail in the last ten minutes, in either source?"
    budget = 140
    faults = (limited("prod.invalid"),)

    def truth(self, world: World) -> object:
        since = NOW - timedelta(minutes=10)
        both = {"prod": world.rows.executions(since=since), "cron": world.rows.runs(since=since)}
        return {
            source: "something" if any(row["word"] in BAD for row in rows) else "nothing"
            for source, rows in both.items()
        }


class NothingKnown(_AnythingFailed):
    words = "The same while one source is down: of which source is it not known?"
    budget = 200
    faults = (down("cron.invalid"),)

    def truth(self, world: World) -> object:
        rows = world.rows.executions(since=NOW - timedelta(minutes=10))
        return {"prod": "something" if any(row["word"] in BAD for row in rows) else "nothing", "cron": "not known"}


class CursorTooOld(_OfTwoSources):
    words = "Which fraud-scoring executions began 28 to 26 hours ago? (After the first page, 25 hours pass.)"
    budget = 2_000
    sleeps: ClassVar[Mapping[int, int]] = {2: 25}
    _asked: ClassVar[Mapping[str, Any]] = {"job": "fraud-scoring", "since": "28h", "until": "26h", "limit": 5}

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("list_executions", **self._asked)
        found: list[str] = []
        refusals = 0
        while True:
            found += [row["id"] for row in answer.rows]
            if answer.more is None:
                return sorted(found), refusals
            answer = await agent.make(answer.more)
            if answer.refused:
                (again,) = answer.calls()
                answer, found, refusals = await agent.make(again), [], refusals + 1

    async def compute(self, program: Program) -> object:
        answer = await program.ask("list_executions", **self._asked)
        # The bounds as they were resolved: 28 hours ago has moved on since.
        again = {**self._asked, "since": answer["window"]["since"], "until": answer["window"]["until"]}
        found: list[str] = []
        refusals = 0
        while True:
            found += [item["id"] for item in answer["items"]]
            if "cursor" not in answer:
                return sorted(found), refusals
            answer = await program.ask("list_executions", cursor=answer["cursor"])
            if "error" in answer:
                answer, found, refusals = await program.ask("list_executions", **again), [], refusals + 1

    def truth(self, world: World) -> object:
        rows = world.rows.executions("fraud-scoring", NOW - timedelta(hours=28))
        # The cursor is refused once.
        return sorted(row["id"] for row in rows if row["created_at"] <= nanos(NOW - timedelta(hours=26))), 1


class CursorMiscopied(_OfTwoSources):
    words = "Which runs of report-usage are there this week? (The first cursor is copied with its end missing.)"
    budget = 3_200
    faults = (dropped("/api/runs", at=(3,)),)

    async def read(self, agent: Agent) -> object:
        first = await agent.ask("list_runs", job="report-usage", since="7d")
        assert first.more
        refused = await agent.ask("list_runs", cursor=first.more.arguments["cursor"][:-2])
        assert refused.refused
        assert "copy the whole cursor" in refused.text
        rest = await agent.rows("list_runs", **first.more.arguments)
        return sorted([row["id"] for row in (*first.rows, *rest)])

    async def compute(self, program: Program) -> object:
        first = await program.ask("list_runs", job="report-usage", since="7d")
        refused = await program.ask("list_runs", cursor=first["cursor"][:-2])
        assert "copy the whole cursor" in refused["error"]
        rest = await program.items("list_runs", cursor=first["cursor"])
        return sorted([item["id"] for item in (*first["items"], *rest)])

    def truth(self, world: World) -> object:
        return sorted(row["id"] for row in world.rows.runs("report-usage", NOW - timedelta(days=7)))


QUESTIONS = (
    GettingWorse(), LastSuccess(), TimedOut(), EveryFailedTask(), NothingFailed(), NothingKnown(), CursorTooOld(),
    CursorMiscopied(),
)  # fmt: skip
