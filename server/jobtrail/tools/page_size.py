"""Measures the tokens of a page as rows are added to it, so that an answer ends before it gets too long."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

from jobtrail.models import FrozenModel
from jobtrail.rendering.answers import make_row
from jobtrail.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jobtrail.tools.resumable import ResumableCall

# Tokens of an answer's text: of a default page, and for each row that is asked for. Its structured content may have
# a quarter more.
_PAGE_TOKENS, _ROW_TOKENS = 1_200, 60
# Tokens of the header, and the fewest that rows get however long the cursor is.
_HEADER_TOKENS, _FEWEST_TOKENS = 70, 400
# Tokens of a field in JSON beside its name and its value.
_FIELD_TOKENS = 2

R = TypeVar("R", bound=FrozenModel)


def count_row_tokens(call: ResumableCall, limit: int) -> int:
    """Return the tokens for rows: those of an answer less its header, cursor and notes."""
    rest = _HEADER_TOKENS + estimate_tokens(call.seal_cursor(call.cursor.position))
    rest += sum(estimate_tokens(str(value)) for value in call.args.values())
    return max(max(_PAGE_TOKENS, limit * _ROW_TOKENS) - rest, _FEWEST_TOKENS)


@dataclass(slots=True)
class _Column:
    """A field of the rows of a page.

    Attributes:
        beside: tokens that each value needs beside itself.
        values: tokens of the values.
        rows: in how many rows it is.
        tokens: of it in all of them.
    """

    beside: int
    values: dict[object, int] = field(default_factory=dict[object, int])
    rows: int = 0
    tokens: int = 0

    def measure(self, key: object, value: object) -> int:
        """Return the tokens of a value that has not been met before, and keep them."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        tokens = self.values[key] = self.beside + _estimate_value(text)
        return tokens


class _Columns:
    """The rows of a page in one of its forms, which says once what is the same in all of them."""

    def __init__(self) -> None:
        self._rows = 0
        self._columns: dict[str, _Column] = {}

    def add(self, row: Mapping[str, object], beside: Callable[[str], int]) -> None:
        """Add a row, given the tokens that a value of a field needs beside itself."""
        self._rows += 1
        columns = self._columns
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = _Column(beside(name))
            # A list is no key.
            key = repr(value) if value.__hash__ is None else value
            tokens = column.values.get(key)
            column.rows += 1
            column.tokens += column.measure(key, value) if tokens is None else tokens

    @property
    def tokens(self) -> int:
        """The tokens of all rows."""
        tokens = self._rows
        for one in self._columns.values():
            same = len(one.values) == 1 and one.rows == self._rows
            tokens += one.tokens // one.rows if same else one.tokens
        return tokens


# Most values of a row are in the text and in the structured content, and many in the next page.
_estimate_value = lru_cache(maxsize=1_024)(estimate_tokens)


class PageSize(Generic[R]):
    """How many tokens a page has, as rows are added to it.

    Attributes:
        rows: all that were added, in order.
    """

    def __init__(self) -> None:
        self.rows: list[R] = []
        self._text, self._structured = _Columns(), _Columns()
        self._size = 0

    def add(self, row: R) -> int:
        """Add a row; return the tokens that the text grows by, or four fifths of the structured content if more."""
        self.rows.append(row)
        self._text.add({name: str(cell) for name, cell in make_row(row).items()}, lambda _name: 1)
        self._structured.add(row.to_json(), lambda name: _estimate_value(name.replace("_", "")) + _FIELD_TOKENS)
        before, self._size = self._size, max(self._size, self._text.tokens, self._structured.tokens * 4 // 5)
        return self._size - before


def fit_rows(call: ResumableCall, rows: Iterable[R], limit: int, noun: str, other_tokens: int = 0) -> list[R]:
    """Return rows, as many as fit into an answer, with a note if those are not all.

    Args:
        call: whose answer it is.
        rows: made one after the other.
        limit: rows that were asked for.
        noun: what they are called.
        other_tokens: of the header beyond those of a list's.
    """
    size, most, used = PageSize[R](), count_row_tokens(call, limit) - other_tokens, 0
    for row in rows:
        used += size.add(row)
        if used > most and len(size.rows) > 1:
            call.notes.append(
                f"stopped at {len(size.rows) - 1} of {limit} {noun}, since they are long; "
                "the cursor goes on with the next"
            )
            return size.rows[:-1]
    return size.rows
