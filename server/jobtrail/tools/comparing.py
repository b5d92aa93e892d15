"""Compares an execution or run with the last one before it that succeeded: `compare`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mcp.server.mcpserver import Context

from jobtrail.analysis.comparison import compare_facts, compare_tasks
from jobtrail.errors import BadArgument, JobtrailError
from jobtrail.models import ComparedAttempt, Comparison, Coverage, Execution
from jobtrail.models.unread import describe_unread
from jobtrail.paging import run_concurrently
from jobtrail.text import count_noun, quote_unless_word, quote_value
from jobtrail.times import format_time
from jobtrail.tools import params
from jobtrail.tools.compared_sides import Rest, describe_definition, find_subject
from jobtrail.tools.past_attempts import Past, PastCauses, look_back, read_past_causes
from jobtrail.tools.resumable import ServerState
from jobtrail.vocabulary import UNFINISHED, is_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jobtrail.analysis.comparison import TasksCompared
    from jobtrail.models import Call, CauseDifference, Note
    from jobtrail.tools.compared_sides import Side, Subject

_SECONDS = 15.0
"""For the tasks of both, and the causes before them."""


async def compare(
    ctx: Context[ServerState],
    job: params.Job = None,
    execution: params.Execution = None,
    run: params.Run = None,
    with_: params.With = None,
    source: params.Source = None,
) -> Comparison:
    """What differs between an execution or run (else the job's newest) and the last good one; causes since when.

    Examples: {"job": "nightly-etl"} · {"run": "01K9Z3V5Q8R2M4N6P7S9T0W1X2"}
    """
    state = ctx.request_context.lifespan_context
    subject = await find_subject(state, job, execution, run, source)
    given = (with_ or "").strip()
    if given == subject.id:
        raise BadArgument(f"with={quote_value(given)} is what is compared itself; name another, or leave it out")
    this = await subject.read(subject.id, subject.newest)
    past = await _look_back(subject, this, for_success=not given)
    base_id = given or (past.success.id if past.success else None)
    base = await subject.read(base_id, past.success) if base_id else None
    rest = await _read_rest(subject, this, base, past)
    return _Compared(subject, this, base, past, *rest, given=bool(given)).to_answer()


async def _look_back(subject: Subject, this: Side, *, for_success: bool) -> Past:
    """Read what ran before; where that cannot be read, the rest is compared all the same."""
    try:
        return await look_back(subject, this.one, for_success=for_success)
    except JobtrailError as error:
        return Past(notes=[f"what ran before it could not be read: {error.describe_problem()}"])


async def _read_rest(subject: Subject, this: Side, base: Side | None, past: Past) -> tuple[Rest, Rest, PastCauses]:
    """Read the tasks and causes of both, and the causes before them; each that cannot be read costs itself alone."""
    calls: dict[str, Callable[[], Awaitable[Rest | PastCauses]]] = {"this": partial(subject.read_rest, this)}
    if base:
        calls["base"] = partial(subject.read_rest, base)
    if is_failure(this.one):
        calls["past"] = partial(read_past_causes, subject, past)
    answers = await run_concurrently(calls, seconds=_SECONDS)
    before = answers.get("past") if "past" in calls else PastCauses()
    if not isinstance(before, PastCauses):
        before = PastCauses(whole=False, notes=["why those before it failed could not be read"])
    theirs = _take_rest(answers.get("base"), base) if base else Rest()
    return _take_rest(answers.get("this"), this), theirs, before


def _take_rest(answer: Rest | PastCauses | JobtrailError | None, side: Side) -> Rest:
    """Return what was read of one of the two, or why it was not."""
    if isinstance(answer, Rest):
        return answer
    why = answer.describe_problem() if isinstance(answer, JobtrailError) else f"not read within {_SECONDS:g} s"
    return Rest(notes=[f"{quote_unless_word(side.one.id)}: tasks and causes are not compared: {why}"])


@dataclass(frozen=True)
class _Compared:
    """What was read of two, of which the answer is made; `given` is whether the other was named."""

    subject: Subject
    this: Side
    base: Side | None
    past: Past
    ours: Rest
    theirs: Rest
    before: PastCauses
    given: bool

    def to_answer(self) -> Comparison:
        """Return the answer."""
        subject, base = self.subject, self.base
        facts = compare_facts(self.this.list_facts(subject.detail), base.list_facts(subject.detail)) if base else None
        tasks = compare_tasks(self.ours.tasks, self.theirs.tasks) if self.ours.tasks and self.theirs.tasks else None
        causes = self.before.trace(self.this.one, self.ours.causes, self.theirs.causes) if self.ours.causes else ()
        return Comparison(
            source=subject.source.name,
            sample=subject.source.sample or None,
            job=subject.job.name,
            kind=subject.kind,
            verdict=self._write_verdict(tasks),
            this=_make_side(self.this, self.ours),
            base=_make_side(base, self.theirs) if base else None,
            differences=tuple(facts.differences) if facts else (),
            same=dict(facts.same) if facts else {},
            not_compared=tuple(facts.untold) if facts and facts.untold else None,
            tasks=tuple(tasks.shown) if tasks else (),
            causes=tuple(causes),
            coverage=self._measure_coverage(),
            notes=(*self._write_notes(tasks), *describe_definition(subject.detail, self.this, base)) or None,
            next_calls=self._propose_calls(tasks, causes),
        )

    def _write_verdict(self, tasks: TasksCompared | None) -> str:
        """Return how both ended, and what of their tasks differs."""
        this = self.this.one.status
        if self.base is None:
            return f"{this}; nothing to compare it with"
        words = [f"{count:,} {what}" for what, count in tasks.counts.items()] if tasks else []
        which = f"the one named, {self.base.one.status}" if self.given else "the last success before it"
        told = (
            f"; of {count_noun(tasks.compared, 'task')} in both: {', '.join(words) or 'none differs'}"
            if tasks
            else ""
        )
        return f"{this}; base is {which}{self._count_between()}{told}"

    def _count_between(self) -> str:
        ids = [one.id for one in self.past.attempts]
        if self.base is None or self.base.one.id not in ids:
            return ""
        count = ids.index(self.base.one.id)
        return f" ({count_noun(count, self.subject.kind)} between)" if count else ""

    def _measure_coverage(self) -> Coverage:
        """Return how far back was looked: for a success, and where this failed for its causes."""
        failures, whole = self.before.failures, self.past.whole and self.before.whole
        cut = is_failure(self.this.one) and not self.before.whole
        back_to = failures[-1][0].created_at if cut and failures else self.past.back_to
        return Coverage(scanned=len(self.past.attempts), matched=len(failures), complete=whole, back_to=back_to)

    def _write_notes(self, tasks: TasksCompared | None) -> list[Note]:
        notes = [*self.subject.notes, *self.past.notes, *self.ours.notes, *self.theirs.notes, *self.before.notes]
        for side in (self.this, self.base):
            notes += describe_unread(side.one.unread) if side else []
        if self.this.one.status in UNFINISHED:
            notes.append("it has not ended: what differs so far is compared, and may change")
        if self.ours.causes and self.ours.causes.rarer:
            notes.append(
                f"{count_noun(self.ours.causes.rarer, 'rarer cause')} failed "
                f"{count_noun(self.ours.causes.rarer_tasks, 'more task')}"
            )
        if self.base is None and not self.given:
            reached = format_time(self.past.searched_to)
            far = f"back to {reached}; there is older, name one in with=…" if reached else "all that is kept"
            notes.append(f"no success was found before it, looking at {far}")
        return [*dict.fromkeys([*notes, *(tasks.notes if tasks else ())])]

    def _propose_calls(self, tasks: TasksCompared | None, causes: Sequence[CauseDifference]) -> tuple[Call, ...]:
        """Return what explains it, what lists more than is shown, and what looks further back."""
        subject, this = self.subject, self.this.one
        calls = [subject.call(f"get_{subject.kind}", this.id)]
        if tasks and tasks.counts.get("failed only here", 0) > sum(
            one.change == "failed only here" for one in tasks.shown
        ):
            calls.append(subject.call("list_tasks", this.id, status="failed"))
        oldest = next((one for one in causes if one.first != this.id), None)
        if oldest and not self._measure_coverage().complete:
            calls.append(subject.call("compare", oldest.first))
        return tuple(calls)


def _make_side(side: Side, rest: Rest) -> ComparedAttempt:
    one = side.one
    return ComparedAttempt(
        id=one.id,
        status=one.status,
        tasks=one.tasks if isinstance(one, Execution) else None,
        tasks_read=len(rest.tasks.by_name) if rest.tasks else None,
    )
