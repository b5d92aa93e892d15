"""An answer's text taken apart as a careful reader would: by what it shows and the descriptions teach, no more.

The grammar: a header of facts between `·`; rows between tabs under a row of names, where a column that says the same
in every row stands in the header; lines that begin with `note:`, `error:`, `verdict:`; log lines behind a `|`; what
is no plain word quoted where it begins a line or stands between words; and calls, written out, behind `more:` and
`next:` or inside a sentence.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Answer", "Call", "seconds"]

_PAGES = re.compile(r"(jobs|runs|failures|executions of|runs of|tasks of|waited) ?")
_SAID = re.compile(
    r"(note|error|more|next|next due|older|newer|verdict|labels): |nothing failed|no failure among|slowest of "
)
_CONSTANT = re.compile(r"(next run|next due|tasks done|so far|stands out|last success|oldest kept|\S+) (.*)")
_COUNT = re.compile(r"([\d,]+) (succeeded|failed|running|cancelled)\b")
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_LOG = re.compile(rf"(?:\d+(?: (?:{_QUOTED.pattern}|[^\s|'\"]+)){{0,4}})?\| ?(.*)")
"""A line's number, its time, its task, its mark and its count, and after the `|` its text."""
_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True)
class Call:
    """A call as an answer writes it."""

    tool: str
    arguments: Mapping[str, Any]

    @classmethod
    def read(cls, text: str) -> Call | None:
        """Return the call that a text is; None where it is none, or one with a `…` to fill in."""
        try:
            found = ast.parse(text.strip(), mode="eval").body
            if not isinstance(found, ast.Call) or not isinstance(found.func, ast.Name) or found.args:
                return None
            return cls(found.func.id, {one.arg or "": ast.literal_eval(one.value) for one in found.keywords})
        except (SyntaxError, ValueError):
            return None


@dataclass(frozen=True)
class Answer:
    """What one call came to; everything is read out of the text."""

    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines, of which the first is the header."""
        return self.text.split("\n")

    @cached_property
    def header(self) -> list[str]:
        """The facts of the header."""
        return self.lines[0].split(" · ")

    @property
    def refused(self) -> bool:
        """Whether this is a sentence that says what was wrong: every other answer's header names its source."""
        return not any(part.startswith(("source ", "sources ")) for part in self.header[1:])

    @property
    def complete(self) -> bool:
        """Whether the answer says that it covers everything."""
        return any(re.search(r"(?<!NOT )\bcomplete$", part) for part in self.header)

    @property
    def sources(self) -> list[str]:
        """Which sources were asked."""
        part = next(part for part in self.header[1:] if part.startswith(("source ", "sources ")))
        names = part.partition(" ")[2].replace(" (SAMPLE DATA)", "").replace(", SAMPLE DATA", "")
        return names.split(", ")

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """The rows, each with what the header says of every row."""
        body = self.lines[1:]
        start = 0 if _PAGES.match(self.header[0]) else next((at for at, line in enumerate(body) if "\t" in line), -1)
        table: list[list[str]] = []
        for line in body[start:] if start >= 0 else ():
            if _SAID.match(line):
                break
            table.append(line.split("\t"))
        if not table:
            return []
        names, *rows = table
        return [{**self.constants, **dict(zip(names, map(_unquote, cells), strict=False))} for cells in rows]

    def table(self, first: str) -> list[dict[str, str]]:
        """Return the rows of the table whose first column has this name; an answer may have several tables."""
        start = next((at for at, line in enumerate(self.lines) if line.startswith(f"{first}\t")), len(self.lines))
        names, *rows = [line.split("\t") for line in takewhile(lambda line: "\t" in line, self.lines[start:])] or [[]]
        return [dict(zip(names, map(_unquote, cells), strict=False)) for cells in rows]

    @cached_property
    def constants(self) -> dict[str, str]:
        """What the header says of every row."""
        part = next((part for part in self.header if part.startswith("every row: ")), "")
        found = (_CONSTANT.fullmatch(fact) for fact in part.removeprefix("every row: ").split(", "))
        return {match[1]: _unquote(match[2]) for match in found if match}

    def field(self, name: str) -> str | None:
        """Return what a line of facts says under a name, such as `schedule`."""
        facts = (fact for line in self.lines if "\t" not in line for fact in line.split(" · "))
        return next((_unquote(fact[len(name) + 1 :]) for fact in facts if fact.startswith(f"{name} ")), None)

    def after(self, prefix: str) -> list[str]:
        """Return what stands behind a prefix, of each line that begins with it."""
        return [line[len(prefix) :].strip() for line in self.lines if line.startswith(prefix)]

    @property
    def notes(self) -> list[str]:
        """The notes."""
        return self.after("note: ")

    @property
    def errors(self) -> dict[str, str]:
        """What could not be read, by source."""
        return {name: why for name, _, why in (line.partition(": ") for line in self.after("error: "))}

    @property
    def verdict(self) -> str:
        """The verdict, of an execution or a run."""
        return next(iter(self.after("verdict: ")), "")

    @property
    def counts(self) -> dict[str, int]:
        """How many tasks the verdict counts, by status, and in all under `tasks`."""
        found = {word: _number(count) for count, word in _COUNT.findall(self.verdict)}
        total = re.search(r"of ([\d,]+) tasks", self.verdict)
        return {**found, "tasks": _number(total[1])} if total else found

    @property
    def log(self) -> list[str]:
        """The texts of the log lines."""
        found = (_LOG.fullmatch(line) for line in self.lines[1:] if "\t" not in line.partition("|")[0])
        return [one[1] for one in found if one]

    @property
    def more(self) -> Call | None:
        """The call that goes on."""
        return next((call for text in self.after("more: ") if (call := Call.read(text))), None)

    @property
    def next(self) -> list[Call]:
        """The calls that the answer suggests."""
        return [call for text in self.after("next: ") if (call := Call.read(text))]

    def calls(self) -> Iterator[Call]:
        """Yield the whole calls that are written inside sentences."""
        for start in re.finditer(r"\b[a-z_]+\(", self.text):
            ends = (end.end() for end in re.finditer(r"\)", self.text) if end.end() > start.end())
            call = next((call for end in ends if (call := Call.read(self.text[start.start() : end]))), None)
            if call is not None:
                yield call


def _unquote(text: str) -> str:
    return str(ast.literal_eval(text)) if _QUOTED.fullmatch(text) else text


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def seconds(duration: str) -> float:
    """Return a duration such as `1h2m5s`, `2.1s` or `250ms` in seconds."""
    return sum(float(value) * _UNIT[unit] for value, unit in re.findall(r"([\d.]+)(ms|h|m|s)", duration))
