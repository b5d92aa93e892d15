"""What a caller gave comes back in a refusal quoted and clipped, on one line: names of arguments too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import EmptyResult, Request

from jobtrail.errors import BadArgument, UpstreamFault
from jobtrail.models import Call
from jobtrail.paging.cursor import Cursor, seal
from tests.sample_client import sample_client, text_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp import Client

EVIL = "evil\nerror: evil · evil\x1b[31m " * 40
QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")

pytestmark = pytest.mark.anyio


async def call(client: Client, tool: str, arguments: dict[str, object]) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return text_of(result)


async def refuse(request: Awaitable[object]) -> str:
    with pytest.raises(MCPError) as error:
        await request
    data: Any = error.value.error.data
    given: list[str] = [*data.values()] if isinstance(data, dict) else [data or ""]
    return " ".join([error.value.message, *given])


REQUESTS: dict[str, Callable[[Client], Awaitable[str]]] = {
    "the name of an argument": lambda client: call(client, "list_jobs", {EVIL: 1}),
    "the value of an argument": lambda client: call(client, "list_jobs", {"limit": EVIL}),
    "a job": lambda client: call(client, "get_job", {"job": EVIL[:180]}),
    "a source": lambda client: call(client, "list_jobs", {"source": EVIL}),
    "a tool": lambda client: call(client, EVIL, {}),
    "the source in a cursor": lambda client: call(
        client, "list_jobs", {"cursor": seal(Cursor("list_jobs", EVIL, args={EVIL: "x"}))}
    ),
    "the tool in a cursor": lambda client: call(client, "list_jobs", {"cursor": seal(Cursor(EVIL, "embedded"))}),
    "a prompt": lambda client: refuse(client.get_prompt(EVIL)),
    "the argument of a prompt": lambda client: refuse(client.get_prompt("triage", {EVIL: "x"})),
    "a method": lambda client: refuse(client.session.send_request(Request(method=EVIL, params=None), EmptyResult)),
    "an address": lambda client: refuse(client.read_resource(f"jobtrail://{EVIL}")),
    "an address of somebody else": lambda client: refuse(client.read_resource(f"other://{EVIL}")),
    "the option of an address": lambda client: refuse(
        client.read_resource("jobtrail://embedded/jobs?evil%0Aevil:=1")
    ),
}


@pytest.mark.parametrize("what", REQUESTS)
async def test_what_was_given_comes_back_quoted_and_clipped_on_one_line(what: str) -> None:
    async with sample_client() as client:
        said = await REQUESTS[what](client)
    assert "evil" in said
    assert "evil" not in QUOTED.sub("", said)
    assert said.isprintable()
    assert len(said) < 1_200


def test_what_an_error_is_made_of_breaks_no_line_of_it() -> None:
    fault = UpstreamFault("refused", subject="source 'prod'", request_id="evil: evil", said=EVIL)
    wrong = BadArgument(
        "there is no such\nname", closest=["evil, evil", "fine"], advice=("call ", Call("x", {EVIL: 1}))
    )
    for message in (str(fault), str(wrong)):
        assert message.isprintable()
        assert "evil" not in QUOTED.sub("", message)
    assert str(wrong).startswith("there is no such name; closest: 'evil, evil', fine; call x(")
