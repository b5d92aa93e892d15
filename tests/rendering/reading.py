"""Reads an answer's text back into facts, by its form alone: it knows no names, and no answer's words but the labels.

A line is one of: the header, of facts between ` · `; a row, of cells between tabs or of one single word; a line of a
log, behind a `|`; a labelled line; a line of facts. Between words of ours a value is a word or a quoted text; in a row
only the first cell, and the cells that hold several values, are such; any other is a text, or a quoted one.
"""

from __future__ import annotations

import ast
import re

__all__ = ["Fact", "read_facts"]

Fact = tuple[object, ...]

_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_TOKEN = re.compile(rf"{_QUOTED}|[^\s'\"(),:]+(?:[,:]+[^\s'\"(),:]+)*|[(),:]")
_LOG = re.compile(r"((?:\d+(?: [\dT:Z-]+)?(?: [a-z]+)?(?: ×\d+)?)?)\| ?(.*)")
_LABEL = re.compile(r"(note|error|more|next|older|newer|verdict|labels|environment \(names only\)|record): (.*)")
_OF_WORDS = {"status", "deployment", "tasks", "open", "tasks done", "failed"}


def read_facts(text: str) -> list[Fact]:
    """Return the facts of an answer, in order."""
    header, *lines = text.split("\n")
    facts: list[Fact] = [("header", *map(_read_words, header.split(" · ")))]
    columns: list[str] = []
    for line in lines:
        if "\t" not in line and (_LOG.fullmatch(line) or len(_read_words(line)) > 1):
            columns = []
            facts.append(_read_line(line))
        elif not columns:
            columns = line.split("\t")
        else:
            cells = zip(columns, line.split("\t"), strict=False)
            facts.append(("row", *((name, _read_cell(name, cell, columns[0])) for name, cell in cells)))
    return facts


def _read_line(line: str) -> Fact:
    if log := _LOG.fullmatch(line):
        return ("log", log[1], log[2])
    if label := _LABEL.fullmatch(line):
        return (label[1], _read_words(label[2]))
    return ("line", *map(_read_words, line.split(" · ")))


def _read_cell(name: str, cell: str, first: str) -> object:
    if name == first or name in _OF_WORDS:
        return _read_words(cell)
    return _read_word(cell) if cell.startswith(("'", '"')) else cell


def _read_words(text: str) -> tuple[str, ...]:
    return tuple(map(_read_word, _TOKEN.findall(text)))


def _read_word(text: str) -> str:
    return str(ast.literal_eval(text)) if text.startswith(("'", '"')) else text
