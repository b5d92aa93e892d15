"""Parse and edit JSON with comments and trailing commas, as editors keep it.

An edit changes only the characters of the edited value, so that order, spelling, indentation and comments stay.
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
    """The text is not JSON, or cannot be edited without a loss; the message says where."""


@dataclass
class Node:
    """A value and its position in the text.

    Attributes:
        start, end: the offsets of its first character and after its last one.
        value: the Python value.
        key: the key of a member of an object; None for an item of an array.
        key_start: the offset of the key; without a key, `start`.
        comma: the offset of the comma after it; None without one.
        parts: the members of an object or items of an array; None for a scalar.
        loose: whether it has a comment or a trailing comma, which strict JSON does not allow.
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
        """Return the member with a key; None if there is none, or this is no object.

        Raises:
            JsoncError: the key is there twice, and readers differ in which one they take.
        """
        found = [part for part in self.parts or () if part.key == key]
        if len(found) > 1:
            raise JsoncError(f"it has {key!r} twice")
        return found[0] if found else None

    def find_path(self, path: Sequence[str]) -> Node | None:
        """Return the value at the end of a path of keys; None if there is none."""
        node: Node | None = self
        for key in path:
            node = node.find(key) if node is not None else None
        return node


def parse_jsonc(text: str) -> Node:
    """Parse a text.

    Raises:
        JsoncError: it is not JSON, even with comments and trailing commas allowed.
    """
    reader = _Reader(text)
    reader.position = len(_BOM) if text.startswith(_BOM) else 0
    reader.skip_trivia()
    root = reader.read_value(0)
    reader.skip_trivia()
    if reader.position != len(text):
        raise reader.make_error("more after its end")
    root.loose = reader.loose
    return root


