"""`jobtrail ask`: the agent's text for programs, tables for people, and a way on whatever happens."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from jobtrail.analysis.failure_groups import make_signature
from jobtrail.cli import main
from jobtrail.cli.all_pages import MOST_ROWS, PagesRead, merge_pages
from jobtrail.cli.command_lines import format_command, format_text
from jobtrail.cli.tables import print_blocks
from jobtrail.models import (
    Call,
    Coverage,
    FailureCause,
    Failures,
    JobPage,
    ListedJob,
    Note,
    Sentence,
    Total,
    Window,
)
from jobtrail.protocol.arguments import list_examples
from jobtrail.rendering.blocks import Table
from jobtrail.store import Store
from jobtrail.tools import TOOLS
from jobtrail.vocabulary import STATUSES
from tests.cli.commands import read_refusal, run_command, run_process
from tests.cli.terminal import ANSI, Terminal, plain
from tests.plane.records import make_execution, make_job, time_at

if TYPE_CHECKING:
    from pathlib import Path

ASK = [sys.executable, "-m", "jobtrail", "ask"]


def terminal(*arguments: str, columns: int = 120, **environ: str) -> Terminal:
    """Return `jobtrail ask` on a terminal of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    return Terminal([*ASK, *arguments], {"TERM": "xterm-256color", **kept, **environ}, columns)


def test_an_answer_is_the_text_an_agent_reads() -> None:
    ended = run_process("ask", "list_jobs", "limit=2")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("jobs · source embedded, SAMPLE DATA · 2 rows, more to read")
    assert "\nmore: list_jobs(cursor=" in ended.out
    assert "\x1b" not in ended.out


def test_json_is_the_structured_answer_with_whole_rows() -> None:
    found = json.loads(
        run_command("ask", "list_executions", "job=nightly-etl", "status=failed", "limit=2", "--json").out
    )
    assert (found["job"], found["coverage"]["complete"], "common" in found) == ("nightly-etl", False, False)
    assert [row["status"] for row in found["items"]] == ["failed", "failed"]


def test_an_error_is_one_line_on_standard_error() -> None:
    ended = run_process("ask", "list_executions", "job=nightly-et")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "jobtrail: job='nightly-et' does not exist; closest: nightly-etl\n"
    ended = run_process("ask", "list_jobs", "limt=2")
    assert (ended.code, "has no argument 'limt'; closest: limit" in ended.err) == (1, True)


def test_a_missing_argument_is_named_with_an_example() -> None:
    ended = run_command("ask", "list_executions")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "jobtrail: list_executions needs job; call jobtrail ask list_jobs for its values. Such as: "
        "jobtrail ask list_executions job=nightly-etl status=failure since=24h\n"
    )


def test_the_example_for_a_missing_argument_keeps_what_was_given() -> None:
    assert run_command("ask", "list_executions", "status=failed").err == (
        "jobtrail: list_executions needs job; call jobtrail ask list_jobs for its values. Such as: "
        "jobtrail ask list_executions status=failed job=…\n"
    )
    read = run_command("ask", "read_log", "lines=5").err
    assert "Such as: jobtrail ask read_log lines=5 execution=exec-1" in read


def test_calls_in_any_error_are_written_as_they_are_typed() -> None:
    err = run_command("ask", "get_run", "run=x", "source=embedded").err
    assert ("call jobtrail ask list_runs for them" in err, "(" in err) == (True, False)


def test_an_argument_that_is_given_twice_is_refused() -> None:
    line = read_refusal(run_command("ask", "list_executions", "job=a", "job=b"))
    assert line == "job is given twice, as 'a' and 'b'; give it once"


def test_a_tool_that_is_not_there_is_refused_with_the_closest() -> None:
    assert read_refusal(run_command("ask", "list_job")).startswith("there is no tool 'list_job'; closest: list_jobs")


def test_without_a_tool_they_are_listed_a_line_each() -> None:
    ended = run_command("ask")
    assert (ended.code, ended.err) == (0, "")
    names = [line.split()[0] for line in ended.out.splitlines() if line and not line.startswith("`")]
    assert names == [spec.fn.__name__ for spec in TOOLS]


