"""What one had to do before there was a call for it: ask each job, and compute oneself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tests.agents.truth import nanos

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.agents.agent import Agent
    from tests.agents.reader import Answer

__all__ = ["MOST", "attempts_of", "created", "histories", "job_with", "list_every", "unfinished"]

MOST = 100
"""What the tools say a `limit` can be at the most."""


async def list_every(agent: Agent) -> list[dict[str, str]]:
    """Return the rows of all jobs and scheduled tasks, of one source after the other: a note tells of others."""
    answers = [answer async for answer in agent.walk("list_jobs", limit=MOST)]
    rows = [row for answer in answers for row in answer.rows]
    for note in (note for note in answers[0].notes if note.startswith("other sources: ")):
        for source in note.removeprefix("other sources: ").partition(" (")[0].split(", "):
            rows += await agent.rows("list_jobs", source=source, limit=MOST)
    return rows


async def histories(agent: Agent, since: str = "7d") -> dict[str, Answer]:
    """Return the history of each job; without one that never ran."""
    found = {row["name"]: await agent.ask("history", job=row["name"], since=since) for row in await list_every(agent)}
    return {name: answer for name, answer in found.items() if not answer.refused}


async def attempts_of(agent: Agent, job: Mapping[str, str], **arguments: str) -> list[dict[str, str]]:
    """Return the executions or the runs of a job."""
    if job["kind"] == "job":
        return await agent.rows("list_executions", job=job["name"], limit=MOST, **arguments)
    return await agent.rows("list_runs", task=job["name"], limit=MOST, **arguments)


def created(rows: list[dict[str, str]]) -> list[int]:
    """Return the nanoseconds at which rows were created."""
    return [nanos(datetime.fromisoformat(row["created"])) for row in rows]


async def unfinished(agent: Agent) -> list[dict[str, str]]:
    """Return what is queued or running: of each batch job, and of all scheduled tasks at once."""
    found: list[dict[str, str]] = []
    for job in await list_every(agent):
        if job["kind"] == "job":
            rows = await agent.rows(
                "list_executions", job=job["name"], status="queued,running", since="2d", limit=MOST
            )
            found += [{**row, "job": job["name"]} for row in rows]
    runs = await agent.rows("list_runs", status="queued,running", since="2d", limit=MOST)
    return [*found, *({**row, "job": row["task"] if "task" in row else row["job"]} for row in runs)]


async def job_with(agent: Agent, execution: str) -> str:
    """Return which job has an execution, whose id is all that is known."""
    for row in await list_every(agent):
        if row["kind"] == "job" and await agent.rows("list_executions", job=row["name"], query=execution, limit=1):
            return row["name"]
    raise LookupError(execution)
