"""`jobtrail doctor`: each thing that can be wrong is found and named with its remedy, and no secret is ever shown."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import httpx2
import pytest

from jobtrail.clients import CLIENTS, Machine, StartCommand, find_config_path, find_start_command
from jobtrail.doctor import Check, examine
from jobtrail.doctor import sources as looked
from jobtrail.doctor.machine import examine_store
from jobtrail.errors import SettingsError
from jobtrail.sources.registry import load_settings
from jobtrail.store import Store
from jobtrail.store.liveness import LivenessLock
from jobtrail.store.recording import Recording, RecordingRequest
from tests.cli.commands import read_refusal, run_command, run_process
from tests.cli.terminal import Terminal, plain
from tests.plane.records import make_execution, make_job
from tests.upstreams import (
    BLAXEL_HOST,
    ENVIRON,
    RUNWISP_HOST,
    SECRETS,
    Upstream,
    execution_of,
    html,
    json_of,
    listening,
    nobody_listening,
    page,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anyio.abc import SocketStream

    from jobtrail.settings import Settings
    from tests.peers.runwisp_daemon import Daemon
    from tests.upstreams import Behaviour

pytestmark = pytest.mark.anyio

OWN = StartCommand(sys.executable, ("-m", "jobtrail", "serve"))
KNOWN = ("sk-known-key-1", "pw-known-password-2", "tok-known-token-3", "env-known-value-4")


def machine(folder: Path, **environ: str) -> Machine:
    """Return a machine whose home is a folder."""
    (folder / "project").mkdir(exist_ok=True)
    environ = {"JOBTRAIL_STORE": str(folder / "store.db"), "XDG_CONFIG_HOME": str(folder / "xdg"), **environ}
    return Machine(folder, {"PATH": os.environ["PATH"], **environ}, "linux", folder / "project")


def quick(folder: Path, **environ: str) -> Machine:
    """Return such a machine with a source that answers at once, where sources are not what is looked at."""
    return machine(folder, RUNWISP_URL=f"http://{RUNWISP_HOST}", **environ)


async def checks(
    here: Machine, transport: httpx2.AsyncBaseTransport | None = None, only: str | None = None
) -> list[Check]:
    """Return what is found on a machine."""
    settings: Settings | None = None
    trouble = ""
    try:
        settings = load_settings(here.environ, here.home)
    except SettingsError as error:
        trouble = str(error)
    well = Upstream() if RUNWISP_HOST in here.environ.get("RUNWISP_URL", "") else None
    return [*(await examine(settings, trouble, here, OWN, only, transport or well)).checks]


def verdicts(found: Sequence[Check], subject: str) -> dict[str, str]:
    return {one.check: one.verdict for one in found if one.subject == subject}


def the(found: Sequence[Check], area: str, check: str, subject: str | None = None) -> Check:
    """Return the one check of that name."""
    (one,) = [
        one for one in found if (one.area, one.check) == (area, check) and (subject is None or one.subject == subject)
    ]
    return one


async def test_two_sources_that_are_well_are_read_in_every_kind_they_offer(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.sick = lambda request: (
        httpx2.Response(200, json={"version": "1.0.1"}) if request.url.path == "/api/daemon" else None
    )
    found = await checks(machine(tmp_path, **ENVIRON), upstream)
    assert verdicts(found, "blaxel (blaxel)") == {
        "reachable": "ok", "credentials": "ok", "workspace": "ok", "jobs": "ok", "dialect": "ok", "clock": "skipped",
        "executions": "ok", "tasks": "ok", "task log": "warning",
    }  # fmt: skip
    assert verdicts(found, "runwisp (runwisp)") == {
        "reachable": "ok", "credentials": "ok", "jobs": "ok", "dialect": "ok", "clock": "skipped", "runs": "ok",
        "run log": "ok",
    }  # fmt: skip
    assert the(found, "source", "reachable", "blaxel (blaxel)").found == f"https://{BLAXEL_HOST}"
    assert the(found, "source", "credentials", "blaxel (blaxel)").found == "accepted: API key"
    assert the(found, "source", "workspace").found == "ws"
    assert the(found, "source", "dialect", "runwisp (runwisp)").found == "RunWisp 1.0.1, dialect 1.x"
    assert the(found, "source", "run log").found == "1 line"
    assert all(one.seconds is not None for one in found if one.check in {"jobs", "executions", "tasks", "runs"})
    assert all(request.method == "GET" for request in upstream.requests)


ILL: dict[str, tuple[str, Any, str]] = {
    "page-of-other-jobs": ("/jobs", [], "bare list"),
    "no-cursor": ("/executions", {"data": [execution_of(1)], "meta": {"hasMore": True}}, "sends no cursor"),
    "tasks-of-no-shape": ("/tasks", "hello", "does not describe|do not describe"),
    "too-many-lines": ("/observability/logs", {"etl": {"logs": [{}, {}], "totalCount": 1}}, "sent 2 lines of a log"),
    "no-logs": ("/observability/logs", None, "serves no logs"),
    "runs-that-do-not-come": ("/api/runs", {"items": [], "total": 3}, "3 more rows but sends none"),
}


@pytest.mark.parametrize(("path", "body", "says"), ILL.values(), ids=ILL)
async def test_what_is_wrong_with_a_source_is_told_without_its_name_which_stands_beside_it(
    path: str, body: Any, says: str, tmp_path: Path
) -> None:
    upstream = Upstream()

    def answer(request: httpx2.Request) -> httpx2.Response | None:
        if not request.url.path.endswith(path):
            return None
        return httpx2.Response(404) if body is None else httpx2.Response(200, json=body)

    upstream.sick = answer
    found = await checks(machine(tmp_path, **ENVIRON), upstream)
    assert [one.found for one in found if one.verdict in {"failed", "warning"} and re.search(says, one.found)]
    assert not [one.found for one in found if "source '" in one.found]


async def test_a_source_that_nobody_answers_for_is_said_to_be_unreachable_and_the_other_is_looked_at(
    tmp_path: Path,
) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response | None:
        if request.url.host == RUNWISP_HOST:
            raise httpx2.ConnectError("refused", request=request)
        return None

    upstream = Upstream()
    upstream.sick = refuse
    found = await checks(machine(tmp_path, **ENVIRON), upstream)
    assert verdicts(found, "runwisp (runwisp)") == {"reachable": "failed"}
    one = the(found, "source", "reachable", "runwisp (runwisp)")
    assert one.found.startswith(f"http://{RUNWISP_HOST}:9477: cannot be reached: no connection")
    assert (
        one.fix
        == "check that it runs, and correct RUNWISP_URL or RUNWISP_SOCKET, and RUNWISP_PASSWORD or RUNWISP_TOKEN"
    )
    assert verdicts(found, "blaxel (blaxel)")["executions"] == "ok"


_KEYS = "BL_API_URL, BL_API_KEY, BL_CLIENT_CREDENTIALS or `bl login`, and BL_WORKSPACE"


@pytest.mark.parametrize(
    ("status", "check", "found", "fix"),
    [
        (401, "credentials", "API key: refused the credentials (HTTP 401)", f"put valid ones into {_KEYS}"),
        (
            403, "access", "API key: refused access (HTTP 403): 'bad key …'",
            f"see its reason; these credentials may be valid: allow them to read this, or put others into {_KEYS}",
        ),
        (
            404, "jobs", "has nothing at this address (HTTP 404): 'bad key …'",
            f"check that the address is that of the API: {_KEYS}",
        ),
        (
            429, "jobs", "limits its callers (HTTP 429): 'bad key …'",
            "ask it again in 40 s, and less often: it limits its callers",
        ),
        (503, "jobs", "failed (HTTP 503): 'bad key …'", "ask it again later; see what it logs"),
    ],
)  # fmt: skip
async def test_what_an_upstream_refuses_is_named_with_what_mends_it_as_far_as_is_known(
    tmp_path: Path, status: int, check: str, found: str, fix: str
) -> None:
    upstream = Upstream()
    upstream.sick = json_of({"error": f"bad key {SECRETS[0]}"}, status, Retry_After="40")
    told = await checks(machine(tmp_path, **ENVIRON), upstream, "blaxel")
    assert {one.subject for one in told} == {"blaxel (blaxel)"}
    assert verdicts(told, "blaxel (blaxel)") == {"reachable": "ok", check: "failed"}
    one = the(told, "source", check)
    assert (one.found, one.fix) == (found, fix)


@pytest.mark.parametrize(
    ("status", "check", "found", "fix"),
    [
        (401, "credentials", "wants credentials, and none were given (HTTP 401)", "put those that it wants into"),
        (403, "access", "refused access (HTTP 403)", "see its reason; it may want credentials"),
    ],
)
async def test_where_no_credentials_are_set_none_are_called_refused_or_valid(
    tmp_path: Path, status: int, check: str, found: str, fix: str
) -> None:
    upstream = Upstream()
    upstream.sick = json_of({}, status)
    environ = {name: value for name, value in ENVIRON.items() if name == "BL_WORKSPACE"}
    told = await checks(machine(tmp_path, BL_API_URL="https://open.example/v0", **environ), upstream, "blaxel")
    one = the(told, "source", check)
    assert one.found == f"no credentials are set: {found}"
    assert (one.fix or "").startswith(fix)


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        (401, f"put valid ones into {_KEYS}"),
        (403, "allow these credentials to read it"),
        (404, "run doctor again: what it listed may be gone"),
        (429, "ask it again later, and less often: it limits its callers"),
        (500, "ask it again later; see what it logs"),
    ],
)
async def test_a_part_that_cannot_be_read_says_what_mends_that_part(tmp_path: Path, status: int, fix: str) -> None:
    upstream = Upstream()
    upstream.sick = lambda request: httpx2.Response(status, json={}) if request.url.path.endswith("/tasks") else None
    found = await checks(machine(tmp_path, **ENVIRON), upstream, "blaxel")
    one = the(found, "source", "tasks")
    assert (one.verdict, one.fix) == ("failed", fix)


async def test_a_web_page_in_place_of_the_api_fails_with_the_address_to_check(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.sick = html()
    found = await checks(machine(tmp_path, **ENVIRON), upstream, "blaxel")
    assert verdicts(found, "blaxel (blaxel)") == {"reachable": "ok", "jobs": "failed"}
    assert "answered 'text/html' where JSON was due" in the(found, "source", "jobs").found


@pytest.mark.parametrize(("told", "verdict"), [("ws", "ok"), ("other", "warning"), (None, "ok"), (7, "ok")])
async def test_answers_of_another_workspace_than_was_asked_for_are_warned_of(
    tmp_path: Path, told: object, verdict: str
) -> None:
    rows = page([{"metadata": {"name": "etl", "workspace": told}, "spec": {}, "status": "DEPLOYED"}])
    upstream = Upstream()
    upstream.sick = lambda request: httpx2.Response(200, json=rows) if request.url.path == "/v0/jobs" else None
    one = the(await checks(machine(tmp_path, **ENVIRON), upstream, "blaxel"), "source", "workspace")
    assert (one.verdict, one.found) == (
        verdict, "other answers, where ws was asked for" if told == "other" else "ws",
    )  # fmt: skip


async def test_one_kind_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.sick = lambda request: (
        httpx2.Response(403, json={})
        if request.url.path.endswith("/tasks") and "executions" in request.url.path
        else None
    )
    found = await checks(machine(tmp_path, **ENVIRON), upstream, "blaxel")
    assert verdicts(found, "blaxel (blaxel)")["executions"] == "ok"
    assert the(found, "source", "tasks").verdict == "failed"


@pytest.mark.parametrize(
    ("ahead", "verdict", "said"),
    [
        (timedelta(0), "ok", "the same as here"),
        (timedelta(seconds=3), "ok", "3 s apart"),
        (timedelta(minutes=3), "warning", "it is (3m|2m59s) ahead of this machine's"),
        (timedelta(hours=-5), "warning", "it is (5h|5h01s) behind this machine's"),
    ],
)
async def test_a_clock_that_differs_is_warned_of_and_what_that_breaks(
    tmp_path: Path, ahead: timedelta, verdict: str, said: str
) -> None:
    upstream = Upstream()

    class Dated(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            response = await upstream.handle_async_request(request)
            response.headers["date"] = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
            return response

    found = await checks(machine(tmp_path, **ENVIRON), Dated(), "runwisp")
    one = the(found, "source", "clock")
    assert (one.verdict, re.match(said, one.found) is not None) == (verdict, True), one
    assert ("since=15m" in (one.fix or "")) == (verdict == "warning")


async def test_an_answer_that_a_cache_has_kept_says_nothing_of_the_clock(tmp_path: Path) -> None:
    old = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    upstream = Upstream()
    upstream.sick = lambda request: (
        httpx2.Response(200, json={"items": []}, headers={"date": old, "age": "3600"})
        if request.url.host == RUNWISP_HOST
        else None
    )
    assert (
        the(await checks(machine(tmp_path, **ENVIRON), upstream, "runwisp"), "source", "clock").verdict == "skipped"
    )


class Waiting:
    """Accepts connections and never answers.

    Attributes:
        most: how many were open at once.
    """

    def __init__(self) -> None:
        self.most = self._open = 0

    async def __call__(self, stream: SocketStream) -> None:
        self._open += 1
        self.most = max(self.most, self._open)
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while await stream.receive():
                pass
        self._open -= 1


async def test_sources_that_hang_are_given_up_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looked, "READ_SECONDS", 0.5)
    waiting = Waiting()
    async with listening(waiting) as hung:
        config = tmp_path / "config.toml"
        tables = [f'[sources.s{number}]\nkind = "runwisp"\nurl = "{hung.url}"\n' for number in range(6)]
        config.write_text("".join(tables), encoding="utf-8")
        found = await checks(machine(tmp_path, JOBTRAIL_CONFIG=str(config)))
    assert [one.check for one in found if one.area == "source"] == ["reachable"] * 6
    assert "no answer within 0.5 s" in the(found, "source", "reachable", "s3 (runwisp)").found
    assert waiting.most == 6


async def test_the_embedded_source_and_a_store_of_one_s_own(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    store.write([make_job("etl"), make_execution("e1", "etl", 0, "failed")])
    store.close()
    found = await checks(machine(tmp_path))
    area = {one.check: (one.verdict, one.found) for one in found if one.area == "store"}
    assert area["file"][0] == "ok"
    assert area["permissions"] == ("ok", "readable by you alone")
    assert (area["schema"], area["integrity"]) == (("ok", "version 1"), ("ok", "no fault"))
    assert area["recorders"] == ("ok", "none running")
    assert verdicts(found, "embedded (embedded)")["executions"] == "ok"
    assert the(found, "source", "executions").found == "newest of etl: failed"


async def test_a_store_that_is_not_there_is_not_made_and_nothing_is_wrong(tmp_path: Path) -> None:
    found = await checks(machine(tmp_path))
    assert the(found, "store", "file").found.startswith("none yet at ")
    assert not (tmp_path / "store.db").exists()
    assert "(SAMPLE DATA)" in the(found, "source", "jobs").found


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
async def test_a_store_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    store.close()
    (tmp_path / "store.db").chmod(0o644)
    one = the(await checks(quick(tmp_path)), "store", "permissions")
    assert (one.verdict, one.fix) == ("warning", f"chmod 600 {tmp_path / 'store.db'}")


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize(("mode", "verdict"), [(0o777, "warning"), (0o1777, "ok"), (0o755, "ok")])
def test_a_store_that_others_can_replace_is_warned_of(tmp_path: Path, mode: int, verdict: str) -> None:
    Store(tmp_path / "store.db").close()
    tmp_path.chmod(mode)
    one = the(anyio.run(checks, quick(tmp_path)), "store", "permissions")
    assert (one.verdict, one.fix) == (verdict, None if verdict == "ok" else f"chmod go-w {tmp_path}")


async def test_a_damaged_store_fails_in_both_places(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"this is no database, whatever its name says" * 100)
    found = await checks(machine(tmp_path))
    assert the(found, "store", "file").verdict == "failed"
    assert "file is not a database" in the(found, "store", "file").found
    assert verdicts(found, "embedded (embedded)") == {"opens": "failed"}


async def test_a_store_of_a_newer_jobtrail_fails(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    with store.transaction() as db:
        db.execute("PRAGMA user_version = 99")
    store.close()
    one = the(await checks(quick(tmp_path)), "store", "schema")
    assert (one.verdict, one.found) == ("failed", "version 99, and this Jobtrail knows up to 1")


async def test_recorders_that_run_and_that_vanished_are_counted_and_looking_changes_neither(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = Store(path)
    with LivenessLock(path) as living:
        Recording(store, living.token, RecordingRequest("etl", "e1", [None]))
        Recording(store, "vanished", RecordingRequest("etl", "e2", [None]))
        for _ in range(2):
            found = [*examine_store(quick(tmp_path).environ)]
            said = "1 running; 1 vanished, whose tasks are failed when the store is next read"
            assert the(found, "store", "recorders").found == said
    store.close()


async def test_settings_that_cannot_be_read_fail_and_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[sources.prod]\nkind = "blaxel"\napi_kee = "sk-known-key-1"\n', encoding="utf-8")
    found = await checks(quick(tmp_path, JOBTRAIL_CONFIG=str(config)))
    one = the(found, "settings", "reading")
    assert one.verdict == "failed"
    assert "[sources.prod]" in one.found
    assert "api_kee" in one.found
    assert {one.area for one in found} == {"settings", "store", "client"}


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
async def test_a_file_with_secrets_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[sources.prod]\nkind = "embedded"\npassword = "pw-known-password-2"\n', encoding="utf-8")
    config.chmod(0o644)
    one = the(await checks(quick(tmp_path, JOBTRAIL_CONFIG=str(config))), "settings", "file")
    assert (one.verdict, one.fix) == ("warning", f"chmod 600 {config}")
    config.chmod(0o600)
    assert the(await checks(quick(tmp_path, JOBTRAIL_CONFIG=str(config))), "settings", "file").verdict == "ok"


async def test_a_misspelt_variable_of_ours_is_warned_of(tmp_path: Path) -> None:
    one = the(await checks(quick(tmp_path, JOBTRAIL_SORCE="prod")), "settings", "variables")
    assert (one.found, one.fix) == (
        "JOBTRAIL_SORCE is set, and nothing reads it", "rename it JOBTRAIL_SOURCE, or unset it",
    )  # fmt: skip


def configure(here: Machine, client: str, text: str, scope: str = "user") -> Path:
    path = find_config_path(CLIENTS[client], "project" if scope == "project" else "user", here)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def entry(command: str, *args: str, **env: str) -> str:
    return json.dumps({"mcpServers": {"jobtrail": {"command": command, "args": [*args], "env": env}}})


@pytest.mark.parametrize(
    ("text", "verdict", "said"),
    [
        (entry(sys.executable, "-m", "jobtrail", "serve"), "ok", "which is this Jobtrail"),
        (entry("/nowhere/jobtrail", "serve"), "failed", "there is no /nowhere/jobtrail"),
        (entry("no-such-jobtrail", "jobtrail"), "failed", "there is no no-such-jobtrail on the PATH of this shell"),
        (entry("/etc/passwd", "jobtrail"), "failed", "/etc/passwd cannot be run"),
        (entry("/bin/sh", "jobtrail"), "warning", "it starts another Jobtrail than this: /bin/sh"),
        (entry("/bin/sh", "-c", "x"), "warning", "which does not look like Jobtrail"),
        (
            '{"mcpServers": {"jobtrail": {"url": "https://u:pw-known-password-2@jobs.example/mcp"}}}',
            "ok",
            "at jobs.example",
        ),
        ('{"mcpServers": {"jobtrail": {}}}', "failed", "it names no command"),
    ],
)
async def test_the_command_a_client_would_start_is_looked_at(
    tmp_path: Path, text: str, verdict: str, said: str
) -> None:
    here = quick(tmp_path)
    configure(here, "cursor", text)
    one = the(await checks(here), "client", "jobtrail")
    assert (one.subject, one.verdict) == ("Cursor (user)", verdict)
    assert said in one.found
    assert (one.fix or "").startswith("jobtrail install cursor") == (verdict != "ok")
    # What `install` would not replace by itself.
    stranger = said.endswith(("look like Jobtrail", "names no command"))
    assert (one.fix or "").endswith(" --force to replace it, or another --name to keep both") == stranger


@pytest.mark.parametrize(
    ("client", "text", "said"),
    [
        ("cursor", '{"mcpServers":', "is not JSON: line 1, column 15: it ends early"),
        ("claude-desktop", '{"mcpServers": {}, // mine\n}', "which Claude Desktop does not read"),
    ],
)
async def test_a_file_that_a_client_cannot_read_fails(tmp_path: Path, client: str, text: str, said: str) -> None:
    here = quick(tmp_path)
    configure(here, client, text)
    one = the(await checks(here), "client", "file")
    assert one.verdict == "failed"
    assert said in one.found


async def test_clients_that_do_not_name_jobtrail_are_no_fault(tmp_path: Path) -> None:
    here = quick(tmp_path)
    configure(here, "vscode", '{"servers": {"x": {"command": "y"}}} // fine', "project")
    one = the(await checks(here), "client", "jobtrail")
    assert (one.verdict, one.found) == (
        "skipped", "not named in it; `jobtrail install vscode --scope project` adds it",
    )  # fmt: skip


async def test_claude_code_s_servers_of_this_folder_are_looked_at_too(tmp_path: Path) -> None:
    here = quick(tmp_path)
    ours = {"mcpServers": {"jobtrail": {"command": "/nowhere/jobtrail"}}}
    configure(here, "claude-code", json.dumps({"projects": {str(here.folder): ours, "/elsewhere": ours}}))
    assert the(await checks(here), "client", "jobtrail").verdict == "failed"


async def test_a_secret_in_a_file_that_is_committed_is_warned_of_by_name_alone(tmp_path: Path) -> None:
    here = quick(tmp_path)
    env = {"BL_API_KEY": KNOWN[0], "BL_WORKSPACE": "acme", "RUNWISP_TOKEN": "${RUNWISP_TOKEN}"}
    configure(here, "claude-code", entry(sys.executable, "-m", "jobtrail", "serve", **env), "project")
    found = [one for one in await checks(here) if one.check == "jobtrail" and one.verdict == "warning"]
    assert [one.found for one in found] == ["BL_API_KEY stands in plain text in a file that is often committed"]


def everywhere(home: Path, blaxel: str, runwisp: str) -> dict[str, str]:
    """Put known secrets wherever there can be one; return the environment."""
    here = machine(home)
    config = home / "config.toml"
    config.write_text(
        f'[sources.prod]\nkind = "blaxel"\nurl = "{blaxel}"\napi_key = "{KNOWN[0]}"\n'
        f'[sources.cron]\nkind = "runwisp"\nurl = "{runwisp}"\npassword = "{KNOWN[1]}"\n'
        f'[sources.gone]\nkind = "runwisp"\nurl = "{nobody_listening()}"\ntoken_env = "MY_TOKEN"\n',
        encoding="utf-8",
    )
    for client in CLIENTS:
        env = {"BL_API_KEY": KNOWN[0], "RUNWISP_PASSWORD": KNOWN[1], "INNOCENT": KNOWN[3]}
        text = entry("/nowhere/jobtrail", "--token", KNOWN[2], **env)
        configure(here, client, text.replace("mcpServers", CLIENTS[client].servers_key))
    return {
        **here.environ, "HOME": str(home), "JOBTRAIL_CONFIG": str(config), "MY_TOKEN": KNOWN[2],
        "JOBTRAIL_LOG_LEVEL": "debug", "BL_API_KEY": KNOWN[0], "BL_API_URL": blaxel,
    }  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--json",), ("--color", "always")])
async def test_no_secret_is_in_the_output_nor_in_the_logs_whatever_the_upstreams_echo(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    def echoing(status: str) -> Behaviour:
        async def behave(stream: anyio.abc.SocketStream) -> None:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive()
            body = json.dumps({"error": "no", "code": 400, "message": head.decode() + " ".join(KNOWN)}).encode()
            await stream.send(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Request-Id: {KNOWN[0]}\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                + body
            )

        return behave

    async with listening(echoing("400 Bad Request")) as blaxel, listening(echoing("422 Not So")) as runwisp:
        address = blaxel.url.replace("://", f"://me:{KNOWN[1]}@")
        environ = everywhere(tmp_path, address, runwisp.url.replace("://", f"://me:{KNOWN[1]}@"))
        ended = await anyio.to_thread.run_sync(lambda: run_process("doctor", *options, **environ))
    assert ended.code == 1, ended.err
    said = ended.out + ended.err
    assert "prod" in said
    assert [secret for secret in KNOWN if secret in said] == []


async def test_a_real_daemon_tells_its_version_and_its_clock_is_ours(tmp_path: Path, runwisp_locked: Daemon) -> None:
    environ = {"RUNWISP_URL": runwisp_locked.url, "RUNWISP_PASSWORD": "correct horse battery"}
    found = await checks(machine(tmp_path, **environ), only="runwisp")
    assert {one.verdict for one in found} == {"ok"}, found
    assert the(found, "source", "dialect").found == "RunWisp 1.0.1, dialect 1.x"
    assert the(found, "source", "clock").found.startswith("the same as here")
    assert the(found, "source", "credentials").found == "accepted: password"


def test_the_command_line_prints_a_line_a_check_and_says_how_many(no_settings: Path) -> None:
    ended = run_command("doctor", XDG_CONFIG_HOME=str(no_settings), XDG_DATA_HOME=str(no_settings))
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "settings"
    assert "  ok   sources     embedded (embedded); default embedded" in lines
    assert lines[-1].endswith("0 warnings, 0 failed")
    assert "\x1b" not in ended.out


@pytest.mark.parametrize(
    ("options", "more", "coloured"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"TERM": "dumb"}, False),
        (("--color", "never"), {}, False),
    ],
)
def test_on_a_terminal_verdicts_are_coloured_unless_that_is_unwanted(
    options: tuple[str, ...], more: dict[str, str], coloured: bool
) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "TERM": "xterm",
        "RUNWISP_URL": nobody_listening(),
    }
    command = [sys.executable, "-m", "jobtrail", "doctor", "--source", "runwisp", *options]
    with Terminal(command, {**environ, **more}, 60) as terminal:
        code, seen = terminal.rest()
    assert code == 1
    assert bool(re.search(r"\x1b\[[0-9;]*m", seen)) == coloured
    # However narrow it is, nothing of a line is broken or left out.
    assert re.search(r"  FAIL reachable  http://127.0.0.1:[0-9]+: cannot be reached: no connection\n", plain(seen))


def test_the_fix_stands_under_what_failed_and_the_exit_code_is_1() -> None:
    ended = run_command("doctor", "--source", "runwisp", RUNWISP_URL=nobody_listening())
    assert ended.code == 1
    _, failed, fix, counts = ended.out.splitlines()
    assert failed.startswith("  FAIL reachable  http://127.0.0.1:")
    assert fix.startswith("       fix: check that it runs, and correct RUNWISP_URL")
    assert counts == "0 ok, 0 warnings, 1 failed"


def test_json_has_a_stable_shape() -> None:
    ended = run_command("doctor", "--json", "--source", "runwisp", RUNWISP_URL=nobody_listening())
    found = json.loads(ended.out)
    assert (ended.code, found["well"]) == (1, False)
    assert found["counts"] == {"ok": 0, "warning": 0, "failed": 1, "skipped": 0}
    (one,) = found["checks"]
    assert [*one] == ["area", "subject", "check", "verdict", "found", "fix", "seconds"]
    assert (one["area"], one["subject"], one["check"], one["verdict"]) == (
        "source", "runwisp (runwisp)", "reachable", "failed",
    )  # fmt: skip


def test_a_source_that_is_not_configured_cannot_be_looked_at() -> None:
    line = read_refusal(run_command("doctor", "--source", "embeded"))
    assert line == "source 'embeded' is not configured; closest: embedded; configured: embedded"


def test_the_command_that_install_writes_is_this_one_to_the_doctor(no_settings: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(no_settings / "xdg"), "XDG_DATA_HOME": str(no_settings)}
    assert run_process("install", "claude-desktop", **environ).code == 0
    ended = run_process("doctor", "--json", **environ)
    (one,) = [one for one in json.loads(ended.out)["checks"] if one["check"] == "jobtrail"]
    assert (one["verdict"], one["subject"]) == ("ok", "Claude Desktop (user)")
    assert find_start_command().args[-1] == "serve"
