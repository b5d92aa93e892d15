"""Logging in: one log-in for many calls, renewed in time, never hammered, never shown."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from mcp import Client

from jobtrail.errors import RateLimited, Unauthorized, UnreadableAnswer, UpstreamError
from jobtrail.protocol.app import build_server
from jobtrail.sources.blaxel.login import BlaxelToken
from jobtrail.sources.http import Http
from jobtrail.sources.registry import load_settings
from jobtrail.sources.runwisp.login import RunWispLogin
from tests.sample_client import text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

BASE = "http://upstream.invalid/v0"
DAEMON = "http://daemon.invalid"
BASIC = base64.b64encode(b"id:s3cr3t").decode()
PASSWORD = "correct horse battery"
FIX = "check THE_SETTING"
SECONDS = 30


@dataclass
class Moved:
    """A clock that a test moves."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Oauth:
    """Plays Blaxel's token endpoint and one endpoint behind it.

    Attributes:
        grants: the bodies of the token requests.
        headers: their `Authorization`, None where there was none.
        valid: the access tokens it accepts.
        life: `expires_in` of the tokens it gives.
        answer: what it says instead of giving a token.
    """

    grants: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    headers: list[str | None] = field(default_factory=list[str | None])
    valid: set[str] = field(default_factory=set[str])
    calls: int = 0
    life: float = 7_200
    answer: httpx2.Response | None = None

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path != "/v0/oauth/token":
            self.calls += 1
            known = request.headers.get("authorization", "").removeprefix("Bearer ") in self.valid
            return httpx2.Response(200 if known else 401, json={})
        # Everybody who would ask for a token too has done so by now.
        await anyio.wait_all_tasks_blocked()
        self.grants.append(json.loads(request.content))
        self.headers.append(request.headers.get("authorization"))
        if self.answer is not None:
            return self.answer
        number = len(self.grants)
        self.valid.add(f"access-{number}")
        body = {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}", "token_type": "Bearer"}
        return httpx2.Response(200, json={**body, "expires_in": self.life})


@dataclass
class Daemon:
    """Plays RunWisp's log-in: a nonce is good for one answer, and tokens can be forgotten.

    Attributes:
        answer: what it says to whoever has logged in.
    """

    password: str = PASSWORD
    answer: httpx2.Response = field(default_factory=lambda: httpx2.Response(200, json={}))
    nonces: set[str] = field(default_factory=set[str])
    used: list[str] = field(default_factory=list[str])
    challenges: int = 0
    valid: set[str] = field(default_factory=set[str])
    limited: dict[str, str] | None = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        match request.method, request.url.path:
            case "GET", "/api/auth/challenge":
                return self.challenge()
            case "POST", "/api/auth/login":
                return self.login(json.loads(request.content))
            case _:
                known = request.headers.get("authorization", "").removeprefix("Bearer ") in self.valid
                return self.answer if known else httpx2.Response(401, json={"title": "Unauthorized"})

    def challenge(self) -> httpx2.Response:
        self.challenges += 1
        if self.limited is not None:
            return httpx2.Response(429, json={"title": "Too Many Requests"}, headers=self.limited)
        nonce = f"nonce-{self.challenges}"
        self.nonces.add(nonce)
        return httpx2.Response(200, json={"nonce": nonce})

    def login(self, body: dict[str, str]) -> httpx2.Response:
        nonce = body["nonce"]
        self.used.append(nonce)
        if nonce not in self.nonces:
            return httpx2.Response(401, json={"title": "nonce unknown"})
        self.nonces.remove(nonce)
        expected = hashlib.pbkdf2_hmac("sha256", self.password.encode(), nonce.encode(), 600_000, 32).hex()
        if body["response"] != expected:
            return httpx2.Response(401, json={"title": "wrong password"})
        token = f"session-{len(self.used)}"
        self.valid.add(token)
        return httpx2.Response(200, json={"token": token})


@asynccontextmanager
async def http(base: str, auth: httpx2.Auth, upstream: Any) -> AsyncGenerator[Http]:
    transport = httpx2.MockTransport(upstream)
    async with httpx2.AsyncClient(base_url=base, auth=auth, transport=transport) as client:
        yield Http(client, "source 'it'", FIX)


def client_credentials() -> BlaxelToken:
    grant = {"grant_type": "client_credentials"}
    return BlaxelToken(f"{BASE}/oauth/token", grant, basic=BASIC, subject="source 'it'", settings_advice=FIX)


def device_login() -> BlaxelToken:
    grant = {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-0",
        "device_code": "device",
        "client_id": "blaxel",
    }
    return BlaxelToken(
        f"{BASE}/oauth/token", grant, token=("access-0", 3600.0), subject="source 'it'", settings_advice=FIX
    )