def test_a_tool_s_help_shows_each_argument_and_examples_that_can_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    for spec in TOOLS:
        tool = spec.fn.__name__
        assert main(["ask", tool, "--help"]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"usage: jobtrail ask {tool} ")
        assert "\n  source " in out
        assert f"\n  jobtrail ask {tool} " in out


def test_the_help_of_ask_tells_the_exit_codes() -> None:
    ended = run_command("ask", "--help")
    assert (ended.code, "exit codes: 0 an answer; 1 the tool said no; 2 cannot ask" in ended.out) == (0, True)
    assert "find_missed: 1 too where something is missing" in ended.out


@pytest.mark.parametrize(
    "arguments", [("list_jobs",), ("find_failures",), ("list_jobs", "source=embedded", "--json")]
)
def test_a_store_that_cannot_be_opened_is_2_as_everywhere(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"no database at all, whatever it is called" * 100)
    line = read_refusal(run_command("ask", *arguments, JOBTRAIL_STORE=str(path)))
    assert line.startswith(f"the store {path} cannot be opened: file is not a database; move it away")
    assert read_refusal(run_command("store", "info", JOBTRAIL_STORE=str(path))) == line


def test_what_the_tool_refuses_is_1_though_the_store_is_well(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    store.write([make_job("etl")])
    store.close()
    assert run_command("ask", "get_job", "job=x", JOBTRAIL_STORE=str(tmp_path / "store.db")).code == 1


# On a terminal.


IDS = ["exec-0123456789ab", "exec-ba9876543210"]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A small store of one's own, with one execution that failed and one that did not."""
    store = Store(tmp_path / "own.db")
    store.write(
        [make_job("etl"), make_execution(IDS[0], "etl", 0, "succeeded"), make_execution(IDS[1], "etl", 5, "failed")]
    )
    store.close()
    return tmp_path / "own.db"


def test_on_a_terminal_a_list_is_a_coloured_table_and_the_way_on_can_be_typed() -> None:
    with terminal("list_executions", "job=nightly-etl", "limit=3", "status=failed,succeeded") as one:
        code, seen = one.rest()
    assert code == 0
    lines = plain(seen).splitlines()
    what = lines.index("executions of nightly-etl")
    assert "3 rows" in " ".join(lines[what + 1 :])
    head = next(line for line in lines if line.startswith("id "))
    assert head.split() == ["id", "status", "created", "duration", "ok", "failed", "retried"]
    rows = [line for line in lines if line.startswith("exec-")]
    assert [len(row.split()[0]) for row in rows] == [17, 17, 17]
    assert "\x1b[31mfailed" in seen
    assert "\x1b[32msucceeded" in seen
    assert re.search(r"^more: jobtrail ask list_executions cursor=\S+$", plain(seen), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "environ", "coloured"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"NO_COLOR": ""}, True),
        ((), {"TERM": "dumb"}, False),
        (("--color", "never"), {}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    own: Path, options: tuple[str, ...], environ: dict[str, str], coloured: bool
) -> None:
    with terminal("get_execution", "job=etl", *options, columns=120, JOBTRAIL_STORE=str(own), **environ) as one:
        code, seen = one.rest()
    assert code == 0
    assert ("\x1b[31m" in seen) == coloured
    if not coloured:
        # A bar comes and goes on a terminal that can move its cursor; there are no colours in it either.
        assert not re.search(r"\x1b\[[0-9;]*m", seen)
    assert "verdict: failed" in plain(seen)


def test_colours_into_a_pipe_are_there_when_asked_for() -> None:
    assert "\x1b[1m" in run_command("ask", "list_jobs", "limit=1", "--color", "always").out


