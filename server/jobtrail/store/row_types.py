"""The types of the store's columns, which SQLite does not hold a file to, and the JSON in them."""

from __future__ import annotations

import json
import math
import sqlite3
from typing import Any, NoReturn, cast

_TEXTS = "workspace name status search body spec conditions job id task owner stream text word"
_OPTIONAL_TEXTS = "end_reason recorder"
_NUMBERS = (
    "created_at updated_at position attempts tasks total success failure running cancelled retried executions"
    " at exit_code runs"
)
_OPTIONAL_NUMBERS = "started_at ended_at oldest newest"

_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_TEXTS.split(), (str,)),
    **dict.fromkeys(_OPTIONAL_TEXTS.split(), (str, type(None))),
    **dict.fromkeys(_NUMBERS.split(), (int,)),
    **dict.fromkeys(_OPTIONAL_NUMBERS.split(), (int, type(None))),
}
"""By name, which means the same in every table and query."""

_known: set[tuple[Any, ...]] = set()
_MOST_KNOWN = 1_000


def make_row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> sqlite3.Row:
    """Return a row of a query, whose values have the types of their columns.

    Raises:
        sqlite3.DataError: one has not.
    """
    shape = (cursor.description, tuple(map(type, values)))
    if shape not in _known:
        for (name, *_), value in zip(cursor.description, values, strict=True):
            if name in _TYPES and not isinstance(value, _TYPES[name]):
                raise sqlite3.DataError(f"column {name!r} holds a value of another type")
        if len(_known) < _MOST_KNOWN:
            _known.add(shape)
    return sqlite3.Row(cursor, values)


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _parse_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_parse_float)


def parse_object(text: str) -> dict[str, Any]:
    """Return the JSON object of a column.

    Raises:
        sqlite3.DataError: it is none.
    """
    found = _parse(text)
    if not isinstance(found, dict):
        raise sqlite3.DataError("a column holds no JSON object")
    return cast("dict[str, Any]", found)


def parse_list(text: str) -> list[dict[str, Any]]:
    """Return the JSON list of objects of a column.

    Raises:
        sqlite3.DataError: it is none.
    """
    found = _parse(text)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in cast("list[Any]", found)):
        raise sqlite3.DataError("a column holds no JSON list of objects")
    return cast("list[dict[str, Any]]", found)


def read_object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object within a JSON object, empty where there is none."""
    found = fields.get(name)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def read_objects(fields: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a list within a JSON object, none where there is no list."""
    found = fields.get(name)
    items = cast("list[Any]", found) if isinstance(found, list) else []
    return [one for one in items if isinstance(one, dict)]


def _parse(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise sqlite3.DataError("a column holds no JSON") from None