def runwisp_login(password: str = PASSWORD) -> RunWispLogin:
    return RunWispLogin(DAEMON, password, subject="source 'it'", settings_advice=FIX)


def moved(auth: BlaxelToken | RunWispLogin) -> Moved:
    auth.clock = clock = Moved()
    return clock


async def test_many_parallel_calls_ask_for_one_token() -> None:
    upstream = Oauth()
    async with http(BASE, client_credentials(), upstream) as api:
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(api.get, "jobs")
    assert upstream.calls == 20
    assert upstream.grants == [{"grant_type": "client_credentials"}]
    assert upstream.headers == [f"Basic {BASIC}"]


async def test_a_token_is_renewed_a_minute_before_it_ends() -> None:
    upstream, auth = Oauth(life=7_200), client_credentials()
    clock = moved(auth)
    async with http(BASE, auth, upstream) as api:
        await api.get("jobs")
        clock.now += 7_139
        await api.get("jobs")
        assert len(upstream.grants) == 1
        clock.now += 1
        await api.get("jobs")
        assert len(upstream.grants) == 2
    # No call was ever made with a token that had ended.
    assert upstream.calls == 3


async def test_a_token_that_the_upstream_forgot_is_renewed_once_and_the_call_made_again() -> None:
    upstream = Oauth()
    async with http(BASE, client_credentials(), upstream) as api:
        await api.get("jobs")
        upstream.valid.clear()
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(api.get, "jobs")
    assert len(upstream.grants) == 2


async def test_a_refusal_that_comes_late_does_not_throw_the_renewed_token_away() -> None:
    upstream = Oauth()
    asked, renewed = anyio.Event(), anyio.Event()

    async def late(request: httpx2.Request) -> httpx2.Response:
        answer = await upstream(request)
        if request.url.path == "/v0/slow" and answer.status_code == 401:
            asked.set()
            await renewed.wait()
        return answer

    async with http(BASE, client_credentials(), late) as api:
        await api.get("jobs")
        upstream.valid.clear()
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as group:
                group.start_soon(api.get, "slow")
                await asked.wait()
                await api.get("jobs")
                renewed.set()
    assert len(upstream.grants) == 2


async def test_a_new_token_that_is_refused_too_is_an_error_and_no_loop() -> None:
    class Deaf(set[str]):
        def __contains__(self, _token: object) -> bool:
            return False

    upstream = Oauth(valid=Deaf())
    async with http(BASE, client_credentials(), upstream) as api:
        with anyio.fail_after(SECONDS), pytest.raises(Unauthorized, match=rf"HTTP 401.*{FIX}") as refusal:
            await api.get("jobs")
    assert (len(upstream.grants), upstream.calls) == (1, 1)
    assert "access-1" not in str(refusal.value)


async def test_a_device_login_uses_its_token_and_refreshes_it_with_the_newest_refresh_token() -> None:
    upstream = Oauth(valid={"access-0"})
    async with http(BASE, device_login(), upstream) as api:
        await api.get("jobs")
        assert upstream.grants == []
        for _ in range(2):
            upstream.valid.clear()
            await api.get("jobs")
    common = {"grant_type": "refresh_token", "device_code": "device", "client_id": "blaxel"}
    assert upstream.grants == [{**common, "refresh_token": f"refresh-{number}"} for number in (0, 1)]
    # The device login has no id and secret; the old token is not sent along either.
    assert upstream.headers == [None, None]


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>", headers={"content-type": "text/html"}),
        httpx2.Response(200, json=["access_token"]),
        httpx2.Response(200, json={"token_type": "Bearer"}),
        httpx2.Response(200, json={"access_token": 5}),
        httpx2.Response(200, json={"access_token": ""}),
    ],
)
async def test_a_login_that_gives_no_token_is_an_error_that_names_the_setting(answer: httpx2.Response) -> None:
    async with http(BASE, client_credentials(), Oauth(answer=answer)) as api:
        with pytest.raises(UnreadableAnswer, match=FIX):
            await api.get("jobs")


async def test_a_login_that_is_given_up_does_not_lock_the_others_out() -> None:
    upstream = Oauth()
    waiting = anyio.Event()

    async def stuck_once(request: httpx2.Request) -> httpx2.Response:
        if not waiting.is_set():
            waiting.set()
            await anyio.sleep_forever()
        return await upstream(request)

    async with http(BASE, client_credentials(), stuck_once) as api:
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as group:
                group.start_soon(api.get, "jobs")
                await waiting.wait()
                group.cancel_scope.cancel()
            await api.get("jobs")
    assert len(upstream.grants) == 1


async def test_runwisp_s_challenge_is_answered_once_and_the_session_kept() -> None:
    daemon = Daemon()
    async with http(DAEMON, runwisp_login(), daemon) as api:
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(api.get, "api/runs")
    assert daemon.used == ["nonce-1"]


