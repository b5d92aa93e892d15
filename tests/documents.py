"""The examples of README.md and docs/, made by running the code; `python -m tests.documents` writes them anew.

An example is a fenced block whose first line is what is done and whose other lines are what comes of it::

    ```text                     a tool of a server over the sample workspace, at a fixed time
    > list_jobs(limit=3)
    ```text WORLD               likewise, in one of the worlds below, where something is wrong
    > list_jobs()
    ```text                     a resource
    > jobtrail://embedded/jobs
    ```console                  a command, in an empty home
    $ jobtrail serve --host 0.0.0.0
    ```console damaged          likewise, with a damaged store in it
    $ JOBTRAIL_STORE=damaged.db jobtrail store check

Between `<!-- arguments of TOOL -->` and `<!-- end -->` stand the tool's arguments as a table, and between
`<!-- questions -->` and `<!-- end -->` the questions that one call over the sample answers.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
from mcp import Client
from mcp.types import TextResourceContents

from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings, SourceSettings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.store import Store
from jobtrail.store.rows import ExecutionRow, JobRow
from tests.agents.questions import IN_ONE_CALL
from tests.sample_client import NOW, FixedClock, count_tokens, sample_client, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PAGES", "ROOT", "find_examples", "renew_examples", "run_example", "write_arguments", "write_questions"]

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_EXAMPLE = re.compile(r"^```(text|console)(?: ([a-z ]+))?\n([>$]) (.*?)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ARGUMENTS = re.compile(r"(<!-- arguments of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_QUESTIONS = re.compile(r"(<!-- questions -->\n).*?(<!-- end -->)", re.DOTALL)
_SECONDS = 60

World = Callable[[], AbstractAsyncContextManager[Client]]


def _connect_over(answer: Callable[[httpx2.Request], httpx2.Response], *sources: SourceSettings) -> Client:
    """Return a client of a server whose upstreams answer so."""
    settings = Settings(sources=sources, default=sources[0].name)
    return Client(build_server(settings, httpx2.MockTransport(answer), FixedClock(moment=NOW)))


_BLAXEL = BlaxelSettings.model_validate({"name": "prod", "workspace": "acme", "api_key": "k", "origin": "BL_API_KEY"})
_CRON = RunWispSettings(name="cron", url="http://127.0.0.1:9477", origin="[sources.cron] of config.toml")


def _refuses(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("refused", request=request)


@asynccontextmanager
async def _two_sources() -> AsyncGenerator[Client]:
    prod = EmbeddedSettings(name="prod")
    async with _connect_over(_refuses, prod, _CRON) as client:
        yield client


@asynccontextmanager
async def _down() -> AsyncGenerator[Client]:
    async with _connect_over(_refuses, _CRON) as client:
        yield client


@asynccontextmanager
async def _refused() -> AsyncGenerator[Client]:
    async with _connect_over(
        lambda _request: httpx2.Response(401, json={"error": "unauthorized"}), _BLAXEL
    ) as client:
        yield client


@asynccontextmanager
async def _limited() -> AsyncGenerator[Client]:
    limited = httpx2.Response(429, headers={"Retry-After": "30"}, json={"error": "rate_limited"})
    async with _connect_over(lambda _request: limited, _BLAXEL) as client:
        yield client


@asynccontextmanager
async def _failing() -> AsyncGenerator[Client]:
    broken = httpx2.Response(502, headers={"X-Request-Id": "req-4711"}, text="Bad Gateway")
    async with _connect_over(lambda _request: broken, _BLAXEL) as client:
        yield client


@asynccontextmanager
async def _strange() -> AsyncGenerator[Client]:
    async with _connect_over(lambda _request: httpx2.Response(200, html="<title>Log in</title>"), _BLAXEL) as client:
        yield client


@asynccontextmanager
async def _runs_only() -> AsyncGenerator[Client]:
    async with _connect_over(_refuses, _CRON) as client:
        yield client


WORLDS: dict[str, World] = {
    "": sample_client,
    "two sources": _two_sources,
    "down": _down,
    "refused": _refused,
    "limited": _limited,
    "failing": _failing,
    "strange": _strange,
    "runs only": _runs_only,
}


def find_examples(text: str) -> list[tuple[str, str, str, str]]:
    """Return a page's examples: kind, world, what is done, what came of it."""
    return [(found[1], found[2] or "", found[4], found[5]) for found in _EXAMPLE.finditer(text)]


