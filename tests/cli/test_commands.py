"""The command line: help, refusals in one line, no secret, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from jobtrail import __version__
from jobtrail.cli.shell_completion import ARGUMENTS
from jobtrail.protocol.app import build_server
from tests.cli.commands import SECONDS, SECRET, Ended, read_refusal, run_command, run_process
from tests.cli.terminal import Terminal
from tests.sample_client import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_help_names_the_commands() -> None:
    ended = run_process("--help")
    assert (ended.code, ended.err) == (0, "")
    for command in ("serve", "install", "doctor", "tour", "ask", "record", "import", "store", "plane"):
        assert f"\n    {command} " in ended.out
    assert "Without a command it serves over stdio" in ended.out


@pytest.mark.parametrize(
    ("command", "options"),
    [("serve", ("--transport", "--host", "--port")), ("tour", ("--source",)), ("plane", ("--host", "--port"))],
)
def test_help_of_a_command_names_its_options_and_their_defaults(command: str, options: tuple[str, ...]) -> None:
    ended = run_command(command, "--help")
    assert (ended.code, ended.err) == (0, "")
    for option in options:
        assert option in ended.out
    if "--host" in options:
        assert "(default 127.0.0.1)" in ended.out


def test_version_is_the_distribution_s() -> None:
    assert run_process("--version") == Ended(0, f"jobtrail {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frobnicate",), "invalid choice: 'frobnicate' (choose from"),
        (("serve", "--transport", "carrier-pigeon"), "invalid choice: 'carrier-pigeon' (choose from"),
        (("serve", "--frobnicate"), "unrecognized arguments: --frobnicate"),
        (("serve", "--port", "99999"), "'99999' is not a port; give 0 to 65535, 0 for any free one"),
        (("serve", "--port", "-1"), "'-1' is not a port; give 0 to 65535, 0 for any free one"),
        (("plane", "--port", "http"), "'http' is not a port; give 0 to 65535, 0 for any free one"),
    ],
)
def test_a_command_line_that_does_not_fit_shows_the_usage(arguments: tuple[str, ...], says: str) -> None:
    ended = run_command(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("usage: jobtrail")
    assert says in ended.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("instal",), "install"),
        (("serve", "--transprot", "sse"), "--transport"),
        (("serve", "--transport", "stdoi"), "stdio"),
        (("store", "prun"), "prune"),
        (("ask", "list_jobs", "--jsn"), "--json"),
    ],
)
def test_what_was_nearly_written_is_named(arguments: tuple[str, ...], near: str) -> None:
    ended = run_command(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1].endswith(f"; did you mean {near}?")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("install",), "required: CLIENT; such as: jobtrail install claude-desktop"),
        (("import",), "required: FILE; such as: jobtrail import saved.jsonl daemon.db"),
        (("store", "prune"), "required: --keep; such as: jobtrail store prune --keep 90d --dry-run"),
    ],
)
def test_a_missing_argument_is_named_with_an_example(arguments: tuple[str, ...], line: str) -> None:
    ended = run_command(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.rstrip("\n").endswith(line)


def test_a_command_that_runs_no_other_takes_nothing_after_two_dashes() -> None:
    ended = run_command("serve", "--", "true")
    assert (ended.code, ended.err.splitlines()[-1]) == (2, "jobtrail serve: error: it takes no command after --")


def test_the_help_of_completion_says_where_to_put_what_is_printed() -> None:
    ended = run_command("completion", "--help")
    for shell in ("bash", "zsh", "fish"):
        assert f"jobtrail completion {shell}" in ended.out


@pytest.mark.anyio
async def test_the_tools_and_arguments_that_a_shell_offers_are_those_of_the_code() -> None:
    tools = await build_server(SAMPLE).list_tools()
    assert {tool.name: tuple(tool.input_schema["properties"]) for tool in tools} == ARGUMENTS


def test_the_help_tells_what_the_exit_codes_mean() -> None:
    assert "exit codes: 0 fine; 1 the answer is no" in run_command("--help").out


@pytest.mark.parametrize("command", [(), ("serve",)], ids=["no command", "serve"])
def test_a_server_that_a_person_starts_at_a_terminal_says_what_it_waits_for(command: tuple[str, ...]) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TERM": "dumb"}
    with Terminal([sys.executable, "-m", "jobtrail", *command], environ, 200) as terminal:
        terminal.until(
            "serving MCP over stdio for a client; press Ctrl-C to end, `jobtrail --help` shows the commands"
        )
        terminal.interrupt()
        terminal.rest()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])  # noqa: S104 # what must be refused
def test_the_plane_listens_on_loopback_only_token_or_not(host: str) -> None:
    line = read_refusal(run_command("plane", "--host", host, "--port", "0", JOBTRAIL_AUTH_TOKEN=SECRET))
    assert line == f"--host {host}: the plane has no log-in, so it listens on loopback only"


def test_an_address_that_is_not_this_machine_s_is_refused() -> None:
    line = read_refusal(
        run_process("serve", "--transport", "http", "--host", "192.0.2.1", "--port", "0", JOBTRAIL_AUTH_TOKEN=SECRET)
    )
    assert line.startswith("cannot listen on 192.0.2.1:0 (")


@pytest.mark.parametrize("command", ["serve", "tour", "plane"])
def test_every_command_says_in_one_line_which_setting_is_wrong(command: str) -> None:
    line = read_refusal(run_process(command, JOBTRAIL_TZ="Mars/Olympus", BL_API_KEY=SECRET))
    assert line == "JOBTRAIL_TZ: 'Mars/Olympus' is not an IANA zone; give one such as Europe/Berlin"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"JOBTRAIL_CONFIG": "/no/such/file"}, "/no/such/file cannot be read (No such file or directory)"),
        ({"JOBTRAIL_CONFIG": "/"}, "/ cannot be read (Is a directory)"),
        ({"JOBTRAIL_CONFIG": "~no-such-user/x.toml"}, "~no-such-user/x.toml cannot be read (no such user)"),
        ({"JOBTRAIL_LOG_LEVEL": "LOUD"}, "JOBTRAIL_LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ({"JOBTRAIL_SOURCE": "prod"}, "the default source 'prod' is not configured; configured: runwisp"),
        ({"RUNWISP_URL": "localhost:9477"}, "RUNWISP_URL: give an address such as https://host:port/path"),
        ({"RUNWISP_URL": f"http://me:{SECRET}@h:99999"}, "RUNWISP_URL: give an address such as"),
        ({"RUNWISP_TOKEN": f"{SECRET}…"}, "RUNWISP_TOKEN: there are characters in it that no HTTP header may carry"),
        ({"BL_API_URL": "ftp://blaxel.example"}, "BL_API_URL: give an address such as https://host:port/path"),
        ({"BL_API_KEY": f"{SECRET}\nx"}, "BL_API_KEY: there are characters in it that no HTTP header may carry"),
        ({"BL_WORKSPACE": "acme"}, "BL_WORKSPACE is set, but no Blaxel credentials are; set BL_API_KEY"),
    ],
)
def test_a_wrong_variable_is_one_line_without_any_secret(environ: dict[str, str], says: str) -> None:
    assert says in read_refusal(run_command("serve", **{"RUNWISP_PASSWORD": SECRET, **environ}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[sources.prod\n", "is not TOML: "),
        ("sauces = 1\n", "has unknown keys ['sauces']; known: default, timezone, sources"),
        ('timezone = "Mars/Olympus"\n', "'Mars/Olympus' is not an IANA zone"),
        ("sources = 5\n", "sources must be tables such as [sources.prod]"),
        ("sources.prod = 5\n", "must be a table"),
        (f'[sources.prod]\nkind = "blaxel"\napi_kee = "{SECRET}"\n', "api_kee: Extra inputs are not permitted"),
        ('[sources.prod]\nkind = "jenkins"\n', "kind is 'jenkins'; give one of blaxel, runwisp, embedded"),
        (f'[sources.prod]\napi_key = "{SECRET}"\n', "kind is missing; give one of blaxel, runwisp, embedded"),
        (f'[sources.prod]\nkind = "blaxel"\napi_key = ["{SECRET}"]\n', "api_key: Input should be a valid string"),
        ('[sources."a b"]\nkind = "blaxel"\n', "name: String should match pattern"),
        (
            '[sources.prod]\nkind = "blaxel"\napi_key_env = "NO_SUCH_KEY"\n',
            "reads api_key from $NO_SUCH_KEY, which is not set",
        ),
        ('default = "x"\n[sources.prod]\nkind = "embedded"\n', "'x' is not configured; configured: prod"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "jobtrail.toml"
    path.write_text(text, encoding="utf-8")
    line = read_refusal(run_command("serve", JOBTRAIL_CONFIG=str(path)))
    assert says in line
    assert str(path) in line or "is not configured" in line


def test_a_file_that_is_not_text_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "jobtrail.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "is not TOML" in read_refusal(run_command("serve", JOBTRAIL_CONFIG=str(path)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"workspaces: [{SECRET}", "cannot be read (ParserError); run `bl login` again"),
        (f"- {SECRET}\n", "cannot be read (AttributeError)"),
        (f"context: {SECRET}\n", "cannot be read (AttributeError)"),
        (f"workspaces: [{SECRET}]\n", "cannot be read (AttributeError)"),
        (
            f"context: {{workspace: acme}}\nworkspaces: [{{name: acme, credentials: {SECRET}}}]\n",
            "cannot be read (ValueError)",
        ),
        (
            f"context: {{workspace: gone}}\nworkspaces: [{{name: acme, credentials: {{apiKey: {SECRET}}}}}]\n",
            "has no workspace 'gone'; set BL_WORKSPACE or run `bl login`",
        ),
        (
            "context: {workspace: acme}\nworkspaces: [{name: acme, credentials: {}}]\n",
            "but no Blaxel credentials are; set BL_API_KEY",
        ),
        (
            f"context: {{workspace: acme}}\nworkspaces: [{{name: acme, credentials: {{apiKey: [{SECRET}]}}}}]\n",
            "api_key: Input should be a valid string",
        ),
    ],
)
def test_a_broken_login_of_the_blaxel_cli_is_one_line_that_names_the_file(
    no_settings: Path, text: str, says: str
) -> None:
    path = no_settings / ".blaxel" / "config.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    line = read_refusal(run_command("serve"))
    assert says in line
    assert str(path) in line


def test_a_reader_that_has_enough_of_the_tour_ends_it_in_silence() -> None:
    command = [sys.executable, "-m", "jobtrail", "tour"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith("Jobtrail tour over embedded (embedded).")
        process.stdout.close()
        assert process.wait(SECONDS) == 0
        assert process.stderr.read() == ""


def test_the_tour_of_a_source_that_is_not_there_ends_with_1() -> None:
    ended = run_process("tour", "--source", "prod")
    assert ended.code == 1
    assert "source='prod' is not configured; configured: embedded" in ended.out
    assert "1 calls, 1 refused" in ended.out


class Upstream(BaseHTTPRequestHandler):
    """Answers every request with an empty JSON object."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        pass


