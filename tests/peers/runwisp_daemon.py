"""A real RunWisp daemon to test against: finding it, filling its history, starting and stopping it.

The binary is GPL and never shipped; it is a peer that tests talk to over HTTP or its socket.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import socket
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


VERSION = "1.0.1"
CACHE = Path(__file__).parents[1] / ".cache" / "runwisp"
PACKAGES = {
    ("Linux", "x86_64"): "linux-x64",
    ("Linux", "aarch64"): "linux-arm64",
    ("Linux", "arm64"): "linux-arm64",
    ("Darwin", "x86_64"): "darwin-x64",
    ("Darwin", "arm64"): "darwin-arm64",
}
# The largest retention the configuration accepts, and a schedule that is years away.
CALMED = {"keep_runs": "1000000", "keep_for": '"36500d"', "cron": '"0 0 29 2 *"'}
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class RunwispMissing(Exception):
    """No RunWisp binary, and none could be installed."""


def find_binary() -> Path:
    """The binary named by RUNWISP_BIN, else the cached install, else a fresh one from npm."""
    named = os.environ.get("RUNWISP_BIN")
    if named:
        return _existing(Path(named))
    machine = (platform.system(), platform.machine())
    if machine not in PACKAGES:
        raise RunwispMissing(f"RunWisp has no build for {machine!r}; set RUNWISP_BIN")
    package = f"@runwisp/{PACKAGES[machine]}"
    binary = CACHE / "node_modules" / package / "runwisp"
    if not binary.is_file():
        _install(f"{package}@{VERSION}")
    return _existing(binary)


def _existing(binary: Path) -> Path:
    if not binary.is_file():
        raise RunwispMissing(f"no RunWisp binary at {str(binary)!r}")
    return binary.resolve()


def _install(package: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RunwispMissing(f"npm is not on PATH, so {package} cannot be installed; set RUNWISP_BIN")
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(CACHE), package]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=180)
    except subprocess.CalledProcessError as failure:
        raise RunwispMissing(f"npm could not install {package}: {failure.stderr[-400:]}") from failure
    except subprocess.TimeoutExpired as failure:
        raise RunwispMissing(f"npm did not install {package} within 180 s") from failure


def _environment(**settings: str) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("RUNWISP_")}
    return inherited | settings


def seed_home(binary: Path, home: Path) -> Path:
    """Fill a new home with the demo history: about 600 real runs of 14 tasks and services, in 16 s.

    The configuration is then calmed, so that a daemon neither prunes those runs nor starts
    scheduled ones: every change in its history is one that a test made.
    """
    config = home / "runwisp.toml"
    home.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [binary, "demo", "--seed-only", "--config", config, "--data", home / "data"],
        check=True,
        capture_output=True,
        timeout=180,
        env=_environment(),
    )
    config.write_text(_calmed(config.read_text(encoding="utf-8")), encoding="utf-8")
    return home


def _calmed(toml: str) -> str:
    keys = "|".join(CALMED)
    return re.sub(
        rf"^({keys})(\s*=\s*).*$",
        lambda line: f"{line[1]}{line[2]}{CALMED[line[1]]}",
        toml,
        flags=re.MULTILINE,
    )


def copy_home(home: Path, target: Path) -> Path:
    """Copy a seeded home (its daemon must be down) to a directory that does not exist yet."""
    return shutil.copytree(home, target)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Daemon:
    """One RunWisp daemon over a home; a context manager, and restartable on the same port.

    With no password it runs with authentication off. Three service runs start with it.
    """

    binary: Path
    home: Path
    password: str | None = None
    port: int = field(default_factory=_free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.home / "runwisp.toml"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def db(self) -> Path:
        return self.data / "runwisp.db"

    @property
    def socket(self) -> Path:
        return self.data / "runwisp.sock"

    @property
    def log(self) -> Path:
        return self.home / "daemon.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the daemon and wait, at most 20 s, until it says it is healthy."""
        auth = {"RUNWISP_AUTH": "off"} if self.password is None else {"RUNWISP_PASSWORD": self.password}
        command = [self.binary, "daemon", "--config", self.config, "--data", self.data, "-p", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(**auth)
            )
        try:
            self._wait_until_healthy(timeout=20)
        except RuntimeError:
            self.stop()
            raise

    def stop(self) -> None:
        """Ask the daemon to stop, and kill it if it has not within 20 s."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Stop and start; the login limit is forgotten, tokens stay good while the password does."""
        self.stop()
        self.start()

    def get(self, path: str, **query: str | int) -> httpx2.Response:
        """GET over the Unix socket, which needs no login: what the daemon itself answers."""
        with self._over_socket() as client:
            return client.get(path, params=query)

    def runs(self, **query: str | int) -> list[dict[str, Any]]:
        """The items of one `GET /api/runs`, over the Unix socket."""
        answer = self.get("/api/runs", **query).raise_for_status()
        return answer.json()["items"] or []

    def trigger(self, task: str, params: dict[str, str] | None = None, *, wait: bool = True) -> dict[str, Any]:
        """Run a task for real and return the run: ended, or just created when not waiting."""
        with self._over_socket() as client:
            answer = client.post(
                f"/api/tasks/{task}/run",
                params={"wait": json.dumps(wait)},
                json={"params": params or {}},
                timeout=60,
            )
        return answer.raise_for_status().json()

    def login(self, password: str | None = None) -> httpx2.Response:
        """Log in over TCP; spends two of the five login requests allowed in five minutes."""
        secret = self.password if password is None else password
        with httpx2.Client(base_url=self.url) as client:
            challenge = client.get("/api/auth/challenge")
            if challenge.is_error:
                return challenge
            nonce = challenge.json()["nonce"]
            proof = hashlib.pbkdf2_hmac("sha256", (secret or "").encode(), nonce.encode(), 600_000, 32)
            return client.post("/api/auth/login", json={"nonce": nonce, "response": proof.hex()})

    def _over_socket(self) -> httpx2.Client:
        transport = httpx2.HTTPTransport(uds=str(self.socket))
        return httpx2.Client(transport=transport, base_url="http://runwisp")

    def _wait_until_healthy(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while self.running and time.monotonic() < deadline:
            if _healthy(self.url):
                return
            time.sleep(0.02)
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"RunWisp did not become healthy at {self.url}; its log ends:\n{tail}")