async def run_example(kind: str, world: str, done: str) -> str:
    """Do what an example does and return what comes of it."""
    if kind == "console":
        return await anyio.to_thread.run_sync(_run_command, done, world)
    async with WORLDS[world]() as client:
        if done.startswith("jobtrail://"):
            (content,) = (await client.read_resource(done)).contents
            assert isinstance(content, TextResourceContents)
            return content.text + "\n"
        name, arguments = _parse_call(done)
        # How long a wait took is the machine's.
        return re.sub(r"waited \S+ of", "waited 0ms of", text_of(await client.call_tool(name, arguments))) + "\n"


def _parse_call(text: str) -> tuple[str, dict[str, Any]]:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    return call.func.id, {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}


def _damage_store(path: Path) -> None:
    """Make a store of one execution, whose list of jobs was overwritten with zeros."""
    with closing(Store(path)) as store:
        store.write([JobRow("etl", 1, 1), ExecutionRow("etl", "exec-1", "succeeded", 1, 2)])
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))


def _run_command(line: str, world: str) -> str:
    """Run a command in a home that is empty, or damaged; return what it prints."""
    *assigned, program, command = _split_arguments(line)
    assert program == "jobtrail", line
    with tempfile.TemporaryDirectory() as home:
        if world == "damaged":
            _damage_store(Path(home, "damaged.db"))
        env = {
            "HOME": home,
            "PATH": os.environ["PATH"],
            "XDG_DATA_HOME": f"{home}/data",
            "XDG_CONFIG_HOME": f"{home}/config",
        }
        env |= dict(one.split("=", 1) for one in assigned)
        run = [sys.executable, "-m", "jobtrail", *shlex.split(command)]
        done = subprocess.run(
            run, env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
        return done.stdout.replace(home, "~")


def _split_arguments(line: str) -> Iterable[str]:
    """Return the variables that are set, the program, and the rest of the line."""
    found = re.fullmatch(r"((?:[A-Z_]+=\S+ )*)(\S+) ?(.*)", line)
    assert found, line
    return [*found[1].split(), found[2], found[3]]


async def write_arguments(tool: str) -> str:
    """Return a tool's arguments as a table."""
    async with sample_client() as client:
        schema = next(one.input_schema for one in (await client.list_tools()).tools if one.name == tool)
    rows = [f"| `{name}` | {one.get('description', '')} |" for name, one in schema["properties"].items()]
    return "\n".join(["| argument | |", "|---|---|", *rows, ""])


async def write_questions() -> str:
    """Return the questions that one call over the sample answers, as a table with what each answer costs."""
    asked = [question for question in IN_ONE_CALL if question.data in {"sample", "two sources"}]
    rows: list[str] = []
    async with sample_client() as client:
        for question in asked:
            name, arguments = _parse_call(question.call)
            answer = await client.call_tool(name, arguments)
            assert not answer.is_error, text_of(answer)
            rows.append(f"| {question.words} | `{question.call}` | {count_tokens(text_of(answer)):,} |")
    return "\n".join(["| question | call | tokens |", "|---|---|---:|", *rows, ""])


async def renew_examples(text: str) -> str:
    """Return a page with every example and table made anew."""
    parts: list[str] = []
    at = 0
    for found in _EXAMPLE.finditer(text):
        parts += [text[at : found.start(5)], await run_example(found[1], found[2] or "", found[4])]
        at = found.end(5)
    text = "".join([*parts, text[at:]])
    for _, tool, _ in _ARGUMENTS.findall(text):
        table = await write_arguments(tool)
        text = re.sub(
            rf"(<!-- arguments of {tool} -->\n).*?(<!-- end -->)",
            lambda match, table=table: match[1] + table + match[2],
            text,
            flags=re.DOTALL,
        )
    if _QUESTIONS.search(text):
        questions = await write_questions()
        text = _QUESTIONS.sub(lambda match: match[1] + questions + match[2], text)
    return text


def main() -> None:
    """Write every page anew."""
    for page in PAGES:
        page.write_text(anyio.run(renew_examples, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