def test_a_reader_that_has_enough_of_a_table_ends_it_in_silence(own: Path) -> None:
    command = [*ASK, "list_executions", "job=etl", "--color", "always"]
    environ = {**os.environ, "JOBTRAIL_STORE": str(own)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (0, b"")


def test_a_log_is_shown_line_by_line_as_it_is() -> None:
    with terminal("read_log", "job=backfill-embeddings", f"execution={newest()}", "lines=3") as one:
        code, seen = one.rest()
    assert code == 0
    assert len([line for line in plain(seen).splitlines() if "| " in line]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("columns", [30, 60, 80, 200])
def test_no_id_loses_a_character_however_narrow_the_terminal_is(own: Path, columns: int) -> None:
    with terminal("list_executions", "job=etl", columns=columns, JOBTRAIL_STORE=str(own)) as one:
        _, seen = one.rest()
    # Behind the bar, of which a narrow terminal sees a part.
    shown = plain(seen).rpartition("executions of etl")[2].partition("note:")[0]
    assert "…" not in shown
    assert all(one in shown for one in IDS)
    assert "2026-11-01T00:05:00Z" in shown


ROWS = Table(
    ("name", "status", "created", "about"),
    [
        (
            "backfill-embeddings", "succeeded", "2026-11-01T00:05:00Z",
            "fills what the embedder left out in the night before",
        ),
        ("crm-sync", "failed", "2026-11-01T00:07:00Z", "short"),
    ],
)  # fmt: skip


def laid_out(width: int, table: Table) -> list[str]:
    """Return the lines of a list on a terminal of some width."""
    console = Console(width=width, markup=False, highlight=False, emoji=False, color_system=None)
    with console.capture() as captured:
        print_blocks(console, [table])
    return [line.rstrip() for line in captured.get().splitlines()]


def test_where_there_is_no_room_prose_is_cut_short_before_anything_else() -> None:
    assert laid_out(80, ROWS) == [
        "name                 status     created               about",
        "backfill-embeddings  succeeded  2026-11-01T00:05:00Z  fills what the embedder l…",
        "crm-sync             failed     2026-11-01T00:07:00Z  short",
    ]


def test_where_there_is_no_room_for_columns_what_a_row_is_about_stays_and_the_rest_goes_beneath_it() -> None:
    assert laid_out(40, ROWS) == [
        "name                 status",
        "backfill-embeddings  succeeded",
        "  created 2026-11-01T00:05:00Z",
        "  about fills what the embedder left out",
        "  in the night before",
        "crm-sync             failed",
        "  created 2026-11-01T00:07:00Z",
        "  about short",
    ]


def test_where_not_even_names_and_statuses_fit_rows_stand_one_under_the_other_and_words_stay_whole() -> None:
    assert laid_out(28, ROWS)[:6] == [
        "backfill-embeddings",
        "  status succeeded",
        "  created 2026-11-01T00:05:00Z",
        "  about fills what the",
        "  embedder left out in the",
        "  night before",
    ]


@pytest.mark.parametrize(
    ("tool", "columns"),
    [
        ("list_active", {"job", "status", "since", "so far"}),
        ("find_missed", {"job", "state", "due", "missed"}),
        ("find_failures", {"count", "job", "status", "last"}),
        ("history", {"job", "runs", "success", "last"}),
    ],
)
def test_at_80_columns_every_row_keeps_its_name_and_its_status_on_one_line(tool: str, columns: set[str]) -> None:
    lines = plain(run_command("ask", tool, "--color", "always", COLUMNS="80").out).splitlines()
    assert all(len(line) <= 80 for line in lines if "jobtrail ask" not in line)
    head = next(at for at, line in enumerate(lines) if columns <= {*re.split(r" {2,}", line.strip())})
    rows = [*takewhile(lambda line: not re.match(r"\w+(?: due)?: ", line), lines[head + 1 :])]
    rows = [line for line in rows if not line.startswith("  ") or line[:5].strip().isdecimal()]
    assert len(rows) > 1
    jobs = {one["name"] for one in json.loads(run_command("ask", "list_jobs", "--all", "--json").out)["items"]}
    said = {*STATUSES, "held", "late", "never ran"}
    for row in rows:
        assert {*row.split()[:2]} & jobs, row
        assert any(f" {status}" in row for status in said), row


def test_at_80_columns_a_comparison_keeps_its_tasks_and_what_became_of_them() -> None:
    lines = plain(
        run_command("ask", "compare", "job=nightly-etl", "--color", "always", COLUMNS="80").out
    ).splitlines()
    head = next(at for at, line in enumerate(lines) if line.startswith("task "))
    assert lines[head].split() == ["task", "change", "this", "base"]
    assert re.fullmatch(r"task-\d+ +failed only here +failed \S+ +succeeded \S+", lines[head + 1].strip())


def test_what_can_be_typed_is_never_cut() -> None:
    call = Call("get_execution", {"job": "etl", "execution": IDS[0]})
    lines = laid_out(60, Table(("count", "job", "open"), [("1", "etl", call), ("2", "etl", call)]))
    assert lines[:3] == [
        "count  job",
        "    1  etl",
        f"  open jobtrail ask get_execution job=etl execution={IDS[0]}",
    ]


HOSTILE = "[red]not markup[/red] :smile: [link=file:///etc/passwd]x[/link] \\[b]"


def test_what_an_upstream_wrote_is_no_markup(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    store.write([make_job("etl", title=HOSTILE), make_job("other")])
    store.close()
    with terminal("list_jobs", columns=200, JOBTRAIL_STORE=str(tmp_path / "store.db")) as one:
        code, seen = one.rest()
    assert code == 0
    assert HOSTILE in plain(seen)
    assert "\x1b]8" not in seen


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])), min_size=2, max_size=2))
)
def test_any_cell_is_printed_as_it_is(rows: list[list[str]]) -> None:
    console = Console(width=400, markup=False, highlight=False, emoji=False, color_system=None)
    with console.capture() as captured:
        print_blocks(console, [table := Table(("name", "about"), rows)])
    printed = captured.get()
    assert all(str(cell) in printed for row in table.rows for cell in row if len(str(cell)) < 150)


