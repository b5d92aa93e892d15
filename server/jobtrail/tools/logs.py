"""Log lines of a run, an execution or a task: `read_log`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Literal

from mcp.server.mcpserver import Context

from jobtrail.errors import BadArgument, MissingArgument, StrayCursor
from jobtrail.logs.lines import LONGEST, Row
from jobtrail.logs.log import EMPTY
from jobtrail.logs.search import compile_search
from jobtrail.logs.walk import Bounds, read_stretch
from jobtrail.models import Call, LogLine, LogPage, Note
from jobtrail.paging import Position
from jobtrail.text import count_noun
from jobtrail.tools import params
from jobtrail.tools.finding import check_parent
from jobtrail.tools.resumable import ResumableCall, ServerState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jobtrail.logs.log import Log
    from jobtrail.logs.search import Find
    from jobtrail.logs.walk import Stretch

_LINES, _MOST_LINES = 50, 500
_TOKENS, _MOST_TOKENS, _A_LINE = 2_000, 6_000, 30
_BACK, _ON = 0, 1
_FURTHEST = 10**15
_OF = ("run", "job", "execution", "task")


async def read_log(
    ctx: Context[ServerState],
    run: params.Run = None,
    job: params.Job = None,
    execution: params.Execution = None,
    task: params.TaskName = None,
    query: params.Query = None,
    around: params.Around = None,
    lines: params.Lines = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> LogPage:
    """Log of a run, execution or task: the last 50 lines, the newest that match, or those around one.

    A job alone means its newest execution or run.
    Examples: {"execution": "exec-1", "query": "/refused|denied/"}
    """
    needs: Literal["executions", "runs"] | None = "runs" if run else "executions" if execution else None
    call = ResumableCall.open(
        ctx, "read_log", cursor, source, needs=needs,
        run=run, job=job, execution=execution, task=task, query=query, around=around, lines=lines,
    )  # fmt: skip
    if run:
        await call.find_run(run)
    elif execution:
        await call.find_execution()
    elif job:
        await call.find_newest()
    log = await _open_log(call)
    find = compile_search(call.get_text_argument("query"))
    stretch = await _Reading(call, log, find, call.clamp("lines", _LINES, _MOST_LINES)).read()
    await check_parent(_choose_parent(call), stretch.found.total)
    return _make_page(call, log, stretch)


async def _open_log(call: ResumableCall) -> Log:
    """Return the log that the arguments name.

    Raises:
        BadArgument: they name no log, or two.
        StrayCursor: the cursor is of no log.
    """
    run, job, execution, task = (call.get_text_argument(name) for name in _OF)
    if run and not (job or execution or task):
        return await call.source.need_runs(Call("read_log", {"job": ..., "execution": ...})).log(run)
    if job and execution and not run:
        continuation = next((one for one in call.cursor.position.detail[2:] if isinstance(one, str)), "")
        batch = call.source.need_batch(Call("read_log", {"run": ...}))
        return await batch.log(job, execution, task, call.now, continuation)
    if run:
        raise BadArgument("read_log takes run, or job and execution, not both; leave one out")
    raise MissingArgument(
        "read_log needs run, execution or job",
        advice=("call ", Call("list_runs"), " or ", Call("list_jobs"), " for them"),
    )


@dataclass(frozen=True)
class _Stretch:
    """The rows that an answer shows, oldest first, and the read they come from."""

    rows: Sequence[Row]
    found: Stretch
    cut: str | None = None


@dataclass
class _Reading:
    """One read of a log, from the call's position."""

    call: ResumableCall
    log: Log
    find: Find
    rows: int

    async def read(self) -> _Stretch:
        """Read back from the end, on or back from a cursor, or around a line."""
        # A cursor has its own line, so the next one does not carry `around`.
        around = self.call.args.pop("around", None)
        if isinstance(around, int) and not self.call.resumed:
            return await self._read_around(around)
        way, line = self._read_position() if self.call.resumed else (_BACK, 0)
        found = await self._gather(line, self.rows, self._tokens, back=way == _BACK)
        cut = None
        if found.rows.cut:
            kept, side = ("newest", "older") if way == _BACK else ("oldest", "newer")
            cut = f"cut at about {self._tokens:,} tokens, the {kept} lines kept; {side} goes on from there"
        return _Stretch(found.rows.rows, found, cut)

    @property
    def _tokens(self) -> int:
        return max(_TOKENS, min(self.rows * _A_LINE, _MOST_TOKENS))

    def _read_position(self) -> tuple[int, int]:
        match self.call.cursor.position.detail:
            case (int(way), int(line), *_) if way in {_BACK, _ON} and 0 < line < _FURTHEST:
                return way, line
            case _:
                raise StrayCursor(
                    "this cursor stands in no log; start again with ",
                    Call("read_log", {"run": ...}),
                    " or (job=…, execution=…)",
                )

    async def _read_around(self, line: int) -> _Stretch:
        if self.call.get_text_argument("query"):
            raise BadArgument("read_log takes around or query, not both; leave one out")
        on = await self._gather(max(line, 1), self.rows - self.rows // 2, self._tokens // 2, back=False)
        if not on.kept_from <= line <= on.total:
            raise BadArgument(
                f"around={line} is no line of this log; it has lines {on.kept_from:,} to {on.total:,}"
                if on.total
                else f"around={line} is no line of this log: it is empty"
            )
        back = await self._gather(line, self.rows - len(on.rows.rows), self._tokens // 2, back=True)
        cut = (
            f"cut at about {self._tokens:,} tokens, the lines next to {line:,} kept"
            if on.rows.cut or back.rows.cut
            else None
        )
        on.first = back.first
        on.too_long += back.too_long
        on.notes += back.notes
        return _Stretch([*chain(back.rows.rows, on.rows.rows)], on, cut)

    async def _gather(self, start: int, rows: int, tokens: int, *, back: bool) -> Stretch:
        searched = self.call.get_text_argument("query") is not None
        piece = self.log.most if searched else rows * 2
        bounds = Bounds(rows, tokens, piece)
        return await read_stretch(
            self.log, start, bounds, self.find, self._report_progress if searched else _report_nothing, back=back
        )

    async def _report_progress(self, scanned: int, matched: int) -> None:
        await self.call.ctx.report_progress(scanned, message=f"{count_noun(scanned, 'line')} read, {matched:,} match")


async def _report_nothing(_scanned: int, _matched: int) -> None:
    """Report progress to nobody."""


def _choose_parent(call: ResumableCall) -> Callable[[], Awaitable[None]] | None:
    """Return what asks for the task; opening the log has asked for an execution, and a run's log is its own."""
    job, execution, task = (call.get_text_argument(name) or "" for name in _OF[1:])
    return partial(call.source.need_batch().check_task, job, execution, task) if task else None


def _make_page(call: ResumableCall, log: Log, stretch: _Stretch) -> LogPage:
    found = stretch.found
    older = found.first > found.kept_from and found.total > 0
    newer = found.last < found.total or not found.final
    kept = (log.continuation,) if log.continuation else ()
    return LogPage(
        source=call.source.name,
        sample=call.source.sample or None,
        notes=tuple(_write_notes(call, log, stretch)) or None,
        run=call.get_text_argument("run"),
        job=call.get_text_argument("job"),
        execution=call.get_text_argument("execution"),
        task=call.get_text_argument("task"),
        query=call.get_text_argument("query"),
        first_line=found.first if found.scanned else None,
        last_line=found.last if found.scanned else None,
        total_lines=found.total,
        kept_from=found.kept_from if found.kept_from > 1 else None,
        growing=not found.final,
        matched=found.matched if call.get_text_argument("query") else None,
        complete=found.first == 1 and not newer and not log.partial and not found.too_long,
        older=call.seal_cursor(Position("", (_BACK, found.first, *kept))) if older else None,
        newer=call.seal_cursor(Position("", (_ON, found.last + 1, *kept))) if newer else None,
        lines=tuple(
            LogLine(
                n=row.n,
                text=row.text,
                times=row.times if row.times > 1 else None,
                task=row.task or None if call.get_text_argument("task") is None else None,
                mark=row.mark or None,
                at=row.at,
            )
            for row in stretch.rows
        ),
        next_calls=_propose_calls(call, stretch),
    )


def _write_notes(call: ResumableCall, log: Log, stretch: _Stretch) -> list[Note]:
    notes = [*call.notes, *stretch.found.notes]
    notes += [note for note in ("" if call.resumed else call.source.log_note, log.note) if note]
    if stretch.found.too_long:
        line = min(stretch.found.too_long)
        notes.append(f"of line {line:,} and others like it only the first {LONGEST:,} characters were looked at")
    if not stretch.found.total and stretch.found.final:
        notes.append(EMPTY)
    query = call.get_text_argument("query")
    if query and not query.startswith("/") and set(query) & set("|*+[\\^$") and not stretch.rows:
        notes.append("query was taken as plain text; a regular expression is written /…/")
    return [*notes, stretch.cut] if stretch.cut else notes


def _name_log(call: ResumableCall) -> dict[str, str]:
    """Return what the log is of, and its source, as arguments."""
    named = {name: value for name in _OF if (value := call.get_text_argument(name))}
    return {**named, "source": call.source.name}


def _propose_calls(call: ResumableCall, stretch: _Stretch) -> tuple[Call, ...]:
    if call.get_text_argument("query") and stretch.rows:
        return (Call("read_log", {**_name_log(call), "around": stretch.rows[-1].n}),)
    if not stretch.found.total:
        named = {name: value for name, value in _name_log(call).items() if name != "task"}
        return (Call("get_run" if "run" in named else "get_execution", named),)
    return ()
