"""Parses a line of a file as one document or an API page of documents, and finds the kind of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from jobtrail.importing.blaxel_documents import read_execution, read_job
from jobtrail.importing.runwisp_documents import read_definition, read_run
from jobtrail.importing.validation import DocumentRefused, as_object
from jobtrail.text import count_noun, quote_value, sanitize_text
from jobtrail.vocabulary import TASK_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobtrail.importing.imported_rows import Snapshot

_LISTS = ("data", "items", "runs", "tasks")
"""Where an answer page has its items: Blaxel's, RunWisp's of 1.0.1, of the legacy dialect, and its definitions'."""
_OF_TASK_SPEC = {"maxRetries", "timeout"}
_OF_DEFINITION = {"kind", "manualTrigger", "runOnStart", "autostart", "cron"}
_KINDS = (
    "an execution (metadata.id, metadata.job), a job (metadata.name, spec), a run (id, taskName or task_name), "
    "a definition (name, kind), or a page of them"
)


def parse_line(line: bytes) -> Any:
    """Return a line's JSON.

    Raises:
        DocumentRefused: it is none.
    """
    try:
        return json.loads(line.decode(), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        why = f"{error.msg} at character {error.pos + 1:,}"
    except UnicodeDecodeError as error:
        why = f"{error.reason} at byte {error.start + 1:,}"
    except RecursionError:
        why = "it is nested too deeply"
    if line.startswith(b"SQLite format 3"):
        raise DocumentRefused("is a database; give it as a file, unpacked")
    if line in {b"{", b"["}:
        raise DocumentRefused(
            "holds a part of a document; JSON Lines have a whole one on each line, as `jq -c .` writes them"
        )
    raise DocumentRefused(f"is no JSON: {why}")


def _refuse_constant(name: str) -> Any:
    raise DocumentRefused(f"is no JSON: it holds {name}")


def split_page(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the documents of a line, each with its place in it; a single one has none."""
    name, items = _find_items(value)
    if items is None:
        yield "", value
    else:
        for number, item in enumerate(items):
            yield f"{name}[{number}]", item


def _find_items(value: Any) -> tuple[str, list[Any] | None]:
    """Return what an answer page calls its items, and these; None where it is no page."""
    if isinstance(value, list):
        return "", cast("list[Any]", value)
    fields = as_object(value) or {}
    if "metadata" not in fields:
        for name in _LISTS:
            if name in fields and (fields[name] is None or isinstance(fields[name], list)):
                return name, fields[name] or []
    return "", None


@dataclass
class PageCounts:
    """What the answer pages of a file say of how much there is upstream.

    Attributes:
        more: whether the last of Blaxel's says that another follows.
        total: what RunWisp's count, at the most.
        items: how many they hold.
    """

    more: bool = False
    total: int = 0
    items: int = 0

    def add(self, value: Any) -> None:
        """Add the counts of a line that holds a page."""
        _, items = _find_items(value)
        page = as_object(value)
        if items is None or page is None:
            return
        meta = as_object(page.get("meta"))
        if meta is not None:
            self.more = meta.get("hasMore") is True
        total = page.get("total")
        if isinstance(total, int):
            self.total = max(self.total, total)
            self.items += len(items)

    def describe_rest(self) -> str:
        """Return a sentence about what the file does not hold, empty where it holds all."""
        if self.total > self.items:
            return (
                f"its pages count {count_noun(self.total, 'run')} in all and hold {self.items:,}; save the others too"
            )
        return "its last page says that more follow; save those too" if self.more else ""


def read_document(document: Any) -> Snapshot:
    """Return a document as rows of the store.

    Raises:
        DocumentRefused: it is none of the kinds that are imported, or not as documented.
    """
    given = as_object(document)
    if given is None:
        raise DocumentRefused(f"{quote_value(document)} is no object; give {_KINDS}")
    metadata = as_object(given.get("metadata")) or {}
    if "id" in metadata or "job" in metadata:
        return read_execution(given)
    if "name" in metadata:
        return _read_named(given, metadata["name"])
    if "id" in given and ("taskName" in given or "task_name" in given):
        return read_run(given)
    if "name" in given and _OF_DEFINITION & given.keys():
        return read_definition(given)
    raise DocumentRefused(_describe_unknown(given))


def _read_named(given: Mapping[str, Any], name: object) -> Snapshot:
    """Return the job that has a name; what looks like a task of an execution is refused."""
    spec = as_object(given.get("spec"))
    of_task = spec is None or _OF_TASK_SPEC & spec.keys() or (not spec and given.get("status") in tuple(TASK_WORDS))
    if of_task or "conditions" in given:
        raise DocumentRefused(
            f"{quote_value(name)} is a task of an execution; it is imported within its execution, "
            "in `tasks`, as GET /jobs/{jobId}/executions/{executionId} answers"
        )
    return read_job(given)


def _describe_unknown(given: Mapping[str, Any]) -> str:
    what = given.get("message") or given.get("detail")
    if isinstance(what, str) and ("error" in given or "title" in given or "code" in given):
        return f"is an error that the API answered: {quote_value(what)}"
    keys = sanitize_text(", ".join(given), 80)
    return f"is none of what is imported (its fields: {keys or 'none'}); give {_KINDS}"