# To the end.


def test_all_follows_the_cursors_to_the_end_and_says_that_it_is() -> None:
    found = json.loads(run_command("ask", "list_executions", "job=fraud-scoring", "--all", "--json").out)
    ids = [one["id"] for one in found["items"]]
    assert len(ids) == len(set(ids)) > 100
    assert (found["coverage"]["complete"], found["total"], "cursor" in found) == (
        True, {"value": len(ids), "kind": "exact"}, False,
    )  # fmt: skip
    text = run_command("ask", "list_executions", "job=fraud-scoring", "--all", "limit=50").out
    assert f"· {len(ids)} rows, complete ·" in text.splitlines()[0]
    assert text.count("\nexec-") == len(ids)


@pytest.mark.slow
def test_all_failures_are_a_row_for_each_cause_and_a_limit_leaves_none_out() -> None:
    found = json.loads(run_command("ask", "find_failures", "since=7d", "limit=1", "--all", "--json").out)
    rows = [(one["source"], one["job"], make_signature(one["cause"])) for one in found["causes"]]
    assert len(rows) == len(set(rows)) > 1
    assert sum(one["count"] for one in found["causes"]) == found["failures"]
    assert (found["coverage"]["complete"], "notes" in found) == (True, False)


def test_all_of_what_is_no_list_is_refused() -> None:
    for tool in ("get_job", "read_log"):
        line = read_refusal(run_command("ask", tool, "job=nightly-etl", "--all"))
        assert line.startswith(f"{tool} answers in one piece")


def test_a_cursor_is_gone_on_from() -> None:
    first = json.loads(run_command("ask", "list_jobs", "limit=3", "--json").out)
    rest = json.loads(run_command("ask", "list_jobs", f"cursor={first['cursor']}", "--all", "--json").out)
    every = json.loads(run_command("ask", "list_jobs", "--all", "--json").out)
    assert [*first["items"], *rest["items"]] == every["items"]


def test_a_bar_shows_on_a_terminal_how_far_it_is_and_leaves_nothing_behind() -> None:
    with terminal("list_tasks", "job=backfill-embeddings", "execution=" + newest(), "--all", "limit=20") as one:
        one.until(r"[0-9,]+ rows of [0-9,]+ scanned")
        one.interrupt()
        code, seen = one.rest()
    assert code == 130
    told = plain(seen).splitlines()[-1]
    stopped = re.fullmatch(
        r"jobtrail: stopped after ([0-9,]+) rows; go on with: jobtrail ask list_tasks cursor=(.*) --all", told
    )
    assert stopped, told
    assert plain(seen).count("\ntask-") == int(stopped[1].replace(",", "")) > 0


