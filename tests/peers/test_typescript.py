"""Both TypeScript SDKs as clients, the one of the 2025 protocols and the one of 2026-07-28, over each transport."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.peers.acceptance import COMMAND, SECONDS, Surface, environ_of, served, surface
from tests.upstreams import nobody_listening

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.peers.npm import Npm

SCRIPT = Path(__file__).with_name("typescript.mjs").read_text(encoding="utf-8")
CLIENTS = [
    ("v1", "sse", "legacy"),
    ("v1", "http", "legacy"),
    ("v1", "stdio", "legacy"),
    ("v2", "sse", "legacy"),
    ("v2", "http", "auto"),
    ("v2", "stdio", "auto"),
]
# Where a cancellation reaches the call that it is of, and an update whoever watches. Over HTTP without sessions the
# 2025 protocols have no way to say so.
REACHED = [one for one in CLIENTS if one != ("v1", "http", "legacy")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("typescript")


@pytest.fixture(scope="module")
def targets(home: Path) -> Generator[dict[str, Any]]:
    with served("http", home) as http, served("sse", home) as sse:
        yield {"http": http, "sse": sse, "stdio": started(home)}


@pytest.fixture(scope="module")
def offered() -> Surface:
    return surface()


def started(home: Path, **settings: str) -> dict[str, Any]:
    """Return how the SDKs are told of a command."""
    return {"command": COMMAND[0], "args": COMMAND[1:], "env": environ_of(home, **settings)}


def session(npm: Npm, client: tuple[str, str, str], target: Any, **work: Any) -> dict[str, Any]:
    sdk, transport, era = client
    given = {"sdk": sdk, "transport": transport, "era": era, "target": target, "work": work}
    return npm.evaluate(SCRIPT, given, seconds=SECONDS)


@pytest.mark.parametrize("client", CLIENTS, ids="-".join)
def test_it_lists_calls_pages_hears_of_progress_fills_reads_and_completes(
    client: tuple[str, str, str], npm: Npm, targets: dict[str, Any], offered: Surface
) -> None:
    found = session(npm, client, targets[client[1]], name="everything", **asdict(offered))
    assert found["server"]["name"] == "jobtrail"
    assert "embedded" in found["instructions"]
    assert {name: found[name] for name in ("tools", "resources", "templates", "filled")} == {
        name: getattr(offered, name) for name in ("tools", "resources", "templates", "filled")
    }
    assert found["prompts"] == [*offered.prompts]
    assert all(text.strip() for text in found["contents"].values())
    assert [*found["contents"]] == offered.addresses
    names = [name for page in found["pages"] for name in page]
    assert len(found["pages"]) > 2
    assert len(names) == len(set(names))
    assert found["progress"]
    assert found["progress"] == sorted(set(found["progress"]))
    assert found["failed"]["isError"]
    assert "nightly-etl" in found["completed"]


@pytest.mark.parametrize("client", CLIENTS, ids="-".join)
def test_a_call_that_it_gives_up_is_given_up_by_the_server_too(
    client: tuple[str, str, str], npm: Npm, home: Path
) -> None:
    upstream = nobody_listening()
    work = {"name": "cancelled", "port": int(upstream.rpartition(":")[2]), "waits": client in REACHED}
    if client[1] == "stdio":
        found = session(npm, client, started(home, RUNWISP_URL=upstream), **work)
    else:
        with served("sse" if client[1] == "sse" else "http", home, RUNWISP_URL=upstream) as url:
            found = session(npm, client, url, **work)
    assert found["error"]
    assert found["tools"]
    assert found.get("dropped") is (True if client in REACHED else None)


@pytest.mark.parametrize("client", REACHED, ids="-".join)
def test_it_is_told_when_an_execution_that_it_watches_ends(
    client: tuple[str, str, str], npm: Npm, tmp_path: Path
) -> None:
    store = {"JOBTRAIL_STORE": str(tmp_path / "store.db")}
    # `cat` runs until its input ends, which the client brings about.
    command = ["-m", "jobtrail", "record", "--job", "watched", "--", "cat"]
    work = {"name": "watched", "recorder": {**started(tmp_path, **store), "args": command}}
    if client[1] == "stdio":
        found = session(npm, client, started(tmp_path, **store), **work)
    else:
        with served("sse" if client[1] == "sse" else "http", tmp_path, **store) as url:
            found = session(npm, client, url, **work)
    assert found["told"] == found["uri"]
    assert " 0 succeeded" in found["before"]
    assert " 1 succeeded" in found["after"]
