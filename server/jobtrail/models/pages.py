"""What every answer says of itself, pages of lists, and `Coverage`: how much of the list an answer covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field, model_validator

from jobtrail.models.calls import Note
from jobtrail.models.entities import FrozenModel, ListedExecution, ListedJob, ListedRun, ListedTask, Timestamp

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

Shown = dict[str, Any]

_OWN = {"id", "name"}


class Coverage(FrozenModel):
    """How much of the truth an answer covers, counted from the first page of the walk.

    `back_to` is the oldest time that a newest-first walk has reached.
    """

    scanned: int = Field(description="items read so far, over all pages of this walk")
    matched: int = Field(description="items that matched so far, over all pages of this walk")
    complete: bool = Field(description="true when nothing is left to read")
    back_to: Timestamp | None = None


class Total(FrozenModel):
    """How many there are, and how far to trust it.

    `exact` counts what was asked for; `at_least` is a floor; `unfiltered` is the upstream's count
    before the filters; `unknown` has no value.
    """

    value: int | None = None
    kind: Literal["exact", "at_least", "unfiltered", "unknown"]


class Window(FrozenModel):
    """The resolved time window, closed at both ends, and the server's own now.

    `zone` is the one that times without a zone were taken in, where there were any.
    """

    since: Timestamp | None = None
    until: Timestamp | None = None
    now: Timestamp
    zone: str | None = None

    def contains(self, moment: Timestamp | None) -> bool:
        """Return whether a time lies in the window; an unknown time does, so that its item is not hidden."""
        if moment is None:
            return True
        return (self.since is None or moment >= self.since) and (self.until is None or moment <= self.until)


class Rows(FrozenModel):
    """An answer with rows: sent with what all of them have in common said once, under `common`.

    A row is `{**common, **row}` of what is sent; `id` and `name` are always its own. A field that both lack is not
    known. A single row has everything itself.

    Attributes:
        rows: the name of the field with the rows; none has no rows.
    """

    rows: ClassVar[str] = ""

    def to_wire(self) -> Shown:
        """Return the JSON object an agent gets: absent fields left out, and what rows have in common said once."""
        shown = self.to_json()
        if self.rows:
            common, rows = _split(shown.pop(self.rows))
            shown |= {**({"common": common} if common else {}), self.rows: rows}
        return shown

    @model_validator(mode="before")
    @classmethod
    def _join(cls, shown: object) -> object:
        """Give every row of what was sent what it has in common with the others."""
        if not isinstance(shown, dict) or "common" not in shown:
            return cast("object", shown)
        whole = cast("Shown", shown)
        joined = [{**whole["common"], **row} for row in whole[cls.rows]]
        return {name: value for name, value in whole.items() if name != "common"} | {cls.rows: joined}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe what is sent: any field of a row can be in `common` instead."""
        schema = handler(core)
        if cls.rows:
            fields = handler.resolve_ref_schema(schema)["properties"]
            row = fields[cls.rows]["items"]
            handler.resolve_ref_schema(row).pop("required", None)
            fields["common"] = row
        return schema


def _split(rows: list[Shown]) -> tuple[Shown, list[Shown]]:
    """Return the fields that are the same in every one of several rows, and the rows without them."""
    if len(rows) < 2:  # noqa: PLR2004 # one row has nothing in common with others
        return {}, rows
    first, *others = rows
    common = {
        name: value
        for name, value in first.items()
        if name not in _OWN and all(name in one and one[name] == value for one in others)
    }
    return common, [{name: value for name, value in one.items() if name not in common} for one in rows]


class Answer(Rows):
    """What every answer says of itself."""

    source: str
    sample: bool | None = None
    notes: tuple[Note, ...] | None = None


class Page(Answer):
    """What one list call returns; `cursor` is there exactly when there is more."""

    rows = "items"

    coverage: Coverage
    total: Total
    cursor: str | None = None
    window: Window | None = None
    sort: str
    filters: dict[str, str] | None = None


class JobPage(Page):
    """A page of jobs."""

    items: tuple[ListedJob, ...]


class ExecutionPage(Page):
    """A page of executions of one job."""

    job: str
    items: tuple[ListedExecution, ...]


class TaskPage(Page):
    """A page of tasks of one execution."""

    job: str
    execution: str
    items: tuple[ListedTask, ...]


class RunPage(Page):
    """A page of runs, of one scheduled task or of all."""

    job: str | None = None
    items: tuple[ListedRun, ...]