def newest() -> str:
    """Return the sample's big execution."""
    return json.loads(run_command("ask", "get_execution", "job=backfill-embeddings", "--json").out)["execution"]["id"]


COVERAGE = Coverage(scanned=5, matched=3, complete=False)


def page(*names: str, notes: tuple[str, ...], cursor: str | None = None) -> JobPage:
    return JobPage(
        source="a",
        coverage=COVERAGE.model_copy(update={"complete": cursor is None}),
        total=Total(kind="unknown"),
        sort="name:asc",
        items=tuple(ListedJob(name=name, kind="job") for name in names),
        notes=notes,
        cursor=cursor,
    )


def causes(*rows: FailureCause, cursor: str | None = None, errors: dict[str, Note] | None = None) -> Failures:
    return Failures(
        sources=("a",), jobs=1, failures=sum(row.count for row in rows), causes_found=len(rows), causes=rows,
        errors=errors, coverage=COVERAGE, cursor=cursor, window=Window(now=time_at(0)), filters={},
    )  # fmt: skip


def cause(text: str, count: int, example: str, first: int) -> FailureCause:
    return FailureCause(
        source="a", job="etl", kind="execution", status="failed", cause=text, count=count, example=example,
        first_at=time_at(first), open=Call("get_execution", {"job": "etl", "execution": example}),
    )  # fmt: skip


def test_pages_are_merged_row_by_row_with_what_the_last_one_says() -> None:
    whole = merge_pages([page("x", "y", notes=("n", "o"), cursor="a"), page("z", notes=("o", "p"))])
    assert whole == page("x", "y", "z", notes=("n", "o", "p"))
    newest, oldest = cause("exit code 1 after 10 s", 2, "e9", 5), cause("exit code 1 after 12 s", 1, "e1", 3)
    other = cause("killed by SIGKILL", 1, "e5", 4)
    assert merge_pages([causes(newest, cursor="a", errors={"a": "down"}), causes(other, oldest)]) == causes(
        newest.model_copy(update={"count": 3, "first_at": time_at(3)}), other, errors={"a": "down"}
    )
    one = causes(newest)
    assert merge_pages([one]) is one


def test_the_bound_of_all_is_one_that_a_person_can_wait_for() -> None:
    pages = PagesRead()
    pages.read = [page(*["x"] * MOST_ROWS, notes=(), cursor="x")]
    assert (pages.rows, pages.cursor) == (10_000, "x")


# Calls.


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (Call("list_jobs"), "jobtrail ask list_jobs"),
        (
            Sentence("see ", Call("get_run", {"run": "01A", "source": "x y"}), "."),
            "see jobtrail ask get_run run=01A source='x y'.",
        ),
        (
            Sentence("a: ", Sentence(Call("f", {"b": "c)d"}), " and ", Call("g", {"c": 1}))),
            "a: jobtrail ask f b='c)d' and jobtrail ask g c=1",
        ),
        (Call("f", {"x": True}), "jobtrail ask f x=true"),
        (Call("f", {"a": ..., "b": "x y", "c": "…"}), "jobtrail ask f a=… b='x y' c='…'"),
        ("an upstream's f(x=1)", "an upstream's f(x=1)"),
    ],
)
def test_a_call_becomes_what_a_person_types(text: str | Call | Sentence, command: str) -> None:
    assert format_text(text) == command


@given(st.dictionaries(st.sampled_from(["job", "source"]), st.text(max_size=20)))
def test_whatever_is_in_a_call_a_shell_reads_it_as_one_word(arguments: dict[str, str]) -> None:
    words = shlex.split(format_command(Call("get_job", arguments)))
    assert words[3:] == [f"{name}={value}" for name, value in arguments.items()]


def test_examples_of_a_description_that_are_no_json_are_left_out() -> None:
    assert list_examples("f", 'What. Examples: {"a": "b"} · nonsense · [1]') == [Call("f", {"a": "b"})]
    assert ANSI.sub("", "\x1b[1mx") == "x"
