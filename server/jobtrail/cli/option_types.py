"""The values of command-line options, read from text; each refusal says what is valid."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from jobtrail.errors import SettingsError
from jobtrail.text import quote_unless_word, quote_value
from jobtrail.times import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST_PORT = 65_535
_LONGEST_TASK = 100


def parse_port(text: str) -> int:
    """Read a port, 0 for any free one."""
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= _LARGEST_PORT:
        raise ArgumentTypeError(f"{text!r} is not a port; give 0 to 65535, 0 for any free one")
    return number


def parse_duration_in_seconds(text: str) -> float:
    """Read a length of time such as `30m`, and return its seconds."""
    found = parse_duration(text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not a length of time; give one such as 90s, 30m, 12h or 90d")
    return found.total_seconds()


def parse_positive_duration_in_seconds(text: str) -> float:
    """Read a length of time in seconds, which must be more than none."""
    seconds = parse_duration_in_seconds(text)
    if not seconds:
        raise ArgumentTypeError(f"{text!r} is no time at all; give one such as 90s, 30m, 12h or 90d")
    return seconds


def parse_name(text: str) -> str:
    """Read the name of a job or the id of an execution; both are parts of addresses."""
    if not _NAME.fullmatch(text) or not text.strip("."):
        raise ArgumentTypeError(
            f"{text!r} cannot be a name; give 1 to 100 letters, digits, dots, dashes, underscores"
        )
    return text


def parse_task_name(text: str) -> str:
    """Read the name of a task: one line."""
    if not text.strip() or len(text) > _LONGEST_TASK or not text.isprintable():
        raise ArgumentTypeError(f"{text!r} cannot be a task's name; give 1 to {_LONGEST_TASK} printable characters")
    return text


def parse_label(text: str) -> tuple[str, str]:
    """Read `key=value`."""
    key, equals, value = text.partition("=")
    if not (key.strip() and equals):
        raise ArgumentTypeError(f"{text!r} is not a label; give key=value")
    return key.strip(), value.strip()


def parse_argument(text: str) -> tuple[str, str]:
    """Read `name=value`, an argument of a tool."""
    key, equals, value = text.partition("=")
    if not (key.strip() and equals):
        raise ArgumentTypeError(f"{text!r} is not an argument; give name=value")
    return key.strip(), value


def parse_variable(text: str) -> tuple[str, str | None]:
    """Read NAME or NAME=VALUE; the refusal does not quote the text, since it may hold a secret."""
    name, equals, value = text.partition("=")
    if not _VARIABLE.fullmatch(name):
        raise ArgumentTypeError("give NAME or NAME=VALUE, with a name of letters, digits and underscores")
    return name, value if equals else None


def collect_arguments(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return arguments by name.

    Raises:
        SettingsError: one is given twice.
    """
    found: dict[str, str] = {}
    for name, value in given:
        if name in found:
            values = f"{quote_value(found[name])} and {quote_value(value)}"
            raise SettingsError(f"{quote_unless_word(name, 40)} is given twice, as {values}; give it once")
        found[name] = value
    return found


def number_parser(least: int, most: int) -> Callable[[str], int]:
    """Return a function that reads a whole number between two bounds, which may be the number."""

    def parse_number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return parse_number
