"""Questions about the sample workspace through the embedded source, at a fixed time."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.agents.asking import Question
from tests.agents.reader import seconds
from tests.agents.truth import BAD, WELL, last_reason, newest, stamp
from tests.sample_client import NOW

if TYPE_CHECKING:
    from tests.agents.agent import Agent, Program
    from tests.agents.world import World

__all__ = ["QUESTIONS"]

MOST = 100
"""What the tools say a `limit` can be at the most."""


class _OfTheSample(Question):
    data = "sample"


class WhatFailed(_OfTheSample):
    words = "What failed since yesterday, and how often in each job?"
    budget = 2_700

    async def read(self, agent: Agent) -> object:
        answers = [answer async for answer in agent.walk("find_failures", since="yesterday")]
        counts: Counter[str] = Counter()
        for row in (row for answer in answers for row in answer.rows):
            counts[row["job"]] += int(row["count"])
        return counts

    async def compute(self, program: Program) -> object:
        answers = [answer async for answer in program.walk("find_failures", since="yesterday")]
        assert answers[-1]["coverage"]["complete"]
        counts: Counter[str] = Counter()
        for cause in (cause for answer in answers for cause in answer["causes"]):
            counts[cause["job"]] += cause["count"]
        return counts

    def truth(self, world: World) -> object:
        midnight = NOW.replace(hour=0) - timedelta(days=1)
        return Counter(row["job"] for row in world.rows.attempts(midnight) if row["word"] in BAD)


class WhyTheNewestFailed(_OfTheSample):
    words = "Why did the newest nightly-etl fail, and how many of its tasks?"
    budget = 380

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("get_execution", job="nightly-etl")
        first = answer.rows[0]
        return first["example"].partition(":")[0], answer.counts["failed"]

    async def compute(self, program: Program) -> object:
        answer = await program.ask("get_execution", job="nightly-etl")
        return answer["failures"][0]["example"].partition(":")[0], answer["execution"]["failed"]

    def truth(self, world: World) -> object:
        tasks = world.rows.tasks(world.rows.executions("nightly-etl")[0]["key"])
        reasons = Counter(last_reason(task) for task in tasks if task["status"] == "failed")
        return reasons.most_common(1)[0][0], reasons.total()


class OutOfMemory(_OfTheSample):
    words = "How many tasks of the last backfill-embeddings were killed for want of memory, and which was the first?"
    budget = 760

    async def read(self, agent: Agent) -> object:
        rows = (await agent.ask("get_execution", job="backfill-embeddings")).rows
        killed = next(row for row in rows if "exceeded its memory limit" in row["example"])
        return int(killed["count"]), killed["tasks"].split(", ")[0]

    async def compute(self, program: Program) -> object:
        groups = (await program.ask("get_execution", job="backfill-embeddings"))["failures"]
        killed = next(group for group in groups if "exceeded its memory limit" in group["example"])
        return killed["count"], killed["tasks"][0]

    def truth(self, world: World) -> object:
        tasks = world.rows.tasks(world.rows.executions("backfill-embeddings")[0]["key"])
        killed = [task for task in tasks if task["status"] == "failed" and last_reason(task) == "OOMKilled"]
        return len(killed), killed[0]["name"]


class LastNightsBackup(_OfTheSample):
    words = "Did the Postgres backup run last night, and with which exit code?"
    budget = 300

    async def read(self, agent: Agent) -> object:
        (task,) = (await agent.ask("list_jobs", query="postgres")).rows
        (run,) = (await agent.ask("list_runs", job=task["name"], since="today", limit=1)).rows
        return run["status"], int(run["exit"])

    async def compute(self, program: Program) -> object:
        (task,) = (await program.ask("list_jobs", query="postgres"))["items"]
        (run,) = (await program.ask("list_runs", job=task["name"], since="today", limit=1))["items"]
        return run["status"], run["exit_code"]

    def truth(self, world: World) -> object:
        run = world.rows.runs("backup-postgres", NOW.replace(hour=0))[0]
        return "succeeded" if run["word"] in WELL else run["word"], run["exit_code"]


class IsItDone(_OfTheSample):
    words = "Is the newest preview-build done yet, and how many of its tasks are?"
    budget = 180

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("get_execution", job="preview-build")
        ended = sum(answer.counts.get(word, 0) for word in ("succeeded", "failed", "cancelled"))
        return not answer.verdict.startswith(("running", "queued")), ended, answer.counts["tasks"]

    async def compute(self, program: Program) -> object:
        one = (await program.ask("get_execution", job="preview-build"))["execution"]
        ended = sum(one.get(word, 0) for word in ("succeeded", "failed", "cancelled"))
        return "ended_at" in one, ended, one["tasks"]

    def truth(self, world: World) -> object:
        one = world.rows.executions("preview-build")[0]
        tasks = world.rows.tasks(one["key"])
        return one["ended_at"] is not None, sum(task["ended_at"] is not None for task in tasks), len(tasks)


class NeverRun(_OfTheSample):
    words = "Which batch job has never run?"
    budget = 1_150

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("history", limit=MOST)
        assert answer.complete
        return [row["job"] for row in answer.rows if row["kind"] == "job" and row["last"] == "never ran"]

    async def compute(self, program: Program) -> object:
        answer = await program.ask("history", limit=MOST)
        assert answer["coverage"]["complete"]
        items = [{**answer.get("common", {}), **item} for item in answer["items"]]
        return [item["name"] for item in items if item["kind"] == "job" and "last_status" not in item]

    def truth(self, world: World) -> object:
        ran = {row["job"] for row in world.rows.executions()}
        return sorted(set(world.rows.jobs()) - ran)


class SlowestTask(_OfTheSample):
    words = "Which task of the last backfill-embeddings took longest, and how many seconds?"
    budget = 760

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("get_execution", job="backfill-embeddings")
        (slowest,) = answer.after("slowest of ")
        name, took = slowest.partition(": ")[2].split(", ")[0].split(" ")
        return name, seconds(took)

    async def compute(self, program: Program) -> object:
        first = (await program.ask("get_execution", job="backfill-embeddings"))["slowest"][0]
        return first["name"], round(first["duration_s"])

    def truth(self, world: World) -> object:
        tasks = world.rows.tasks(world.rows.executions("backfill-embeddings")[0]["key"])
        slowest = max(tasks, key=lambda task: task["ended_at"] - task["started_at"])
        return slowest["name"], round((slowest["ended_at"] - slowest["started_at"]) / 1e9)


class OnWhichSchedule(_OfTheSample):
    words = "On which schedule does reindex-search run, and when does it run next?"
    budget = 200

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("get_job", job="reindex-search")
        return answer.field("schedule"), answer.field("next run")

    async def compute(self, program: Program) -> object:
        job = (await program.ask("get_job", job="reindex-search"))["job"]
        return job["schedule"], job["next_run_at"]

    def truth(self, world: World) -> object:
        defined = world.rows.definition("reindex-search")
        return f"{defined['cron']} ({defined['timezone']})", defined["nextRunAt"]


class WhichRecovered(_OfTheSample):
    words = "Which jobs that failed in the last 24 hours have recovered since?"
    budget = 1_250

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("find_failures", since="24h", limit=MOST)
        assert answer.complete
        return {row["job"] for row in answer.rows} - {row["job"] for row in answer.rows if row["recovered"] == "no"}

    async def compute(self, program: Program) -> object:
        answer = await program.ask("find_failures", since="24h", limit=MOST)
        assert answer["coverage"]["complete"]
        causes = answer["causes"]
        return {cause["job"] for cause in causes} - {cause["job"] for cause in causes if not cause.get("recovered")}

    def truth(self, world: World) -> object:
        failed = {row["job"] for row in world.rows.attempts(NOW - timedelta(days=1)) if row["word"] in BAD}
        everything = world.rows.attempts()
        latest = {job: newest((row for row in everything if row["job"] == job), BAD | WELL) for job in failed}
        return {job for job, row in latest.items() if row["word"] in WELL}


class NameMisspelt(_OfTheSample):
    words = "How did the last nigthly-etl end, and when was it? (The name is misspelt.)"
    budget = 300

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("get_job", job="nigthly-etl")
        assert answer.refused
        answer = await agent.ask("get_job", job=_closest(answer.text))
        status, when = (answer.field("newest") or "").split(" ")
        return status, when

    async def compute(self, program: Program) -> object:
        answer = await program.ask("get_job", job="nigthly-etl")
        record: dict[str, Any] = (await program.ask("get_job", job=_closest(answer["error"])))["record"]
        return record["newest_status"], record["newest_at"]

    def truth(self, world: World) -> object:
        one = world.rows.executions("nightly-etl")[0]
        return one["word"], stamp(one["created_at"])


def _closest(sentence: str) -> str:
    found = re.search(r"closest: ([\w-]+)", sentence)
    assert found, sentence
    return found[1]


QUESTIONS = (
    WhatFailed(), WhyTheNewestFailed(), OutOfMemory(), LastNightsBackup(), IsItDone(), NeverRun(), SlowestTask(),
    OnWhichSchedule(), WhichRecovered(), NameMisspelt(),
)  # fmt: skip
