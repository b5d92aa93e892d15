"""Questions about all of the sample that one call answers."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.agents.asking import InOneCall
from tests.agents.earlier import MOST, attempts_of, created, histories, list_every
from tests.agents.reader import seconds
from tests.agents.truth import BAD, WELL, last_reason, missed, nanos, of_each_job, p95, share, stamp
from tests.sample_client import BIG, NOW

if TYPE_CHECKING:
    from tests.agents.agent import Agent
    from tests.agents.reader import Answer
    from tests.agents.truth import Row
    from tests.agents.world import World

__all__ = ["QUESTIONS"]

WEEK = NOW - timedelta(days=7)
DAY = 86400.0


class _OfTheSample(InOneCall):
    data = "sample"


class WorstRate(_OfTheSample):
    words = "Which job or scheduled task has the worst success rate this week?"
    call = "history(since='7d', sort='rate', limit=1)"
    budget = 320

    def in_text(self, answer: Answer) -> object:
        return answer.rows[0]["job"], answer.rows[0]["success"]

    def in_structure(self, answer: dict[str, Any]) -> object:
        return answer["items"][0]["name"], f"{answer['items'][0]['rate']:.0%}"

    async def find_as_before(self, agent: Agent) -> object:
        told = {job: answer.field("success") or "" for job, answer in (await histories(agent)).items()}
        rates = {job: text.split(" ")[0] for job, text in told.items() if text.split(" ")[0].endswith("%")}
        return min(rates.items(), key=lambda pair: int(pair[1].rstrip("%")))

    def truth(self, world: World) -> object:
        jobs = of_each_job(row for row in world.rows.attempts(WEEK) if row["word"] in WELL | BAD)
        rates = {job: share(rows) for job, rows in jobs.items() if job not in world.rows.services()}
        worst = min(rates, key=lambda job: rates[job])
        return worst, f"{rates[worst]:.0%}"


class SlowestJob(_OfTheSample):
    words = "Which job or scheduled task (no service) is slowest this week, going by p95?"
    call = "history(since='7d', sort='p95', limit=5)"
    budget = 480

    def in_text(self, answer: Answer) -> object:
        return next(row["job"] for row in answer.rows if row["kind"] != "service")

    def in_structure(self, answer: dict[str, Any]) -> object:
        return next(item["name"] for item in answer["items"] if item["kind"] != "service")

    async def find_as_before(self, agent: Agent) -> object:
        services = {row["name"] for row in await list_every(agent) if row["kind"] == "service"}
        told = {job: answer.field("p95") for job, answer in (await histories(agent)).items()}
        took = {job: seconds(text) for job, text in told.items() if text and job not in services}
        return max(took, key=lambda job: took[job])

    def truth(self, world: World) -> object:
        jobs = of_each_job(row for row in world.rows.attempts(WEEK) if row["word"] in WELL | BAD)
        took = {job: p95(rows) for job, rows in jobs.items() if job not in world.rows.services()}
        return max(took, key=lambda job: took[job])


class NoSuccessForDays(_OfTheSample):
    words = "Which jobs and scheduled tasks have not succeeded for three days?"
    call = "history(limit=100)"
    budget = 1_150

    def in_text(self, answer: Answer) -> object:
        assert answer.complete
        rows = [row for row in answer.rows if row["kind"] != "service"]
        return {row["job"] for row in rows if _days(row.get("last success", "")) > 3}

    def in_structure(self, answer: dict[str, Any]) -> object:
        assert answer["coverage"]["complete"]
        items = [{**answer.get("common", {}), **item} for item in answer["items"]]
        return {one["name"] for one in items if one["kind"] != "service" and one.get("success_ago_s", 9e9) > 3 * DAY}

    async def find_as_before(self, agent: Agent) -> object:
        asked = {row["name"]: await agent.ask("get_job", job=row["name"]) for row in await list_every(agent)
                 if row["kind"] != "service"}  # fmt: skip
        last = {job: answer.field("last success") for job, answer in asked.items()}
        edge = stamp(nanos(NOW - timedelta(days=3)))
        return {job for job, when in last.items() if not when or not when[0].isdigit() or when < edge}

    def truth(self, world: World) -> object:
        well = of_each_job(row for row in world.rows.attempts(NOW - timedelta(days=3)) if row["word"] in WELL)
        scheduled = {*world.rows.schedules(), *world.rows.jobs()}
        return scheduled - well.keys() - world.rows.services()


def _days(ago: str) -> float:
    """Return days of `3d11h ago`, or many of `never`."""
    days, found, rest = ago.removesuffix(" ago").partition("d")
    if ago in {"never", ""}:
        return 9e9
    return int(days) + seconds(rest) / DAY if found else seconds(days) / DAY


class KeyErrors(_OfTheSample):
    words = "Which tasks of the last backfill-embeddings (10,000 tasks) failed with a KeyError? Name each."
    call = "list_tasks(job='backfill-embeddings', query='KeyError', fields='name', limit=100)"
    budget = 260

    def in_text(self, answer: Answer) -> object:
        assert answer.complete
        return sorted(answer.lines[2:])

    def in_structure(self, answer: dict[str, Any]) -> object:
        assert answer["coverage"]["complete"]
        return sorted(item["name"] for item in answer["items"])

    async def find_as_before(self, agent: Agent) -> object:
        rows = await agent.rows("list_tasks", **BIG, status="failed", limit=MOST)
        return sorted(row["name"] for row in rows if row["reason"].startswith("KeyError"))

    def truth(self, world: World) -> object:
        tasks = world.rows.tasks(world.rows.executions(BIG["job"])[0]["key"])
        return sorted(
            task["name"] for task in tasks if task["status"] == "failed" and last_reason(task) == "KeyError"
        )


class TopCause(_OfTheSample):
    words = "Which cause of failed batch executions is the most frequent this week, in which jobs, in how many tasks?"
    call = "find_failures(since='7d', by='cause', limit=3)"
    budget = 560

    def in_text(self, answer: Answer) -> object:
        top = next(row for row in answer.rows if row["tasks"])
        return top["cause"].partition(":")[0], int(top["count"]), int(top["tasks"]), sorted(top["jobs"].split(", "))

    def in_structure(self, answer: dict[str, Any]) -> object:
        top = next(cause for cause in answer["causes"] if "tasks" in cause)
        return top["cause"].partition(":")[0], top["count"], top["tasks"], sorted(top["jobs"])

    async def find_as_before(self, agent: Agent) -> object:
        counts: Counter[str] = Counter()
        tasks: Counter[str] = Counter()
        jobs: dict[str, set[str]] = {}
        rows = await agent.rows("find_failures", since="7d", limit=MOST)
        kinds = {row["name"]: row["kind"] for row in await list_every(agent)}
        for row in rows:
            if kinds[row["job"]] == "job":
                why = row["cause"].partition(":")[0]
                counts[why] += int(row["count"])
                jobs.setdefault(why, set()).add(row["job"])
        top = counts.most_common(1)[0][0]
        for job in sorted(jobs[top]):
            for one in await agent.rows("list_executions", job=job, status="failure", since="7d", limit=MOST):
                groups = (await agent.ask("get_execution", job=job, execution=one["id"])).rows
                tasks[top] += sum(int(row["count"]) for row in groups if row["example"].startswith(top))
        return top, counts[top], tasks[top], sorted(jobs[top])

    def truth(self, world: World) -> object:
        main: Counter[str] = Counter()
        jobs: dict[str, set[str]] = {}
        tasks: Counter[str] = Counter()
        for one in (row for row in world.rows.executions(since=WEEK) if row["word"] in BAD):
            reasons = Counter(last_reason(task) for task in _failed(world, one))
            if reasons:
                why = reasons.most_common(1)[0][0]
                main[why] += 1
                jobs.setdefault(why, set()).add(one["job"])
            tasks.update(reasons)
        top = main.most_common(1)[0][0]
        return top, main[top], tasks[top], sorted(jobs[top])


def _failed(world: World, execution: Row) -> list[Row]:
    return [task for task in world.rows.tasks(execution["key"]) if task["status"] == "failed"]


class WhatDiffers(_OfTheSample):
    words = "What does the newest nightly-etl differ in from the last good one: how many tasks failed only now?"
    call = "compare(job='nightly-etl')"
    budget = 640

    def in_text(self, answer: Answer) -> object:
        base = answer.header[0].rpartition(" ")[2]
        return base, _only_here(answer.verdict)

    def in_structure(self, answer: dict[str, Any]) -> object:
        return answer["base"]["id"], _only_here(answer["verdict"])

    async def find_as_before(self, agent: Agent) -> object:
        rows = await agent.rows("list_executions", job="nightly-etl", since="7d")
        base = next(row["id"] for row in rows if row["status"] == "succeeded")
        ids = (rows[0]["id"], base)
        here, there = [
            {row["name"] for row in await agent.rows("list_tasks", job="nightly-etl", execution=one, status="failed")}
            for one in ids
        ]
        return base, len(here - there)

    def truth(self, world: World) -> object:
        this, *before = world.rows.executions("nightly-etl")
        base = next(row for row in before if row["word"] in WELL)
        here, there = ({task["name"] for task in _failed(world, one)} for one in (this, base))
        return base["id"], len(here - there)


def _only_here(verdict: str) -> int:
    return int(verdict.partition(" failed only here")[0].rpartition(" ")[2])


class HowFarBack(_OfTheSample):
    words = "Did fraud-scoring run each time this week, and since when is that known at all?"
    call = "find_missed(job='fraud-scoring', since='7d')"
    budget = 220
    besides = ("two days are kept",)

    def in_text(self, answer: Answer) -> object:
        (told,) = answer.after("nothing was missed: ")
        return not answer.rows, told.partition(", from ")[2].partition(" ")[0]

    def in_structure(self, answer: dict[str, Any]) -> object:
        return not answer["missed"], answer["coverage"]["back_to"]

    async def find_as_before(self, agent: Agent) -> object:
        (job,) = await agent.rows("list_jobs", query="fraud-scoring")
        begun = created(await attempts_of(agent, job, since="7d"))
        return missed(job["schedule"].removesuffix(" (UTC)"), begun, WEEK, NOW) == 0, stamp(min(begun))

    def truth(self, world: World) -> object:
        begun = [row["created_at"] for row in world.rows.executions("fraud-scoring")]
        return missed(world.rows.schedules()["fraud-scoring"], begun, WEEK, NOW) == 0, stamp(min(begun))


QUESTIONS = (
    WorstRate(), SlowestJob(), NoSuccessForDays(), KeyErrors(), TopCause(), WhatDiffers(), HowFarBack(),
)  # fmt: skip
