"""What a line holds: one document, or an answer page of them; and what kind of document each is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import from_json

from jobtrail.errors import clean, shown
from jobtrail.importing.blaxel import told_execution, told_job
from jobtrail.importing.blaxel_shapes import DEPLOYMENTS
from jobtrail.importing.fields import Refused, as_object
from jobtrail.importing.runwisp import told_definition, told_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobtrail.plane.told import Told

__all__ = ["Pages", "documents", "parsed", "told"]

_LISTS = ("data", "items", "runs", "tasks")
"""Where an answer page has its items: Blaxel's, RunWisp's of 1.0.1, of the seed document, and its definitions'."""
_OF_JOB_SPEC = {"enabled", "runtime", "triggers", "region", "revision", "policies", "volumes", "githubRunner"}
_OF_JOB_METADATA = {"displayName", "labels", "workspace", "createdBy", "updatedBy", "plan", "url", "externalId"}
_OF_DEFINITION = {"kind", "manualTrigger", "runOnStart", "autostart", "cron"}
_KINDS = (
    "an execution (metadata.id, metadata.job), a job (metadata.name, spec), a run (id, taskName or task_name), "
    "a definition (name, kind), or a page of them"
)


def parsed(line: bytes) -> Any:
    """Return a line's JSON.

    Raises:
        Refused: it is none.
    """
    try:
        return from_json(line, allow_inf_nan=False)
    except ValueError as error:
        why, _, place = str(error).partition(" at line 1 column ")
    try:
        # The standard library reads halves of surrogate pairs, as some upstreams cut their texts.
        return json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        pass
    if line.startswith(b"SQLite format 3"):
        raise Refused("is a database; give it as a file, unpacked")
    if line in {b"{", b"["}:
        raise Refused(
            "holds a part of a document; JSON Lines have a whole one on each line, as `jq -c .` writes them"
        )
    raise Refused(f"is no JSON: {why} at byte {place or 0}")


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def documents(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the documents of a line, each with its place in it; a single one has none."""
    name, items = _page(value)
    if items is None:
        yield "", value
    else:
        for number, item in enumerate(items):
            yield f"{name}[{number}]", item


def _page(value: Any) -> tuple[str, list[Any] | None]:
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
class Pages:
    """What the answer pages of a file say of how much there is upstream.

    Attributes:
        more: whether the last of Blaxel's says that another follows.
        total: what RunWisp's count, at the most.
        items: how many they hold.
    """

    more: bool = False
    total: int = 0
    items: int = 0

    def see(self, value: Any) -> None:
        """Take a line into account."""
        _, items = _page(value)
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

    @property
    def rest(self) -> str:
        """A sentence about what the file does not hold, empty where it holds all."""
        if self.total > self.items:
            return f"its pages count {self.total:,} runs in all and hold {self.items:,}; save the others too"
        return "its last page says that more follow; save those too" if self.more else ""


def told(document: Any) -> Told:
    """Return what a document tells.

    Raises:
        Refused: it is none of the kinds that are imported, or not as documented.
    """
    given = as_object(document)
    if given is None:
        raise Refused(f"{shown(document)} is no object; give {_KINDS}")
    metadata = as_object(given.get("metadata"))
    if metadata is not None:
        return _of_blaxel(given, metadata)
    if "id" in given and ("taskName" in given or "task_name" in given):
        return told_run(given)
    if "name" in given and _OF_DEFINITION & given.keys():
        return told_definition(given)
    raise Refused(_unknown(given))


def _of_blaxel(given: dict[str, Any], metadata: dict[str, Any]) -> Told:
    if "id" in metadata or "job" in metadata:
        return told_execution(given)
    if _is_job(given, metadata):
        return told_job(given)
    if "name" in metadata:
        raise Refused(
            f"{shown(metadata['name'])} is a task of an execution; it is imported within its execution, "
            "in `tasks`, as GET /jobs/{jobId}/executions/{executionId} answers"
        )
    raise Refused(_unknown(given))


def _is_job(given: dict[str, Any], metadata: dict[str, Any]) -> bool:
    """Return whether something with a name is a job rather than a task: by what only jobs have."""
    spec = as_object(given.get("spec"))
    if spec is not None and _OF_JOB_SPEC & spec.keys():
        return True
    if "events" in given or _OF_JOB_METADATA & metadata.keys() or given.get("status") in DEPLOYMENTS:
        return True
    return spec == {} and "status" not in given and "conditions" not in given


def _unknown(given: Mapping[str, Any]) -> str:
    what = given.get("message") or given.get("detail")
    if isinstance(what, str) and ("error" in given or "title" in given or "code" in given):
        return f"is an error that the API answered: {shown(what)}"
    keys = clean(", ".join(given), 80)
    return f"is none of what is imported (its fields: {keys or 'none'}); give {_KINDS}"
