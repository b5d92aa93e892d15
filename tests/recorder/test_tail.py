"""The kept end of an output: whole lines, whatever pieces they came in, and never a secret."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.masking import Mask
from jobtrail.recorder.tail import Tail
from jobtrail.store.kept_output import LINE_BYTES, is_cut, mark_cut

if TYPE_CHECKING:
    from collections.abc import Sequence


LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)


def kept(*pieces: bytes, environ: dict[str, str] | None = None) -> list[str]:
    tail = Tail(Mask(environ or {}))
    for piece in pieces:
        tail.feed("stdout", piece)
    tail.close()
    return [text for _, _, text in tail.read_lines()]


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30), max_size=30),
    st.lists(st.integers(0, 2000), max_size=12),
)
def test_lines_are_whole_wherever_the_output_was_cut(lines: list[str], places: list[int]) -> None:
    data = "\n".join(lines).encode()
    assert kept(*cut(data, places)) == (lines[:-1] if lines and not lines[-1] else lines)


@given(st.lists(st.integers(0, 2000), max_size=12))
def test_what_a_progress_bar_wrote_over_is_not_kept(places: list[int]) -> None:
    data = b"1%\r50%\r100%\ndone\r\nnext\n"
    assert kept(*cut(data, places)) == ["100%", "done", "next"]


@given(st.lists(st.integers(0, 2000), max_size=12))
def test_what_cannot_be_seen_writes_over_nothing(places: list[int]) -> None:
    data = b"fatal: disk full\r\x1b[?25h\n5%\r100%\r\x1b[K\r \r\x1b[0m\x1b]0;title\x07\n\r\r\nend\r\x1b[?2"
    assert [text.rstrip() for text in kept(*cut(data, places))] == ["fatal: disk full", "100%", "", "end"]


def test_of_many_lines_the_last_200_are_kept_and_the_others_counted() -> None:
    lines = kept(b"".join(b"line %d\n" % number for number in range(1500)))
    assert lines[0] == "[1,300 earlier lines were not kept]"
    assert lines[1:] == [f"line {number}" for number in range(1300, 1500)]


def test_of_long_lines_as_many_are_kept_as_their_bytes_allow_and_each_of_them_whole() -> None:
    lines = [f"{number}{'x' * 99_999}" for number in range(9)]
    assert kept("\n".join(lines).encode()) == ["[7 earlier lines were not kept]", *lines[7:]]
    assert kept(b"x" * LINE_BYTES) == ["x" * LINE_BYTES]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_without_end_costs_no_memory_and_its_beginning_is_marked_as_one(end: bytes) -> None:
    (line,) = kept(*[b"x" * 65_536] * 100, end)
    text = line.removesuffix(mark_cut(""))
    assert is_cut(line)
    assert set(text) == {"x"}
    assert 120_000 < len(text) <= LINE_BYTES
    assert kept(b"x" * (LINE_BYTES + 1), end) == [line]


def test_bytes_that_are_no_text_are_kept_as_replacements() -> None:
    assert kept(b"caf\xe9 \0ok\n") == ["caf\ufffd ok"]


def test_the_last_word_is_that_of_stderr() -> None:
    tail = Tail(Mask({}))
    assert tail.find_last_line() == ("stdout", "")
    tail.feed("stdout", b"done\n")
    assert tail.find_last_line() == ("stdout", "done")
    tail.feed("stdout", b"fine\n")
    tail.feed("stderr", b"psql: no route to host\n\n  \n")
    tail.feed("stdout", b"bye\n")
    assert tail.find_last_line() == ("stderr", "psql: no route to host")


def test_the_last_word_is_no_longer_than_a_reason() -> None:
    tail = Tail(Mask({}))
    tail.feed("stderr", b"x" * 200_000 + b"\n")
    assert tail.find_last_line() == ("stderr", "x" * 2_000 + "…")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter2hunter2"),
        ("GITHUB_TOKEN", "ghp_16C7e42F292c"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG"),
        ("OPENAI_API_KEY", "sk-proj-abcdef"),
        ("DATABASE_URL", "postgres://app:hunter2hunter2@db/app"),
        ("TLS_PRIVATE", "-----BEGIN-----\nMIIEpAIBAAKC\nAQEA7bq4wc\n-----END-----"),
    ],
)
@given(places=st.lists(st.integers(0, 4000), max_size=6))
def test_a_secret_of_the_environment_is_in_no_kept_line(name: str, value: str, places: list[int]) -> None:
    secrets = ["hunter2hunter2"] if name == "DATABASE_URL" else [one for one in value.splitlines() if len(one) >= 6]
    data = "\n".join(f"{'x' * 1990}{secret} and {secret}!" for secret in secrets).encode()
    text = "\n".join(kept(*cut(data, places), environ={name: value}))
    assert "***" in text
    for secret in secrets:
        assert secret[:8] not in text


@given(st.integers(0, 400))
def test_a_secret_where_a_line_is_cut_leaves_no_part_of_it(start: int) -> None:
    secret = "hunter2hunter2" * 20
    line = "x" * (LINE_BYTES - 300 + start) + secret + "y" * 10_000
    (text,) = kept(line.encode(), environ={"DB_PASSWORD": secret})
    assert is_cut(text)
    assert "hunter2" not in text


def test_what_only_looks_like_a_secret_s_name_stays() -> None:
    environ = {"PWD": "/home/app", "SSH_AUTH_SOCK": "/run/agent.1", "LOG_LEVEL": "warning", "PASS": "short"}
    assert kept(b"/home/app /run/agent.1 warning short\n", environ=environ) == [
        "/home/app /run/agent.1 warning short"
    ]


def test_of_two_secrets_one_inside_the_other_nothing_is_left() -> None:
    environ = {"A_TOKEN": "abcdef", "B_TOKEN": "abcdef123456"}
    assert kept(b"abcdef123456 abcdef\n", environ=environ) == ["*** ***"]
