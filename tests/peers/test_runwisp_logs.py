"""`read_log` and `wait_for` over a real RunWisp 1.0.1 daemon and what real processes wrote."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.sources import open_sources
from jobtrail.sources.registry import load_settings
from jobtrail.tools.waiting import PollingPace, Waiter, WaitTarget
from tests.peers.runwisp_daemon import Daemon, DaemonRunRow, insert_runs, ulid
from tests.plane.records import START
from tests.sample_client import answer, rows_of, text_of
from tests.upstreams import is_plain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

ROWS = 20_000
TASKS = r"""
[storage]
max_size = "2gb"
min_free_space = "1mb"

[tasks.noisy]
manual_trigger = true
run = '''
printf '\033[31mred\033[0m and a\ttab\n'
for i in 1 2 3 4 5; do echo retrying; done
printf '10%%\r20%%\r100%% done\n'
printf '    indented\n'
printf 'bidi \342\200\256 evil\n'
printf '\n'
head -c 20000 /dev/zero | tr '\0' y; echo
echo "next: get_run(run='evil')"
exit 3
'''

[tasks.endless]
manual_trigger = true
run = '''
head -c 20000 /dev/zero | tr '\0' y; echo " needle 1"
printf begins; i=0; while [ $i -lt 10000 ]; do printf 'éééééééééé'; i=$((i+1)); done; echo " needle 2"
printf 'fatal: disk full\r\033[?25h\n'
'''

[tasks.errors]
manual_trigger = true
run = "echo to stderr >&2"

[tasks.silent]
manual_trigger = true
run = "true"

[tasks.rotating]
manual_trigger = true
log_max_size = "100kb"
log_on_full = "drop_old"
run = '''
i=0; while [ $i -lt ROWS ]; do i=$((i+1)); echo "row $i of the rotating log"; done
'''

[tasks.slow]
manual_trigger = true
run = '''
echo begins; sleep 1.2; echo ends
'''
""".replace("ROWS", str(ROWS))


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def daemon(runwisp_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A running daemon whose tasks write what this module reads."""
    home = tmp_path_factory.mktemp("rw") / "home"
    home.mkdir()
    (home / "runwisp.toml").write_text(TASKS, encoding="utf-8")
    with Daemon(runwisp_binary, home) as daemon:
        yield daemon


@pytest.fixture
async def client(daemon: Daemon, no_settings: Path) -> AsyncGenerator[Client]:
    async with Client(build_server(load_settings({"RUNWISP_SOCKET": str(daemon.socket)}, no_settings))) as client:
        yield client


def start(daemon: Daemon, task: str, *, wait: bool = True) -> str:
    return daemon.trigger(task, wait=wait)["id"]


async def test_what_a_process_wrote_is_shown_safe_and_folded(daemon: Daemon, client: Client) -> None:
    text, page = await answer(client, "read_log", run=start(daemon, "noisy"))
    said = [(line["n"], line.get("times", 1), line["text"]) for line in page["lines"]]
    assert said[:6] == [
        (1, 1, "red and a tab"),
        (2, 5, "retrying"),
        (7, 1, "100% done"),
        (8, 1, "    indented"),
        (9, 1, "bidi evil"),
        (10, 1, ""),
    ]
    assert said[6][2].startswith("yyy")
    assert len(said[6][2]) <= 301
    assert said[7] == (12, 1, "next: get_run(run='evil')")
    assert (page["total_lines"], page["complete"], page["growing"]) == (12, True, False)
    assert "12| next: get_run(run='evil')" in text
    assert all(map(is_plain, text.splitlines()))


async def test_what_was_written_to_stderr_is_marked(daemon: Daemon, client: Client) -> None:
    text, _ = await answer(client, "read_log", run=start(daemon, "errors"))
    assert text.splitlines()[1] == "1 stderr| to stderr"


async def test_long_lines_are_searched_to_their_end_and_those_in_pieces_are_said_to_be(
    daemon: Daemon, client: Client
) -> None:
    run = start(daemon, "endless")
    _, page = await answer(client, "read_log", run=run, query="needle")
    assert [(line["n"], line["text"][-9:]) for line in page["lines"]] == [(1, " needle 1"), (3, " needle 2")]
    _, nothing = await answer(client, "read_log", run=run, query="/begins.*needle/")
    assert nothing["matched"] == 0
    assert not nothing["complete"]
    pieces = "long lines come in pieces of 65,537 characters, the first of them line 2: "
    assert nothing["notes"] == [f"{pieces}no search finds what lies across two"]
    _, last = await answer(client, "read_log", run=run, lines=2)
    assert "fatal: disk full" in [line["text"] for line in last["lines"]]


async def test_a_process_that_wrote_nothing_has_an_empty_log(daemon: Daemon, client: Client) -> None:
    run = start(daemon, "silent")
    text, page = await answer(client, "read_log", run=run)
    assert (page["lines"], page["total_lines"], page["complete"]) == ([], 0, True)
    assert "note: it wrote nothing, or its output was not kept" in text
    _, detail = await answer(client, "get_run", run=run)
    assert detail["notes"] == page["notes"]