def _healthy(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health").is_success
    except httpx2.TransportError:
        return False


@dataclass(frozen=True, kw_only=True)
class DaemonRunRow:
    """One row of the `runs` table, its fields named as its columns are.

    A time given as text is stored as it stands; RunWisp compares stored times as text.
    """

    id: str
    task_name: str
    created_at: datetime | str
    started_at: datetime | str | None = None
    ended_at: datetime | str | None = None
    status: str = "ended"
    end_reason: str | None = "succeeded"
    exit_code: int = 0
    triggered_by: str = "cron"
    is_failure: int = 0
    retry_attempt: int = 0
    retry_of_run_id: str | None = None
    instance_index: int = 0
    deleted_at: datetime | str | None = None


def ulid(moment: datetime, number: int) -> str:
    """The ULID of a moment whose random part is `number`."""
    millis = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return _crockford(millis, 10) + _crockford(number, 16)


def _crockford(value: int, length: int) -> str:
    return "".join(CROCKFORD[value >> 5 * place & 31] for place in reversed(range(length)))


def stored_time(moment: datetime) -> str:
    """A time as RunWisp stores it: UTC, no trailing zeros in the fraction.

    The zeros matter. Filters compare this text, and `.5+00:00` sorts before `.500000+00:00`.
    """
    utc = moment.astimezone(UTC)
    fraction = f".{utc.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{utc:%Y-%m-%d %H:%M:%S}{fraction}+00:00"


def insert_runs(db: Path, rows: Iterable[DaemonRunRow]) -> None:
    """Insert runs, in one transaction; a running daemon serves them at once.

    Insert pending and running ones while it runs: a daemon that starts ends those it finds.
    """
    columns = list(DaemonRunRow.__dataclass_fields__)
    statement = f"INSERT INTO runs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - names of fields
    with closing(sqlite3.connect(db, timeout=10)) as connection, connection:
        connection.executemany(statement, (_stored(row) for row in rows))


def _stored(row: DaemonRunRow) -> list[Any]:
    values = asdict(row).values()
    return [stored_time(value) if isinstance(value, datetime) else value for value in values]


def read_runs(db: Path, where: str = "deleted_at IS NULL", values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Read rows of `runs` in insertion order, without writing; `where` is SQL with `?` for values."""
    with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        query = f"SELECT * FROM runs WHERE {where} ORDER BY rowid"  # noqa: S608 - a test's own text
        return [dict(row) for row in connection.execute(query, values)]