@pytest.fixture
def upstream() -> Iterator[str]:
    """The address, without its scheme, of an upstream that answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_debug_logs_go_to_stderr_without_any_secret(upstream: str) -> None:
    environ = {
        "JOBTRAIL_LOG_LEVEL": "debug",
        "RUNWISP_URL": f"http://me:{SECRET}@{upstream}",
        "BL_API_KEY": SECRET,
        "BL_API_URL": f"http://me:{SECRET}@{upstream}/v0",
    }
    for source in ("runwisp", "blaxel"):
        ended = run_process("tour", "--source", source, **environ)
        assert f"find_failures(source='{source}', limit=5)" in ended.out
        assert " DEBUG " in ended.err
        assert SECRET not in ended.out + ended.err


@pytest.mark.parametrize(
    ("environ", "encoding"),
    [({"PYTHONIOENCODING": "cp1252"}, "cp1252"), ({"LC_ALL": "C", "PYTHONUTF8": "0"}, "ascii")],
)
def test_an_answer_is_printed_in_any_encoding(environ: dict[str, str], encoding: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "jobtrail", "ask", "history", "job=nightly-etl"],
        env={**os.environ, "PYTHONCOERCECLOCALE": "0", **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    # What it lacks is replaced, and nothing else.
    assert "source embedded, SAMPLE DATA" in ended.stdout.decode(encoding)
    assert b"????" in ended.stdout
