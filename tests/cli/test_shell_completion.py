"""The Tab key in real shells: commands, options, tools, arguments, and what the live sources have."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from jobtrail.store import Store
from jobtrail.vocabulary import FAILURE, STATUSES
from tests.cli.terminal import Terminal
from tests.plane.records import make_execution, make_job
from tests.upstreams import accept_and_hang, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.peers

BIN = Path(sys.executable).parent
CASES = [
    ("jobtrail ins", {"install"}),
    ("jobtrail install c", {"claude-desktop", "claude-code", "cursor"}),
    ("jobtrail serve --tr", {"--transport"}),
    ("jobtrail serve --transport s", {"stdio", "sse"}),
    ("jobtrail store p", {"prune"}),
    ("jobtrail doctor --source e", {"embedded"}),
    ("jobtrail ask find", {"find_failures", "find_missed"}),
    ("jobtrail ask history ", {"job=", "since=", "until=", "bucket=", "sort=", "limit=", "cursor=", "source="}),
    ("jobtrail ask history job=nightly-etl s", {"since=", "sort=", "source="}),
]
VALUES = [
    ("jobtrail ask history job=night", "job=", {"nightly-etl"}),
    ("jobtrail ask list_runs job=back", "job=", {"backup-postgres"}),
    ("jobtrail ask list_jobs source=", "source=", {"embedded"}),
    ("jobtrail ask list_runs status=failed,ti", "status=", {"failed,timeout"}),
    ("jobtrail ask list_jobs status=dep", "status=", {"deployed", "deploying"}),
]


def environ(**more: str) -> dict[str, str]:
    """Return the environment of a shell in which `jobtrail` is found."""
    kept = {name: os.environ[name] for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    return {"PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "xterm", **kept, **more}


BASH = """
eval "$(jobtrail completion bash)"
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
_python_argcomplete jobtrail
printf '%s\\n' "${COMPREPLY[@]}"
"""


FISH = 'jobtrail completion fish | source; complete --do-complete "$argv"'


def find_shell(name: str) -> str:
    """Return where a shell is."""
    path = shutil.which(name)
    assert path is not None, f"{name} is not installed"
    return path


def bash(line: str, **more: str) -> set[str]:
    """Return what bash would offer."""
    said = subprocess.run(
        [find_shell("bash"), "-c", BASH, "bash", line],
        env=environ(**more),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    return {one.strip() for one in said.splitlines() if one.strip()}


def fish(line: str) -> set[str]:
    """Return what fish would offer."""
    return offered_by([find_shell("fish"), "--no-config", "-c", FISH, line])


def offered_by(command: list[str], **more: str) -> set[str]:
    """Return what a shell prints as offers, without descriptions."""
    ended = subprocess.run(command, env=environ(**more), capture_output=True, text=True, timeout=60, check=True)
    return {one.partition("\t")[0].strip() for one in ended.stdout.splitlines() if one.strip()}


@pytest.mark.parametrize(("line", "offered"), CASES)
def test_bash_completes_commands_options_tools_and_arguments(line: str, offered: set[str]) -> None:
    assert bash(line) == offered


@pytest.mark.parametrize(("line", "name", "offered"), VALUES)
def test_bash_completes_values_behind_the_equals_sign_alone_since_it_breaks_words_there(
    line: str, name: str, offered: set[str]
) -> None:
    assert bash(line) == offered
    assert name in line


@pytest.mark.parametrize(("line", "offered"), CASES)
def test_fish_completes_the_same(line: str, offered: set[str]) -> None:
    assert fish(line) == offered


@pytest.mark.parametrize(("line", "name", "offered"), VALUES)
def test_fish_completes_values_as_whole_words(line: str, name: str, offered: set[str]) -> None:
    assert fish(line) == {f"{name}{one}" for one in offered}


@pytest.fixture
def zsh(tmp_path: Path) -> Iterator[Terminal]:
    """An interactive zsh that completes."""
    setup = 'autoload -Uz compinit; compinit -u -D\neval "$(jobtrail completion zsh)"\nPS1="ready> "\n'
    (tmp_path / ".zshrc").write_text(setup, encoding="utf-8")
    with Terminal([find_shell("zsh"), "-i"], environ(ZDOTDIR=str(tmp_path))) as terminal:
        terminal.until("ready> ")
        yield terminal


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("jobtrail ins\t", "jobtrail install "),
        ("jobtrail ask find_f\t", "jobtrail ask find_failures "),
        ("jobtrail ask history job=night\t", "job=nightly-etl "),
    ],
)
def test_an_interactive_zsh_completes_what_is_typed(zsh: Terminal, typed: str, becomes: str) -> None:
    zsh.type(typed)
    assert re.search(re.escape(becomes.strip()), zsh.until(re.escape(becomes.rsplit(maxsplit=1)[-1])))


def test_an_interactive_bash_completes_what_is_typed() -> None:
    with Terminal([find_shell("bash"), "--norc", "-i"], environ(PS1="ready> ")) as terminal:
        terminal.until("ready> ")
        terminal.type('eval "$(jobtrail completion bash)"; echo set-$((1))\n')
        terminal.until("set-1")
        terminal.type("jobtrail ask history job=night\t")
        terminal.until("job=nightly-etl ")


def test_the_jobs_of_a_store_of_one_s_own_are_offered(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    store.write([make_job("mine-daily"), make_job("mine-weekly"), make_job("other")])
    store.close()
    assert bash("jobtrail ask get_job job=mine", JOBTRAIL_STORE=str(tmp_path / "store.db")) == {
        "mine-daily",
        "mine-weekly",
    }


def test_options_that_name_something_offer_names_and_no_files(tmp_path: Path) -> None:
    own = str(tmp_path / "store.db")
    # There is no store of one's own yet, and its sample is nothing to record to.
    assert bash("jobtrail record --job ", JOBTRAIL_STORE=own) == set()
    store = Store(tmp_path / "store.db")
    store.write([make_job("mine-daily"), make_execution("e-1", "mine-daily", 0), make_job("other")])
    store.close()
    assert bash("jobtrail record --job mine", JOBTRAIL_STORE=own) == {"mine-daily"}
    assert bash("jobtrail record --job mine-daily --execution e", JOBTRAIL_STORE=own) == {"e-1"}
    assert bash("jobtrail board --job ot", JOBTRAIL_STORE=own) == {"other"}
    assert bash("jobtrail board --job mine-daily --execution ", JOBTRAIL_STORE=own) == {"e-1"}
    assert bash("jobtrail board --source emb", JOBTRAIL_STORE=own) == {"embedded"}


@pytest.mark.anyio
async def test_a_source_that_hangs_keeps_neither_the_shell_waiting_nor_the_others_names_back(tmp_path: Path) -> None:
    async with listening(accept_and_hang) as hung:
        config = tmp_path / "config.toml"
        config.write_text(
            f'[sources.hung]\nkind = "runwisp"\nurl = "{hung.url}"\n[sources.own]\nkind = "embedded"\n',
            encoding="utf-8",
        )
        began = time.monotonic()
        found = await anyio.to_thread.run_sync(
            lambda: bash("jobtrail ask get_job job=night", JOBTRAIL_CONFIG=str(config))
        )
        took = time.monotonic() - began
        alone = await anyio.to_thread.run_sync(
            lambda: bash("jobtrail ask get_job source=hung job=night", JOBTRAIL_CONFIG=str(config))
        )
    assert (found, alone) == ({"nightly-etl"}, set())
    # A tool would wait 20 s for such a source.
    assert took < 15


def test_settings_that_cannot_be_read_offer_nothing_and_say_nothing(tmp_path: Path) -> None:
    assert bash("jobtrail ask get_job job=n", JOBTRAIL_CONFIG=str(tmp_path / "none.toml")) == set()


def test_the_statuses_that_are_offered_are_those_there_are() -> None:
    assert bash("jobtrail ask list_runs status=") == {*STATUSES, FAILURE}
