"""Questions about two sources that one call answers, whatever goes wrong with either."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.agents.asking import InOneCall, call_of
from tests.agents.earlier import MOST, attempts_of, created, histories, job_with, list_every, unfinished
from tests.agents.edge import broken, down, dropped, limited, slow
from tests.agents.reader import seconds
from tests.agents.truth import BAD, WELL, last_reason, missed, nanos, of_each_job, share, stamp
from tests.sample_client import BIG, NOW

if TYPE_CHECKING:
    from tests.agents.agent import Agent, Program
    from tests.agents.reader import Answer
    from tests.agents.truth import Row
    from tests.agents.world import World

__all__ = ["QUESTIONS"]

WEEK = NOW - timedelta(days=7)
EVENING, MORNING = NOW.replace(hour=18) - timedelta(days=1), NOW.replace(hour=6)
LATE = timedelta(minutes=20)
LOST = "exec-f536d2245abb"
"""An execution whose id somebody has in a message, and nothing else."""


class _OfTwoSources(InOneCall):
    data = "two sources"


class WhatGotWorse(_OfTwoSources):
    words = "Whose success rate fell the most this week, from what to what?"
    call = "history(since='7d', sort='change', limit=1)"
    budget = 340
    faults = (slow("/invoice-export/executions"),)

    def in_text(self, answer: Answer) -> object:
        row = answer.rows[0]
        return row["job"], row["before"], row["success"]

    def in_structure(self, answer: dict[str, Any]) -> object:
        row = answer["items"][0]
        return row["name"], f"{row['rate_before']:.0%}", f"{row['rate']:.0%}"

    async def find_as_before(self, agent: Agent) -> object:
        told = {job: answer.field("success") or "" for job, answer in (await histories(agent)).items()}
        rates = {
            job: (before.split(" ")[0], now)
            for job, text in told.items()
            for now, _, before in [text.partition(" (")]
            if "%" in before.split(" ")[0] and "%" in now
        }
        worst = max(rates, key=lambda job: int(rates[job][0][:-1]) - int(rates[job][1][:-1]))
        return worst, *rates[worst]

    def truth(self, world: World) -> object:
        rows = [row for row in world.rows.attempts(WEEK - timedelta(days=7)) if row["word"] in WELL | BAD]
        edge = nanos(WEEK)
        now = of_each_job(row for row in rows if row["created_at"] >= edge)
        before = of_each_job(row for row in rows if row["created_at"] < edge)
        fell = {job: share(before[job]) - share(now[job]) for job in now.keys() & before.keys()}
        worst = max(fell, key=lambda job: fell[job])
        return worst, f"{share(before[worst]):.0%}", f"{share(now[worst]):.0%}"


class WhatIsGoingOn(_OfTwoSources):
    words = "What is queued or running now, and for how long does the oldest batch execution run?"
    call = "list_active()"
    most_calls = 2
    budget = 1_000
    faults = (limited("/api/runs", at=(1,)),)

    async def read(self, agent: Agent) -> object:
        answer = await agent.make(call_of(self.call))
        # Of a job with many executions the newest are read first; the note names the call that looks further.
        further = [await agent.make(call) for call in answer.calls() if call.tool == "list_active"]
        rows = [row for one in (answer, *further) for row in one.rows]
        return {row["id"] for row in rows}, self._oldest(rows)

    def _oldest(self, rows: list[dict[str, str]]) -> int:
        return round(
            max(seconds(row["so far"]) for row in rows if row["kind"] == "execution" and row["status"] != "queued")
        )

    async def compute(self, program: Program) -> object:
        answers = [await program.make(call_of(self.call))]
        calls = [note.partition(": ")[2].partition(" reads its")[0] for note in answers[0].get("notes", ())]
        answers += [await program.make(call_of(call)) for call in calls if call.startswith("list_active")]
        rows = [{**one.get("common", {}), **item} for one in answers for item in one["items"]]
        running = [row for row in rows if row["kind"] == "execution" and row["status"] != "queued"]
        return {row["id"] for row in rows}, round(max(row["so_far_s"] for row in running))

    async def find_as_before(self, agent: Agent) -> object:
        rows = await unfinished(agent)
        running = [row for row in rows if row["id"].startswith("exec-") and row["status"].startswith("running")]
        oldest = min(running, key=lambda row: row["created"])
        answer = await agent.ask("get_execution", job=oldest["job"], execution=oldest["id"])
        return {row["id"] for row in rows}, round(seconds(answer.field("ran") or ""))

    def truth(self, world: World) -> object:
        rows = [row for row in world.rows.attempts() if row["ended_at"] is None]
        running = [row for row in world.rows.executions() if row["word"] in {"running", "cancelling"}]
        return {row["id"] for row in rows}, round((nanos(NOW) - min(row["started_at"] for row in running)) / 1e9)


class WhileOneIsDown(_OfTwoSources):
    words = "Which batch executions run or wait now, and of which source is that not known?"
    call = "list_active()"
    budget = 800
    faults = (down("cron.invalid"),)

    def in_text(self, answer: Answer) -> object:
        assert not answer.complete
        return {row["id"] for row in answer.rows}, {*answer.errors}

    def in_structure(self, answer: dict[str, Any]) -> object:
        return {item["id"] for item in answer["items"]}, {*answer["errors"]}

    async def find_as_before(self, agent: Agent) -> object:
        listed = [answer async for answer in agent.walk("list_jobs", source="prod", limit=MOST)]
        ids: set[str] = set()
        for job in (row["name"] for answer in listed for row in answer.rows):
            rows = await agent.rows("list_executions", job=job, status="queued,running", since="2d", source="prod")
            ids |= {row["id"] for row in rows}
        refused = await agent.ask("list_runs", status="queued,running", source="cron")
        return ids, {"cron"} if refused.refused else set[str]()

    def truth(self, world: World) -> object:
        return {row["id"] for row in world.rows.executions() if row["ended_at"] is None}, {"cron"}


class ClocksDiffer(_OfTwoSources):
    words = "For how long have those preview-builds run that still do?"
    call = "list_active(job='preview-build')"
    budget = 420
    slow_clock = LATE
    besides = ("Jobtrail's clock is 20 minutes slow",)

    def in_text(self, answer: Answer) -> object:
        return sorted(round(seconds(row["so far"])) for row in answer.rows)

    def in_structure(self, answer: dict[str, Any]) -> object:
        return sorted(round(item["so_far_s"]) for item in answer["items"])

    async def find_as_before(self, agent: Agent) -> object:
        rows = await agent.rows("list_executions", job="preview-build", status="running", since="2d")
        asked = [await agent.ask("get_execution", job="preview-build", execution=row["id"]) for row in rows]
        return sorted(round(seconds(answer.field("ran") or "")) for answer in asked)

    def truth(self, world: World) -> object:
        rows = [row for row in world.rows.executions("preview-build") if row["ended_at"] is None]
        return sorted(round((nanos(NOW) - row["started_at"]) / 1e9) for row in rows)


class ShouldHaveRun(_OfTwoSources):
    words = "What should have run this week by its schedule and did not, and how often?"
    call = "find_missed(since='7d')"
    budget = 420
    faults = (broken("/api/runs", at=(2,)),)

    def in_text(self, answer: Answer) -> object:
        assert answer.complete
        return {row["job"]: int(row["missed"]) for row in answer.rows if row["state"] == "missed"}

    def in_structure(self, answer: dict[str, Any]) -> object:
        assert answer["coverage"]["complete"]
        items = [{**answer.get("common", {}), **item} for item in answer["items"]]
        return {item["job"]: item["missed"] for item in items if item["state"] == "missed"}

    async def find_as_before(self, agent: Agent) -> object:
        found: dict[str, int] = {}
        for job in await list_every(agent):
            if cron := job.get("schedule", "").removesuffix(" (UTC)"):
                # A day more, to tell what did not run at first from what is not kept.
                begun = created(await attempts_of(agent, job, since="8d"))
                found[job["name"]] = missed(cron, begun, WEEK, NOW) if begun else 0
        return {name: count for name, count in found.items() if count}

    def truth(self, world: World) -> object:
        ran = of_each_job(world.rows.attempts())
        counts = {
            job: missed(cron, [row["created_at"] for row in ran[job]], WEEK, NOW)
            for job, cron in world.rows.schedules().items()
        }
        return {job: count for job, count in counts.items() if count}


class SinceWhen(_OfTwoSources):
    words = "Since when does crm-sync fail of what it failed of last?"
    call = "compare(job='crm-sync')"
    budget = 520
    faults = (dropped("/crm-sync/executions"),)

    def in_text(self, answer: Answer) -> object:
        (cause,) = answer.table("before")
        assert "(all that is kept)" in answer.text
        return cause["cause"].partition(":")[0], cause["since"]

    def in_structure(self, answer: dict[str, Any]) -> object:
        (cause,) = answer["causes"]
        assert answer["coverage"]["complete"]
        return cause["cause"].partition(":")[0], cause["first_at"]

    async def find_as_before(self, agent: Agent) -> object:
        rows = await agent.rows("list_executions", job="crm-sync", status="failed", limit=MOST)
        causes = {
            row["created"]: (await agent.ask("get_execution", job="crm-sync", execution=row["id"])).rows
            for row in rows
        }
        why = causes[max(causes)][0]["example"].partition(":")[0]
        return why, min(at for at, groups in causes.items() if any(row["example"].startswith(why) for row in groups))

    def truth(self, world: World) -> object:
        rows = world.rows.executions("crm-sync")
        why = {row["created_at"]: {last_reason(task) for task in _failed(world, row)} for row in rows}
        (newest,) = why[max(at for at in why if why[at])]
        return newest, stamp(min(at for at, reasons in why.items() if newest in reasons))


def _failed(world: World, execution: Row) -> list[Row]:
    return [task for task in world.rows.tasks(execution["key"]) if task["status"] == "failed"]


class AllFailedNames(_OfTwoSources):
    words = "All names of the tasks of the last backfill-embeddings that failed (298 of 10,000)?"
    call = "list_tasks(job='backfill-embeddings', status='failed', fields='name', limit=100)"
    most_calls = 3
    budget = 2_600
    faults = (slow("/tasks?", at=(3,)),)

    async def read(self, agent: Agent) -> object:
        call = call_of(self.call)
        answers = [answer async for answer in agent.walk(call.tool, **call.arguments)]
        return sorted(line for answer in answers for line in answer.lines if line.startswith("task-"))

    async def compute(self, program: Program) -> object:
        call = call_of(self.call)
        return sorted(item["name"] for item in await program.items(call.tool, **call.arguments))

    async def find_as_before(self, agent: Agent) -> object:
        return sorted(row["name"] for row in await agent.rows("list_tasks", **BIG, status="failed", limit=MOST))

    def truth(self, world: World) -> object:
        return sorted(task["name"] for task in _failed(world, world.rows.executions(BIG["job"])[0]))


class OnlyAnId(_OfTwoSources):
    words = f"What became of {LOST}, and of which job is it? (Only the id is known.)"
    call = f"get_execution(execution='{LOST}')"
    budget = 380
    faults = (broken("/embed-documents/executions"),)

    def in_text(self, answer: Answer) -> object:
        return (
            answer.header[0].rpartition(" of ")[2],
            answer.counts["failed"],
            answer.rows[0]["example"].partition(":")[0],
        )

    def in_structure(self, answer: dict[str, Any]) -> object:
        why = answer["failures"][0]["example"].partition(":")[0]
        return answer["execution"]["job"], answer["execution"]["failed"], why

    async def find_as_before(self, agent: Agent) -> object:
        job = await job_with(agent, LOST)
        return self.in_text(await agent.ask("get_execution", job=job, execution=LOST))

    def truth(self, world: World) -> object:
        one = next(row for row in world.rows.executions() if row["id"] == LOST)
        reasons = Counter(last_reason(task) for task in _failed(world, one))
        return one["job"], reasons.total(), reasons.most_common(1)[0][0]


class LastNight(_OfTwoSources):
    words = "What failed last night, from 18:00 to 6:00 UTC, and how often in each job?"
    call = "find_failures(since='last night', until='last night', limit=100)"
    budget = 1_150
    faults = (limited("prod.invalid"), slow("cron.invalid"))

    def in_text(self, answer: Answer) -> object:
        assert answer.complete
        counts: Counter[str] = Counter()
        for row in answer.rows:
            counts[row["job"]] += int(row["count"])
        return counts

    def in_structure(self, answer: dict[str, Any]) -> object:
        assert answer["coverage"]["complete"]
        counts: Counter[str] = Counter()
        for cause in answer["causes"]:
            counts[cause["job"]] += cause["count"]
        return counts

    async def find_as_before(self, agent: Agent) -> object:
        window = {
            "since": f"{EVENING:%Y-%m-%dT%H:%M:%SZ}",
            "until": f"{MORNING - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}",
        }
        return self.in_text(await agent.ask("find_failures", **window, limit=MOST))

    def truth(self, world: World) -> object:
        rows = [row for row in world.rows.attempts(EVENING) if row["created_at"] < nanos(MORNING)]
        return Counter(row["job"] for row in rows if row["word"] in BAD)


QUESTIONS = (
    WhatGotWorse(), WhatIsGoingOn(), WhileOneIsDown(), ClocksDiffer(), ShouldHaveRun(), SinceWhen(), AllFailedNames(),
    OnlyAnId(), LastNight(),
)  # fmt: skip
