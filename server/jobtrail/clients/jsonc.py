"""JSON as editors keep it, comments and trailing commas included: read with places, and edited as text.

An edit touches the characters it is about and no others, so that order, spelling, indentation and comments stay.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_TRIVIA = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_COMMENT = re.compile(r"//|/\*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
_DEEPEST = 200
_BOM = "\ufeff"


class JsoncError(Exception):
    """A text that is not JSON, or that cannot be edited without a loss; the message says where."""


@dataclass
class Node:
    """A value and where it stands.

    Attributes:
        start, end: its characters.
        value: as JSON means it.
        key, key_start: of a member of an object; of an item of an array, no key and its own start.
        comma: where the comma after it stands.
        parts: members of an object, items of an array; None of a scalar.
        loose: whether there is a comment or a trailing comma inside, which strict JSON has not.
    """

    start: int
    end: int = -1
    value: Any = None
    key: str | None = None
    key_start: int = -1
    comma: int | None = None
    parts: list[Node] | None = None
    loose: bool = field(default=False, compare=False)

    def find(self, key: str) -> Node | None:
        """Return the member of an object; None where there is none, or it is no object.

        Raises:
            JsoncError: there are several, of which readers take one or another.
        """
        found = [part for part in self.parts or () if part.key == key]
        if len(found) > 1:
            raise JsoncError(f"it has {key!r} twice")
        return found[0] if found else None

    def at(self, path: Sequence[str]) -> Node | None:
        """Return what lies at the end of a path of keys."""
        node: Node | None = self
        for key in path:
            node = node.find(key) if node is not None else None
        return node


def parse(text: str) -> Node:
    """Return the value of a text.

    Raises:
        JsoncError: it is not JSON, not even with comments and trailing commas.
    """
    reader = _Reader(text)
    reader.place = len(_BOM) if text.startswith(_BOM) else 0
    reader.skip()
    root = reader.value(0)
    reader.skip()
    if reader.place != len(text):
        raise reader.error("more after its end")
    root.loose = reader.loose
    return root


def parse_file(text: str) -> Node:
    """Return the value of a file's text, where blank stands for an empty object.

    Raises:
        JsoncError: as `parse`.
    """
    return parse(text if text.strip(f"{_BOM} \t\r\n") else "{}")


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.loose = False

    def error(self, what: str) -> JsoncError:
        line = self.text.count("\n", 0, self.place) + 1
        column = self.place - self.text.rfind("\n", 0, self.place)
        return JsoncError(f"line {line}, column {column}: {what}")

    def skip(self) -> None:
        match = _TRIVIA.match(self.text, self.place)
        if match is not None:
            self.loose = self.loose or _COMMENT.search(match[0]) is not None
            self.place = match.end()

    def peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def value(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise self.error("nested too deeply")
        node = Node(self.place, key_start=self.place)
        if self.peek() in {"{", "["}:
            self._container(node, depth)
        else:
            node.value = self._scalar()
        node.end = self.place
        return node

    def _scalar(self) -> Any:
        match = _STRING.match(self.text, self.place) or _SCALAR.match(self.text, self.place)
        if match is None:
            raise self.error("no JSON value" if self.peek() else "it ends early")
        try:
            found = json.loads(match[0])
        except ValueError:
            raise self.error("no JSON value") from None
        self.place = match.end()
        return found

    def _container(self, node: Node, depth: int) -> None:
        close = "}" if self.peek() == "{" else "]"
        node.parts = []
        self.place += 1
        self.skip()
        while self.peek() != close:
            if node.parts and node.parts[-1].comma is None:
                raise self.error("a comma is missing" if self.peek() else "it ends early")
            node.parts.append(self._part(depth, keyed=close == "}"))
            self.skip()
            if self.peek() == ",":
                node.parts[-1].comma = self.place
                self.place += 1
                self.skip()
        self.loose = self.loose or bool(node.parts and node.parts[-1].comma is not None)
        self.place += 1
        node.value = (
            {part.key: part.value for part in node.parts} if close == "}" else [part.value for part in node.parts]
        )

    def _part(self, depth: int, *, keyed: bool) -> Node:
        start, key = self.place, None
        if keyed:
            if self.peek() != '"':
                raise self.error("a key in double quotes is missing" if self.peek() else "it ends early")
            key = self._scalar()
            self.skip()
            if self.peek() != ":":
                raise self.error("a colon is missing" if self.peek() else "it ends early")
            self.place += 1
            self.skip()
        part = self.value(depth + 1)
        part.key, part.key_start = key, start
        return part


def replaced(text: str, node: Node, value: Any) -> str:
    """Return the text with another value in place of one.

    Raises:
        JsoncError: there are comments inside, which would be lost.
    """
    if _has_comment(text[node.start : node.end]):
        raise JsoncError("there are comments inside what would be replaced")
    new = _written(text, value, _margin(text, node.key_start)) if _is_spread(text) else _on_a_line(value)
    return text[: node.start] + new + text[node.end :]


def appended(text: str, container: Node, value: Any, key: str | None = None) -> str:
    """Return the text with one more member at the end of an object, or item at the end of an array."""
    parts, close = container.parts or [], container.end - 1
    last = parts[-1] if parts else None
    start = container.start + 1 if last is None else last.end if last.comma is None else last.comma + 1
    # A comment behind the last member stays with it: what is new comes after.
    tail = text[start:close]
    kept, rest = tail.rstrip(), tail[len(tail.rstrip()) :]
    before = text[:start] + ("," if last is not None and last.comma is None else "") + kept
    trailing = "," if last is not None and last.comma is not None else ""
    lead = "" if key is None else json.dumps(key, ensure_ascii=False) + ": "
    inside = text[container.start : parts[0].key_start] if parts else tail
    if "\n" not in inside and "//" not in tail and (parts or not _is_spread(text)):
        return before + (" " if parts else "") + lead + _on_a_line(value) + trailing + rest + text[close:]
    outer = _margin(text, container.key_start)
    margin = _margin(text, parts[0].key_start) if parts and "\n" in inside else outer + _step(text)
    new = _newline(text) + margin + lead + _written(text, value, margin) + trailing
    return before + new + (rest if parts and "\n" in rest else _newline(text) + outer) + text[close:]


def removed(text: str, container: Node, part: Node) -> str:
    """Return the text without one member or item; comments around it stay."""
    parts = container.parts or []
    index = next(place for place, one in enumerate(parts) if one is part)
    before = text[: part.key_start].rstrip()
    if part.comma is not None:
        rest = text[part.comma + 1 :]
        if index == len(parts) - 1 and not index and not _has_comment(text[container.start : container.end]):
            return text[: container.start + 1] + text[container.end - 1 :]
        return _joined(before, rest)
    if not index:
        inside = text[container.start + 1 : part.key_start] + text[part.end : container.end - 1]
        kept = inside if _has_comment(inside) else ""
        return text[: container.start + 1] + kept + text[container.end - 1 :]
    # The last of several: the comma before it goes too.
    comma = parts[index - 1].comma
    if comma is None:
        raise JsoncError("a comma is missing")
    return _joined(text[:comma] + text[comma + 1 : part.key_start].rstrip(), text[part.end :])


def _joined(before: str, rest: str) -> str:
    """Return two pieces of text as one; a comment to the end of its line does not swallow what follows."""
    last = before[before.rfind("\n") + 1 :]
    following = rest.lstrip(" \t")
    open_comment = "//" in _STRING.sub("", last) and not following.startswith(("\n", "\r"))
    return before + ("\n" if open_comment else "") + rest


def _has_comment(text: str) -> bool:
    """Return whether there is a comment outside strings."""
    return _COMMENT.search(_STRING.sub("", text)) is not None


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _is_spread(text: str) -> bool:
    """Return whether a text is written over several lines; one that holds nothing yet will be."""
    return "\n" in text.strip() or not re.search(r"[^\s{}\[\]" + _BOM + "]", text)


def _margin(text: str, place: int) -> str:
    """Return the blanks at the beginning of the line that a place is on."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _step(text: str) -> str:
    """Return what a level is indented by: as the first indented line is."""
    match = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return match[1] if match else "  "


def _on_a_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _written(text: str, value: Any, margin: str) -> str:
    written = json.dumps(value, indent=_step(text), ensure_ascii=False)
    return written.replace("\n", _newline(text) + margin)
