"""Reads a resource by calling the matching tool, and returns the tool's answer as text or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jobtrail.errors import BadArgument
from jobtrail.rendering.answers import render
from jobtrail.text import quote_value
from jobtrail.tools.executions import get_execution
from jobtrail.tools.jobs import get_job, list_jobs
from jobtrail.tools.resumable import LARGEST_LIMIT
from jobtrail.tools.runs import get_run

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from jobtrail.models import ExecutionDetail, JobDetail, JobPage, RunDetail
    from jobtrail.protocol.resources.addresses import Address
    from jobtrail.tools import ServerState


async def read_resource(address: Address, ctx: Context[ServerState]) -> tuple[str, str]:
    """Return a resource's text and its MIME type.

    Raises:
        JobtrailError: as the tool that answers it does.
    """
    answer = await _answer(address, ctx)
    if address.json:
        return json.dumps(answer.to_wire(), ensure_ascii=False), "application/json"
    return render(answer), "text/plain"


async def _answer(address: Address, ctx: Context[ServerState]) -> JobPage | JobDetail | ExecutionDetail | RunDetail:
    source = ctx.request_context.lifespan_context.sources.get(address.source)
    match address.kind:
        case "jobs" if address.cursor is None:
            return await list_jobs(ctx, limit=LARGEST_LIMIT, source=source.name)
        case "jobs":
            page = await list_jobs(ctx, cursor=address.cursor)
            if page.source != source.name:
                raise BadArgument(
                    f"this cursor walks source {quote_value(page.source)}, not {quote_value(source.name)}; read "
                    f"jobtrail://{source.name}/jobs to begin"
                )
            return page
        case "job":
            return await get_job(ctx, job=address.name, source=source.name)
        case "execution":
            job = address.job or await source.need_batch().owner(address.name)
            return await get_execution(ctx, job=job, execution=address.name, source=source.name)
        case "run":
            return await get_run(ctx, run=address.name, source=source.name)
