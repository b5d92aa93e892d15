"""What a request to the RunWisp side asks for, read and checked as the daemon does, 1.0.1 of which was measured.

Of a parameter given twice the first counts. One that is empty, or whose value has broken escapes, counts as left out;
one without `=` is `true` where none with it follows, and passed over elsewhere, like one that nobody knows. All that
is wrong is said at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from jobtrail.plane.answers import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from jobtrail.plane.runs import RunSort

__all__ = ["MOST_RUNS", "RUN_ID", "SEED_NAME", "TASK_NAME", "Asked", "Text", "searched"]

_BROKEN = re.compile(r"%(?![0-9a-fA-F]{2})")
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FURTHEST = 2**63
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
_TIME_FORMAT = "2006-01-02T15:04:05.999999999Z07:00"
_NANO = 1_000_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_FOUR_YEARS = 1461
_UNSET = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * _NANO
"""The time that counts as none."""
_HOURS, _MINUTES = 24, 60
MOST_RUNS = 1000


@dataclass(frozen=True)
class Text:
    """What a text must be like: a pattern as the documents write it, and bounds of its length in characters."""

    pattern: str
    shortest: int
    longest: int


SEED_NAME = Text("^[a-zA-Z0-9._-]+$", 1, 100)
"""A task's name in the seed document."""
TASK_NAME = Text("^[a-zA-Z0-9._:-]+$", 1, 100)
"""A task's name in 1.0.1."""
RUN_ID = Text("^[0-9A-HJKMNP-TV-Z]{26}$", 26, 26)
_EXIT_CODE = "^-?[0-9]+$"


class Asked:
    """The parameters of one request. Each is read with what it must be; `check` refuses what was not so."""

    def __init__(self, request: Request) -> None:
        self._path = request.path_params
        # Not `request.query_params`: of a parameter given twice the last would count.
        self._query = _parsed(request.scope["query_string"].decode("latin-1"))
        self._problems: list[dict[str, Any]] = []

    def check(self, **more: Any) -> None:
        """Go on where all that was read so far was right.

        Args:
            more: what the refusal holds besides.

        Raises:
            Refusal: 422, with everything that was not.
        """
        if self._problems:
            raise Refusal(422, "Unprocessable Entity", "validation failed", errors=self._problems, **more)

    def in_path(self, name: str, like: Text) -> str:
        """Read a part of the path.

        Args:
            name: of the parameter in the documents and in the route.
            like: what it must be.
        """
        value: str = self._path[name]
        if len(value) < like.shortest:
            self._wrong(f"expected length >= {like.shortest}", f"path.{name}", value)
        if len(value) > like.longest:
            self._wrong(f"expected length <= {like.longest}", f"path.{name}", value)
        self._match(like.pattern, f"path.{name}", value)
        return value

    def text(self, name: str, longest: int | None = None) -> str:
        """Read a text, empty where there is none."""
        value = self._query.get(name, "")
        if longest is not None and len(value) > longest:
            self._wrong(f"expected length <= {longest}", f"query.{name}", value)
        return value

    def whole(self, name: str, default: int, least: int | None = None, most: int | None = None) -> int:
        """Read a whole number of 64 bits."""
        text = self.text(name)
        if not text:
            return default
        number = _int64(text)
        if number is None:
            self._wrong("invalid integer", f"query.{name}", text)
            return default
        if least is not None and number < least:
            self._wrong(f"expected number >= {least}", f"query.{name}", number)
        if most is not None and number > most:
            self._wrong(f"expected number <= {most}", f"query.{name}", number)
        return number

    def flag(self, name: str) -> bool:
        """Read a boolean, false where there is none."""
        text = self.text(name)
        if text and text not in _BOOLEANS:
            self._wrong("invalid boolean", f"query.{name}", text)
        return _BOOLEANS.get(text, False)

    def word(self, name: str, *known: str) -> str:
        """Read one of some words, empty where there is none."""
        text = self.text(name)
        if text and text not in known:
            self._wrong(f'expected value to be one of "{", ".join((*known, ""))}"', f"query.{name}", text)
        return text

    def order(self, fields: dict[str, RunSort], field: str, direction: str) -> tuple[RunSort, bool]:
        """Read an order of runs: the newest first unless told; every field downwards unless told.

        Args:
            fields: those it can be by, as the documents spell them.
            field: the parameter that names one of them.
            direction: the parameter that names the direction.
        """
        sort = fields.get(self.word(field, *fields), "created_at")
        return sort, self.word(direction, "asc", "desc") != "asc"

    def exit_code(self, name: str) -> int | None:
        """Read a bound of exit codes; one that no exit code can have counts as left out."""
        text = self.text(name)
        if text:
            self._match(_EXIT_CODE, f"query.{name}", text)
        return _int64(text)

    def instant(self, name: str) -> int | None:
        """Read a time in nanoseconds since 1970; one that the store cannot hold is as good as the furthest it can."""
        text = self.text(name)
        if not text:
            return None
        nanos = _nanoseconds(text)
        if nanos is None:
            self._wrong(f"invalid date/time for format {_TIME_FORMAT}", f"query.{name}", text)
        elif nanos != _UNSET:
            return max(-_FURTHEST, min(nanos, _FURTHEST - 1))
        return None

    def _match(self, pattern: str, location: str, value: str) -> None:
        # Unlike Go's, Python's `$` takes a line break before the end.
        if not re.fullmatch(pattern.removesuffix("$"), value, re.ASCII):
            self._wrong(f"expected string to match pattern {pattern}", location, value)

    def _wrong(self, message: str, location: str, value: str | int) -> None:
        self._problems.append({"message": message, "location": location, "value": value})


def searched(text: str) -> str:
    """Return what a search for runs looks for: the daemon drops what is special in SQL's LIKE."""
    return text.replace("%", "").replace("_", "")


def _parsed(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    pairs = query.split("&")
    last = max((index for index, pair in enumerate(pairs) if "=" in pair), default=-1)
    for index, pair in enumerate(pairs):
        name, equals, value = pair.partition("=")
        if _BROKEN.search(name):
            continue
        if equals:
            found.setdefault(_unescaped(name), "" if _BROKEN.search(value) else _unescaped(value))
        elif index > last:
            found.setdefault(_unescaped(name), "true")
    return found


def _unescaped(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode(errors="replace")


def _int64(text: str) -> int | None:
    # As many digits as there are in no number of 64 bits are not worth reading; leading zeros are.
    digits = text.lstrip("+-").lstrip("0")
    if not _NUMBER.fullmatch(text) or len(digits) > len(str(_FURTHEST)):
        return None
    number = int(digits or "0") * (-1 if text.startswith("-") else 1)
    return number if -_FURTHEST <= number < _FURTHEST else None


def _nanoseconds(text: str) -> int | None:
    """Return the time that a text says, where Go's parser of RFC 3339 takes it."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, *zone = found.groups()[6:]
    hours, minutes = (int(part or 0) for part in zone)
    try:
        # There is no year 0 in Python; the years 0 and 4 are alike.
        days = date(year or 4, month, day).toordinal() - _EPOCH - (0 if year else _FOUR_YEARS)
    except ValueError:
        return None
    if hour >= _HOURS or minute >= _MINUTES or second >= _MINUTES or hours > _HOURS or minutes > _MINUTES:
        return None
    offset = (hours * 60 + minutes) * 60 * (-1 if sign == "-" else 1)
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset
    return seconds * _NANO + int((fraction or "")[:9].ljust(9, "0"))