def parse_config(text: str) -> Node:
    """Parse the text of a configuration file; a blank one is an empty object.

    Raises:
        JsoncError: as `parse_jsonc`.
    """
    return parse_jsonc(text if text.strip(f"{_BOM} \t\r\n") else "{}")


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.loose = False

    def make_error(self, what: str) -> JsoncError:
        line = self.text.count("\n", 0, self.position) + 1
        column = self.position - self.text.rfind("\n", 0, self.position)
        return JsoncError(f"line {line}, column {column}: {what}")

    def skip_trivia(self) -> None:
        match = _TRIVIA.match(self.text, self.position)
        if match is not None:
            self.loose = self.loose or _COMMENT.search(match[0]) is not None
            self.position = match.end()

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def read_value(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise self.make_error("nested too deeply")
        node = Node(self.position, key_start=self.position)
        if self.peek() in {"{", "["}:
            self._read_container(node, depth)
        else:
            node.value = self._read_scalar()
        node.end = self.position
        return node

    def _read_scalar(self) -> Any:
        match = _STRING.match(self.text, self.position) or _SCALAR.match(self.text, self.position)
        if match is None:
            raise self.make_error("no JSON value" if self.peek() else "it ends early")
        try:
            found = json.loads(match[0])
        except ValueError:
            raise self.make_error("no JSON value") from None
        self.position = match.end()
        return found

    def _read_container(self, node: Node, depth: int) -> None:
        close = "}" if self.peek() == "{" else "]"
        node.parts = []
        self.position += 1
        self.skip_trivia()
        while self.peek() != close:
            if node.parts and node.parts[-1].comma is None:
                raise self.make_error("a comma is missing" if self.peek() else "it ends early")
            node.parts.append(self._read_part(depth, keyed=close == "}"))
            self.skip_trivia()
            if self.peek() == ",":
                node.parts[-1].comma = self.position
                self.position += 1
                self.skip_trivia()
        self.loose = self.loose or bool(node.parts and node.parts[-1].comma is not None)
        self.position += 1
        node.value = (
            {part.key: part.value for part in node.parts} if close == "}" else [part.value for part in node.parts]
        )

    def _read_part(self, depth: int, *, keyed: bool) -> Node:
        start, key = self.position, None
        if keyed:
            if self.peek() != '"':
                raise self.make_error("a key in double quotes is missing" if self.peek() else "it ends early")
            key = self._read_scalar()
            self.skip_trivia()
            if self.peek() != ":":
                raise self.make_error("a colon is missing" if self.peek() else "it ends early")
            self.position += 1
            self.skip_trivia()
        part = self.read_value(depth + 1)
        part.key, part.key_start = key, start
        return part


def replace_value(text: str, node: Node, value: Any) -> str:
    """Return the text with one value replaced.

    Raises:
        JsoncError: the old value has comments, which would be lost.
    """
    if _has_comment(text[node.start : node.end]):
        raise JsoncError("there are comments inside what would be replaced")
    new = (
        _format_value(text, value, _find_margin(text, node.key_start)) if _is_spread(text) else _format_inline(value)
    )
    return text[: node.start] + new + text[node.end :]


def append_value(text: str, container: Node, value: Any, key: str | None = None) -> str:
    """Return the text with a member added to an object, or an item to an array, at its end."""
    parts, close = container.parts or [], container.end - 1
    last = parts[-1] if parts else None
    start = container.start + 1 if last is None else last.end if last.comma is None else last.comma + 1
    # A comment after the last member belongs to it, so the new part comes after the comment.
    tail = text[start:close]
    kept, rest = tail.rstrip(), tail[len(tail.rstrip()) :]
    before = text[:start] + ("," if last is not None and last.comma is None else "") + kept
    trailing = "," if last is not None and last.comma is not None else ""
    lead = "" if key is None else json.dumps(key, ensure_ascii=False) + ": "
    inside = text[container.start : parts[0].key_start] if parts else tail
    if "\n" not in inside and "//" not in tail and (parts or not _is_spread(text)):
        return before + (" " if parts else "") + lead + _format_inline(value) + trailing + rest + text[close:]
    outer = _find_margin(text, container.key_start)
    margin = _find_margin(text, parts[0].key_start) if parts and "\n" in inside else outer + _find_indent(text)
    new = _find_newline(text) + margin + lead + _format_value(text, value, margin) + trailing
    return before + new + (rest if parts and "\n" in rest else _find_newline(text) + outer) + text[close:]


def remove_part(text: str, container: Node, part: Node) -> str:
    """Return the text without one member or item; comments around it stay."""
    parts = container.parts or []
    index = next(number for number, one in enumerate(parts) if one is part)
    before = text[: part.key_start].rstrip()
    if part.comma is not None:
        rest = text[part.comma + 1 :]
        if index == len(parts) - 1 and not index and not _has_comment(text[container.start : container.end]):
            return text[: container.start + 1] + text[container.end - 1 :]
        return _join_pieces(before, rest)
    if not index:
        inside = text[container.start + 1 : part.key_start] + text[part.end : container.end - 1]
        kept = inside if _has_comment(inside) else ""
        return text[: container.start + 1] + kept + text[container.end - 1 :]
    # The last of several: the comma before it goes too.
    comma = parts[index - 1].comma
    if comma is None:
        raise JsoncError("a comma is missing")
    return _join_pieces(text[:comma] + text[comma + 1 : part.key_start].rstrip(), text[part.end :])


def _join_pieces(before: str, rest: str) -> str:
    """Join two pieces of text; add an end of line if the first would otherwise comment the second out."""
    last = before[before.rfind("\n") + 1 :]
    following = rest.lstrip(" \t")
    open_comment = "//" in _STRING.sub("", last) and not following.startswith(("\n", "\r"))
    return before + ("\n" if open_comment else "") + rest


def _has_comment(text: str) -> bool:
    """Return whether there is a comment outside strings."""
    return _COMMENT.search(_STRING.sub("", text)) is not None


def _find_newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _is_spread(text: str) -> bool:
    """Return whether to write values over several lines: as the text does, or if it is still empty."""
    return "\n" in text.strip() or not re.search(r"[^\s{}\[\]" + _BOM + "]", text)


def _find_margin(text: str, offset: int) -> str:
    """Return the indentation of the line with an offset."""
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _find_indent(text: str) -> str:
    """Return the indentation of one level: that of the first indented line."""
    match = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return match[1] if match else "  "


def _format_inline(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _format_value(text: str, value: Any, margin: str) -> str:
    written = json.dumps(value, indent=_find_indent(text), ensure_ascii=False)
    return written.replace("\n", _find_newline(text) + margin)
