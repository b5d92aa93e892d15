"""Questions about a real RunWisp daemon with the history of its own demo."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.agents.asking import Question
from tests.agents.edge import broken, dropped, limited
from tests.agents.truth import BAD
from tests.peers.runwisp_daemon import read_runs, stored_time

if TYPE_CHECKING:
    from tests.agents.agent import Agent, Program
    from tests.agents.world import World
    from tests.peers.runwisp_daemon import Daemon

__all__ = ["QUESTIONS", "daemon_of"]


class _OfADaemon(Question):
    data = "RunWisp 1.0.1"


def daemon_of(world: World) -> Daemon:
    """Return the daemon, which there is."""
    assert world.daemon is not None
    return world.daemon


class WhatFailedThisWeek(_OfADaemon):
    words = "What failed in the last seven days, and how often in each task?"
    budget = 600
    faults = (limited("/api/runs", at=(1,)), dropped("/api/runs", at=(3,)))

    async def read(self, agent: Agent) -> object:
        answers = [answer async for answer in agent.walk("find_failures", since="7d", limit=100)]
        assert answers[-1].complete
        counts: Counter[str] = Counter()
        for row in (row for answer in answers for row in answer.rows):
            counts[row["job"]] += int(row["count"])
        return counts

    async def compute(self, program: Program) -> object:
        answers = [answer async for answer in program.walk("find_failures", since="7d", limit=100)]
        assert answers[-1]["coverage"]["complete"]
        counts: Counter[str] = Counter()
        for cause in (cause for answer in answers for cause in answer["causes"]):
            counts[cause["job"]] += cause["count"]
        return counts

    def truth(self, world: World) -> object:
        since = stored_time(datetime.now(UTC) - timedelta(days=7))
        rows = read_runs(daemon_of(world).db, "deleted_at IS NULL AND created_at >= ?", (since,))
        return Counter(row["task_name"] for row in rows if row["end_reason"] in BAD)


class LastWords(_OfADaemon):
    words = "With which exit code did the last failed healthcheck-api end, and what did it say last?"
    budget = 520
    faults = (broken("/log"),)

    async def read(self, agent: Agent) -> object:
        (run,) = (await agent.ask("list_runs", job="healthcheck-api", status="failed", limit=1)).rows
        answer = await agent.ask("get_run", run=run["id"])
        return int(run["exit"]), answer.log[-1]

    async def compute(self, program: Program) -> object:
        (run,) = (await program.ask("list_runs", job="healthcheck-api", status="failed", limit=1))["items"]
        answer = await program.ask("get_run", run=run["id"])
        return run["exit_code"], answer["log"]["lines"][-1]

    def truth(self, world: World) -> object:
        daemon = daemon_of(world)
        where = "deleted_at IS NULL AND task_name = 'healthcheck-api' AND end_reason = 'failed'"
        run = max(read_runs(daemon.db, where), key=lambda row: row["created_at"])
        log = daemon.get(f"/api/runs/{run['id']}/log", limit=1000).json()["lines"]
        return run["exit_code"], log[-1]["text"]


class EveryBackup(_OfADaemon):
    words = "Which runs of backup-postgres does the daemon still have? Name each one once."
    budget = 2_600
    faults = (broken("/api/runs", at=(3, 4, 5, 6), words="a page that fails for good"),)

    async def read(self, agent: Agent) -> object:
        return sorted([row["id"] for row in await agent.rows("list_runs", job="backup-postgres", limit=8)])

    async def compute(self, program: Program) -> object:
        return sorted([item["id"] for item in await program.items("list_runs", job="backup-postgres", limit=8)])

    def truth(self, world: World) -> object:
        rows = read_runs(daemon_of(world).db, "deleted_at IS NULL AND task_name = 'backup-postgres'")
        return sorted(row["id"] for row in rows)


QUESTIONS = (WhatFailedThisWeek(), LastWords(), EveryBackup())