async def test_every_login_answers_a_nonce_of_its_own() -> None:
    daemon, auth = Daemon(), runwisp_login()
    clock = moved(auth)
    async with http(DAEMON, auth, daemon) as api:
        await api.get("api/runs")
        daemon.valid.clear()
        await api.get("api/runs")
        clock.now += 24 * 3600
        await api.get("api/runs")
    assert daemon.used == ["nonce-1", "nonce-2", "nonce-3"]
    assert daemon.nonces == set()


async def test_a_refused_password_is_not_tried_again_within_a_minute() -> None:
    daemon, auth = Daemon(), runwisp_login("wrong")
    clock = moved(auth)
    async with http(DAEMON, auth, daemon) as api:
        for later, left in ((0, 60), (0, 60), (17.5, 43), (41.5, 1)):
            clock.now += later
            with pytest.raises(Unauthorized) as refused:
                await api.get("api/runs")
            said = f"source 'it' (log-in) refused the credentials (HTTP 401); {FIX}; the next log-in is tried in "
            assert str(refused.value) == f"{said}{left} s"
        assert daemon.used == ["nonce-1"]
        clock.now += 1
        # The daemon's password was changed meanwhile.
        daemon.password = "wrong"
        await api.get("api/runs")
    assert daemon.used == ["nonce-1", "nonce-2"]


async def test_parallel_calls_try_a_wrong_password_once() -> None:
    daemon = Daemon()
    refusals: list[str] = []

    async def call(api: Http) -> None:
        with pytest.raises(Unauthorized) as refusal:
            await api.get("api/runs")
        refusals.append(str(refusal.value))

    async with http(DAEMON, runwisp_login("wrong"), daemon) as api:
        with anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(call, api)
    assert daemon.used == ["nonce-1"]
    assert len(refusals) == 5
    assert len(set(refusals)) == 1


async def test_an_agent_is_told_which_variable_holds_the_wrong_password_and_not_its_value(tmp_path: Path) -> None:
    settings = load_settings({"RUNWISP_URL": DAEMON, "RUNWISP_PASSWORD": "hunter2-is-wrong"}, tmp_path)
    with anyio.fail_after(SECONDS):
        async with Client(build_server(settings, httpx2.MockTransport(Daemon()))) as client:
            result = await client.call_tool("list_runs", {})
    assert result.is_error
    assert text_of(result) == (
        "source 'runwisp' (log-in) refused the credentials (HTTP 401); "
        "check RUNWISP_URL or RUNWISP_SOCKET, and RUNWISP_PASSWORD or RUNWISP_TOKEN; the next log-in is tried in 60 s"
    )
    assert "hunter2" not in result.model_dump_json()


async def test_a_login_that_is_limited_tells_how_long_to_wait() -> None:
    daemon = Daemon(limited={"Retry-After": "240"})
    async with http(DAEMON, runwisp_login(), daemon) as api:
        with pytest.raises(
            RateLimited, match=r"\(log-in\) limits its callers \(HTTP 429\); wait 240 s and"
        ) as limited:
            await api.get("api/runs")
    assert limited.value.retry_after == 240
    # Longer than a call may take: nothing is retried, so the limit is not used up further.
    assert daemon.challenges == 1


async def test_a_fresh_token_that_is_refused_does_not_use_up_the_logins() -> None:
    requests: list[str] = []

    def upstream(request: httpx2.Request) -> httpx2.Response:
        requests.append(request.url.path)
        if request.url.path.endswith("/oauth/token"):
            return httpx2.Response(200, json={"access_token": "useless", "expires_in": 7200})
        return httpx2.Response(401, text="no")

    async with http(BASE, client_credentials(), upstream) as api:
        for _ in range(3):
            with pytest.raises(Unauthorized, match=r"refused a token it had just given .*is tried in 60 s$"):
                await api.get("jobs")
    assert len([path for path in requests if path.endswith("/oauth/token")]) == 1


async def test_an_endless_answer_to_a_login_is_given_up_and_nothing_of_it_is_quoted() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b'{"message": "secret-of-mine"' * 1000

    def upstream(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(400, content=endless(), headers={"content-type": "application/json"})

    async with http(BASE, client_credentials(), upstream) as api:
        with anyio.fail_after(SECONDS), pytest.raises(UnreadableAnswer, match="far too much") as refused:
            await api.get("jobs")
    assert "secret-of-mine" not in str(refused.value)


async def test_what_an_upstream_says_of_a_login_is_not_quoted() -> None:
    def upstream(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(400, json={"message": "refresh token RT-SECRET has expired"})

    async with http(BASE, client_credentials(), upstream) as api:
        with pytest.raises(UpstreamError) as refused:
            await api.get("jobs")
    assert "RT-SECRET" not in str(refused.value)