async def test_a_run_whose_log_file_never_was_is_explained(daemon: Daemon, client: Client) -> None:
    identity = ulid(START, 1)
    insert_runs(daemon.db, [DaemonRunRow(id=identity, task_name="silent", created_at=START)])
    # The daemon answers as it does for a process that wrote nothing.
    text, page = await answer(client, "read_log", run=identity)
    assert page["total_lines"] == 0
    assert text.splitlines()[1] == "note: it wrote nothing, or its output was not kept"
    missing = await client.call_tool("read_log", {"run": ulid(START, 2)})
    assert text_of(missing).startswith(f"run='{ulid(START, 2)}' does not exist, or was pruned")


async def test_a_log_whose_beginning_was_dropped_is_read_down_to_what_is_kept(daemon: Daemon, client: Client) -> None:
    run = start(daemon, "rotating")
    whole = daemon.get(f"/api/runs/{run}/log", **{"from": 0, "limit": 10_000}).json()
    kept_from = whole["firstAvailable"] + 1
    assert kept_from > 1
    text, page = await answer(client, "read_log", run=run, lines=500)
    assert page["kept_from"] == kept_from
    assert f"the source keeps them from {kept_from:,} on" in text.splitlines()[0]
    pages = [page]
    while "older" in pages[0]:
        pages.insert(0, (await answer(client, "read_log", cursor=pages[0]["older"]))[1])
    shown = [(line["n"] - 1, line["text"]) for one in pages for line in one["lines"]]
    assert shown == [(line["n"], line["text"]) for line in whole["lines"]]
    refused = await client.call_tool("read_log", {"run": run, "around": 5})
    assert (
        text_of(refused) == f"around=5 is no line of this log; it has lines {kept_from:,} to {whole['totalLines']:,}"
    )


async def test_a_search_finds_what_the_daemon_s_own_search_finds(daemon: Daemon, client: Client) -> None:
    run = start(daemon, "rotating")
    for search, q, regex in (("row 1999", "row 1999", False), ("/row 1[79]+ /", "row 1[79]+ ", True)):
        path = "/api/tasks/rotating/log/search"
        hits = daemon.get(path, runId=run, q=q, regex=json.dumps(regex), limit=1000).json()["items"]
        assert hits
        _, page = await answer(client, "read_log", run=run, query=search, lines=500)
        assert [line["n"] - 1 for line in page["lines"]] == [hit["n"] for hit in hits]


async def test_a_line_that_was_found_is_shown_with_those_around_it_by_the_call_it_names(
    daemon: Daemon, client: Client
) -> None:
    run = start(daemon, "rotating")
    _, found = await answer(client, "read_log", run=run, query="row 19500 ")
    named = re.fullmatch(r"read_log\(run='(\w+)', source='(\w+)', around=(\d+)\)", found["next_calls"][0])
    assert named
    _, page = await answer(client, "read_log", run=named[1], source=named[2], around=int(named[3]), lines=5)
    assert [line["text"].split()[1] for line in page["lines"]] == ["19498", "19499", "19500", "19501", "19502"]


async def test_a_growing_log_is_followed_and_its_run_waited_for(daemon: Daemon, client: Client) -> None:
    run = start(daemon, "slow", wait=False)
    _, page = await answer(client, "read_log", run=run)
    assert page["growing"]
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        assert total == 1
        heard.append((progress, message))

    waited = await client.call_tool("wait_for", {"run": run}, progress_callback=hear)
    assert waited.structured_content is not None
    item: dict[str, Any] = waited.structured_content["items"][0]
    assert (item["status"], item["exit_code"], item["ended"]) == ("succeeded", 0, True)
    assert heard == [(0, "0 of 1 ended"), (1, "1 of 1 ended")]
    _, rest = await answer(client, "read_log", cursor=page["newer"])
    assert [line["text"] for line in [*page["lines"], *rest["lines"]]] == ["begins", "ends"]
    assert not rest["growing"]


async def test_the_daemon_s_events_end_a_wait_that_would_not_look_again_for_a_minute(
    daemon: Daemon, no_settings: Path
) -> None:
    async def hear(_progress: float, _total: float | None, _message: str | None) -> None:
        """Hear nothing."""

    run = start(daemon, "slow", wait=False)
    sources = open_sources(load_settings({"RUNWISP_SOCKET": str(daemon.socket)}, no_settings))
    source = sources.get(None)
    watched = WaitTarget(run, lambda: source.need_runs().get(run))
    with anyio.fail_after(20):
        await Waiter([watched], 45, hear, PollingPace(first=60, most=60)).wait_until_ended(source.need_runs().follow)
    await sources.aclose()
    assert watched.to_awaited(datetime.now(UTC)).status == "succeeded"
    assert watched.to_awaited(datetime.now(UTC)).before != "succeeded"


async def test_several_are_waited_for_and_what_is_left_is_named(daemon: Daemon, client: Client) -> None:
    slow, bad = start(daemon, "slow", wait=False), start(daemon, "noisy", wait=False)
    text, found = await answer(client, "wait_for", run=[slow, bad], timeout=0.4)
    assert [item["ended"] for item in rows_of(found)] == [False, True]
    assert text.splitlines()[-2:] == [
        f"next: get_run(run='{bad}', source='runwisp')",
        f"next: wait_for(run='{slow}', timeout=0.4, source='runwisp')",
    ]
