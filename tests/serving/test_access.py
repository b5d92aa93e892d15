"""Who may reach a server over HTTP: host, origin, token, address."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest
from pydantic import SecretStr

from jobtrail.errors import SettingsError
from jobtrail.serving import HttpBind
from tests.sample_client import SAMPLE
from tests.serving.processes import (
    ENV,
    JOBTRAIL,
    SECONDS,
    TOKEN,
    ServerProcess,
    Transport,
    both_eras,
    both_transports,
    check_everything,
    open_client,
    start_server,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from jobtrail.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def servers() -> Generator[dict[str, ServerProcess]]:
    """One server of each transport, for tests that leave them as they are."""
    with start_server("http") as http, start_server("sse") as sse:
        yield {"http": http, "sse": sse}


@pytest.fixture(scope="module")
def guarded() -> Generator[dict[str, ServerProcess]]:
    """One server of each transport that asks for a token."""
    with (
        start_server("http", JOBTRAIL_AUTH_TOKEN=f" {TOKEN}\n") as http,
        start_server("sse", JOBTRAIL_AUTH_TOKEN=TOKEN) as sse,
    ):
        yield {"http": http, "sse": sse}


@both_transports
def test_healthz_says_ok(servers: dict[str, ServerProcess], transport: Transport) -> None:
    answered = httpx2.get(f"{servers[transport].root}/healthz")
    assert (answered.status_code, answered.text) == (200, "ok\n")


@both_transports
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Host": "localhost.evil.example"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Host": "evil.example", "Origin": "http://localhost"}, 421),
    ],
)
def test_a_foreign_host_or_origin_is_turned_away_on_every_path(
    servers: dict[str, ServerProcess], transport: Transport, headers: dict[str, str], status: int
) -> None:
    served = servers[transport]
    for path in served.paths:
        for method in ("GET", "POST"):
            answered = httpx2.request(method, served.root + path, headers=headers)
            assert answered.status_code == status, (method, path)


@both_transports
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:9"},
        {"Host": "127.0.0.1"},
        {"Host": "[::1]:9"},
        {"Origin": "http://localhost:6274"},
        {"Origin": "https://127.0.0.1"},
    ],
)
def test_host_and_origin_of_this_machine_pass_on_every_path(
    servers: dict[str, ServerProcess], transport: Transport, headers: dict[str, str]
) -> None:
    served = servers[transport]
    for path in served.paths:
        # No stream is opened by a POST that carries nothing.
        answered = httpx2.post(served.root + path, headers=headers)
        assert answered.status_code not in {401, 403, 421}, path


def test_further_host_names_pass_once_they_are_allowed() -> None:
    with start_server("http", JOBTRAIL_ALLOWED_HOSTS="jobs.example, other.example:8080") as served:
        statuses = {
            host: httpx2.get(f"{served.root}/healthz", headers={"Host": host}).status_code
            for host in ("jobs.example", "jobs.example:1", "other.example:8080", "other.example", "evil.example")
        }
    assert statuses == {
        "jobs.example": 200,
        "jobs.example:1": 200,
        "other.example:8080": 200,
        "other.example": 421,
        "evil.example": 421,
    }


@both_transports
@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer ünïcode"]
)
def test_without_the_right_token_nothing_is_served(
    guarded: dict[str, ServerProcess], transport: Transport, given: str | None
) -> None:
    served = guarded[transport]
    headers = {} if given is None else {b"Authorization": given.encode()}
    for path in served.paths[:-1]:
        for method in ("GET", "POST"):
            answered = httpx2.request(method, served.root + path, headers=headers)
            assert answered.status_code == 401, (method, path)
            assert answered.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in answered.text
    assert httpx2.get(f"{served.root}/healthz").status_code == 200


@both_transports
@both_eras
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_client_with_the_token_finds_everything(
    guarded: dict[str, ServerProcess], transport: Transport, mode: str, scheme: str
) -> None:
    with anyio.fail_after(SECONDS):
        async with open_client(guarded[transport], mode, {"Authorization": f"{scheme} {TOKEN}"}) as client:
            await check_everything(client, mode)


@both_transports
def test_off_loopback_it_does_not_start_without_a_token(transport: Transport) -> None:
    command = [*JOBTRAIL, "serve", "--transport", transport, "--host", "0.0.0.0", "--port", "0"]  # noqa: S104 # the point
    ended = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "jobtrail: --host 0.0.0.0 is reachable from other machines, and whoever reaches this server can read your "
        "jobs: set JOBTRAIL_AUTH_TOKEN, or listen on 127.0.0.1\n"
    )


@pytest.mark.parametrize(
    ("host", "needs"),
    [
        ("127.0.0.1", False),
        ("127.8.9.10", False),
        ("localhost", False),
        ("::1", False),
        ("[::1]", False),
        ("::", True),
        ("", True),
        ("192.0.2.1", True),
        ("jobs.example", True),
        ("localhost.jobs.example", True),
    ],
)
def test_which_addresses_need_a_token(host: str, needs: bool) -> None:  # a column of the table
    def bind(settings: Settings) -> bool:
        try:
            return HttpBind.for_transport(host, 0, settings).host == host
        except SettingsError:
            return False

    assert bind(SAMPLE) is not needs
    assert bind(SAMPLE.model_copy(update={"auth_token": SecretStr(TOKEN)}))


@both_transports
def test_off_loopback_it_starts_with_a_token(transport: Transport) -> None:
    with start_server(transport, "--host", "0.0.0.0", JOBTRAIL_AUTH_TOKEN=TOKEN) as served:  # noqa: S104 # the point
        here = served.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 # likewise
        assert httpx2.post(here).status_code == 401
        answered = httpx2.post(here, headers={"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"})
        assert answered.status_code == 421


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
async def test_the_ipv6_loopback_is_served_without_a_token() -> None:
    with start_server("http", "--host", "::1") as served:
        assert served.root.startswith("http://[::1]:")
        with anyio.fail_after(SECONDS):
            async with open_client(served, "auto") as client:
                await check_everything(client, "auto")
