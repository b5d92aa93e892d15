"""Questions about a real RunWisp daemon that one call answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.agents.asking import InOneCall
from tests.agents.earlier import histories, list_every, unfinished
from tests.agents.edge import broken, limited
from tests.agents.questions_runwisp import daemon_of
from tests.peers.runwisp_daemon import read_runs, stored_time

if TYPE_CHECKING:
    from tests.agents.agent import Agent
    from tests.agents.reader import Answer
    from tests.agents.world import World

__all__ = ["QUESTIONS"]


class WorstTask(InOneCall):
    words = "Which task of the daemon (no service) has the worst success rate this week?"
    data = "RunWisp 1.0.1"
    call = "history(limit=1)"
    budget = 330
    faults = (limited("/api/runs", at=(1,)),)

    def in_text(self, answer: Answer) -> object:
        return answer.rows[0]["job"], answer.rows[0]["success"]

    def in_structure(self, answer: dict[str, Any]) -> object:
        return answer["items"][0]["name"], f"{answer['items'][0]['rate']:.0%}"

    async def find_as_before(self, agent: Agent) -> object:
        services = {row["name"] for row in await list_every(agent) if row["kind"] == "service"}
        told = {job: answer.field("success") or "" for job, answer in (await histories(agent)).items()}
        shares = {job: text.split(" ")[0] for job, text in told.items() if job not in services}
        rates = {job: share for job, share in shares.items() if share.endswith("%")}
        return min(rates.items(), key=lambda pair: int(pair[1][:-1]))

    def truth(self, world: World) -> object:
        since = stored_time(datetime.now(UTC) - timedelta(days=7))
        ended = (
            "deleted_at IS NULL AND created_at >= ? AND status = 'ended' AND (is_failure OR end_reason = 'succeeded')"
        )
        defined = daemon_of(world).get("/api/tasks").json()["items"]
        services = {one["name"] for one in defined if one["kind"] == "service"}
        judged: dict[str, list[bool]] = {}
        for row in read_runs(daemon_of(world).db, ended, (since,)):
            if row["task_name"] not in services:
                judged.setdefault(row["task_name"], []).append(not row["is_failure"])
        rates = {task: sum(well) / len(well) for task, well in judged.items()}
        worst = min(rates, key=lambda task: rates[task])
        return worst, f"{rates[worst]:.0%}"


class RunningOnTheDaemon(InOneCall):
    words = "What runs on the daemon now?"
    data = "RunWisp 1.0.1"
    call = "list_active()"
    budget = 420
    faults = (broken("/api/runs", at=(1,)),)

    def in_text(self, answer: Answer) -> object:
        assert answer.complete
        return {row["id"] for row in answer.rows}

    def in_structure(self, answer: dict[str, Any]) -> object:
        assert answer["coverage"]["complete"]
        return {item["id"] for item in answer["items"]}

    async def find_as_before(self, agent: Agent) -> object:
        return {row["id"] for row in await unfinished(agent)}

    def truth(self, world: World) -> object:
        rows = read_runs(daemon_of(world).db, "deleted_at IS NULL AND status <> 'ended'")
        return {row["id"] for row in rows}


QUESTIONS = (WorstTask(), RunningOnTheDaemon())
