"""Completion of arguments: names of the live sources, fast and bounded, and never an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest
from mcp.types import PromptReference, ResourceTemplateReference

from jobtrail.protocol.completion import NameCompleter
from jobtrail.protocol.prompts import load_prompts
from jobtrail.protocol.resources.addresses import TEMPLATES
from jobtrail.sources import open_sources
from jobtrail.window import Clock
from tests.plane.records import make_job
from tests.protocol.resources.test_reading import stocked
from tests.sample_client import sample_client
from tests.upstreams import Upstream, accept_and_hang, client_of, listening, page, run_id, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client

pytestmark = pytest.mark.anyio

ADDRESSES = {one.kind: one.uri for one in TEMPLATES}


async def completed(
    client: Client, of: str, name: str, value: str, **known: str
) -> tuple[list[str], int | None, bool]:
    """Complete an argument of a prompt, or a variable of a kind of address."""
    ref = ResourceTemplateReference(uri=ADDRESSES[of]) if of in ADDRESSES else PromptReference(name=of)
    argument = {"name": name, "value": value}
    found = (await client.complete(ref, argument, context_arguments=known or None)).completion
    for _ in range(4):
        if found.values or not found.has_more:
            break
        # The first time on a busy machine, opening a source alone takes longer than a completion waits.
        found = (await client.complete(ref, argument, context_arguments=known or None)).completion
    return found.values, found.total, bool(found.has_more)


COMPLETES: list[tuple[str, str, str, dict[str, str], str]] = [
    ("compare", "job", "inv", {}, "invoice-export"),
    ("compare", "job", "INV", {"source": "embedded"}, "invoice-export"),
    ("compare", "job", "export", {}, "invoice-export"),
    ("explain-execution", "execution", "exec-3e2", {"job": "invoice-export"}, "exec-3e21440c5bee"),
    ("explain-execution", "execution", "exec-3e2", {}, "exec-3e21440c5bee"),
    ("explain-run", "run", "01M83XJ88", {}, "01M83XJ880CH86JX615VZ8MKAW"),
    ("explain-run", "run", "01M83XJ88", {"job": "healthcheck-api"}, "01M83XJ880CH86JX615VZ8MKAW"),
    ("explain-run", "job", "health", {}, "healthcheck-api"),
    ("explain-run", "source", "", {}, "embedded"),
    ("jobs", "source", "e", {}, "embedded"),
    ("jobs", "format", "j", {}, "json"),
    ("job", "job", "nightly", {"source": "embedded"}, "nightly-etl"),
    ("execution", "id", "exec-3e2", {"source": "embedded", "job": "invoice-export"}, "exec-3e21440c5bee"),
    ("execution", "id", "exec-3e2", {}, "exec-3e21440c5bee"),
    ("run", "id", "01M83XJ88", {"source": "embedded"}, "01M83XJ880CH86JX615VZ8MKAW"),
]


async def test_names_of_the_live_sources_complete_what_was_typed() -> None:
    async with sample_client() as client:
        for of, name, value, known, first in COMPLETES:
            values, total, more = await completed(client, of, name, value, **known)
            assert values[0] == first
            assert all(value.lower() in one.lower() for one in values)
            assert total == (None if more else len(values))


COMPLETES_NOTHING: list[tuple[str, str, str, dict[str, str]]] = [
    ("compare", "job", "no such job", {}),
    ("explain-run", "job", "nightly-etl", {}),
    ("compare", "job", "", {"source": "no such source"}),
    ("compare", "execution", "", {"job": "no such job"}),
    ("explain-run", "run", "", {"job": "no such job"}),
    ("triage", "since", "24", {}),
    ("no-such-prompt", "no such argument", "x", {}),
    ("compare", "job", "\ud83d\ude00" * 3_000, {}),
]


async def test_what_completes_nothing_is_an_empty_list_and_no_error() -> None:
    async with sample_client() as client:
        for of, name, value, known in COMPLETES_NOTHING:
            assert await completed(client, of, name, value, **known) == ([], 0, False)


async def test_every_argument_that_names_something_completes() -> None:
    named = {"job", "execution", "task", "run", "source"}
    async with sample_client() as client:
        for prompt in load_prompts():
            for argument in prompt.arguments:
                values, _, _ = await completed(client, prompt.name, argument.name, "")
                assert bool(values) == (argument.name in named), (prompt.name, argument.name)


async def test_a_hundred_values_come_at_most_and_it_says_that_there_are_more(tmp_path: Path) -> None:
    async with stocked(tmp_path, [make_job(f"job-{number:04}") for number in range(450)]) as client:
        values, total, more = await completed(client, "compare", "job", "job-")
        far, _, _ = await completed(client, "compare", "job", "job-0449")
    assert len(values) == 100
    assert (total, more) == (None, True)
    assert far == ["job-0449"]


@pytest.mark.slow
async def test_a_source_that_hangs_or_fails_leaves_its_names_out(tmp_path: Path) -> None:
    async with listening(accept_and_hang) as server:
        urls = {"RUNWISP_URL": server.url, "BL_API_URL": "http://127.0.0.1:1/v0"}
        async with client_of(tmp_path, None, **urls) as client:
            with anyio.fail_after(10):
                assert await completed(client, "compare", "job", "") == ([], None, True)


async def test_a_source_that_answers_is_heard_while_another_hangs(tmp_path: Path) -> None:
    upstream = Upstream()

    class Half(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.url.path.startswith("/api"):
                await anyio.sleep_forever()
            return await upstream.handle_async_request(request)

    async with client_of(tmp_path, Half()) as client:
        with anyio.fail_after(10):
            assert await completed(client, "compare", "job", "") == (["etl"], None, True)


async def test_typing_on_asks_the_upstream_once_while_all_names_fit_on_a_page(tmp_path: Path) -> None:
    upstream = Upstream()
    async with anyio.create_task_group() as group:
        completing = NameCompleter(open_sources(settings_of(tmp_path), upstream), Clock(), group)
        for typed, names in (("", ["etl"]), ("e", ["etl"]), ("etl", ["etl"]), ("x", [])):
            assert (await completing.complete("job", typed, {"source": "blaxel"})).values == names
    assert upstream.paths() == ["/v0/jobs"]


async def test_a_hostile_name_is_sent_as_the_upstream_has_it_without_what_cannot_be_seen(tmp_path: Path) -> None:
    upstream = Upstream()
    name = "a\x1b[31mb\u202ec"
    upstream.sick = lambda request: (
        httpx2.Response(200, json=page([{"metadata": {"name": name}, "spec": {}}]))
        if request.url.path == "/v0/jobs"
        else None
    )
    async with client_of(tmp_path, upstream) as client:
        values, _, _ = await completed(client, "compare", "job", "", source="blaxel")
    assert len(values) == 1
    assert "\x1b" not in values[0]


async def test_runs_of_a_daemon_complete(tmp_path: Path) -> None:
    async with client_of(tmp_path, Upstream()) as client:
        values, _, _ = await completed(client, "explain-run", "run", run_id(1)[:20])
    assert run_id(1) in values
