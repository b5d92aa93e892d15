"""What a recorded task that failed says of a task within it: that it failed after that, and why that failed.

A recorder inside a recorded command tells the task it runs within of each failure, while that task runs, by a
condition of it. Where the outer task then fails, its reason names the inner one; without words of its own it takes
the cause of that too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobtrail.vocabulary import AFTER_INNER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobtrail.store.rows import LineRow

Condition = dict[str, str]

_TOLD = re.compile("its task .+ failed")
_OWN_ENDING = re.compile(r"exit code \d+|killed by .+")
_NOTICE = re.compile(
    r"jobtrail: (?:timed out after |\d[\d,]* tasks? of |"
    r".*: (?:command not found|its interpreter is not there|cannot be run \())"
)
"""What a recorder says on the terminal of a task that failed."""
_LONGEST_WORDS = 2_000


def tell_outer(conditions: Sequence[Condition], task: str, why: Mapping[str, str]) -> list[Condition]:
    """Return the conditions of a running task, within which a task failed just now; of several, the last is told."""
    joined = ": ".join(filter(None, (why["reason"], why["message"])))
    cause = why["message"] if AFTER_INNER.match(joined) else joined
    kept = [one for one in conditions if not _TOLD.fullmatch(str(one.get("reason")))]
    form = {key: value for key, value in why.items() if key != "executionReason"}
    return [*kept, {**form, "reason": f"its task {task} failed", "message": cause}]


def explain_by_inner(
    conditions: Sequence[Condition], told: Sequence[Condition], at: int, output: Sequence[LineRow]
) -> Sequence[Condition]:
    """Return the conditions of a try that failed; the last names a task within it that failed before.

    Args:
        conditions: of all tries.
        told: what the task's row has.
        at: when the last of these was told, in nanoseconds since 1970.
        output: the last lines of the try.
    """
    why, inner = conditions[-1], told[-1] if told else {}
    name, cause = str(inner.get("reason")), str(inner.get("message"))
    if not _TOLD.fullmatch(name) or not _OWN_ENDING.fullmatch(why["reason"]):
        return conditions
    if _says_more(output, at, cause):
        return [*conditions[:-1], {**why, "reason": f"{why['reason']} (after {name})"}]
    return [*conditions[:-1], {**why, "reason": f"{why['reason']} after {name}", "message": cause}]


def _says_more(output: Sequence[LineRow], at: int, cause: str) -> bool:
    """Return whether the last line of stderr is neither older than a failure within nor that failure's own."""
    errors = (line for line in reversed(output) if line.stream == "stderr" and line.text.strip())
    last = next((line for line in errors if not _NOTICE.match(line.text)), None)
    if last is None or last.at <= at:
        return False
    return not cause.removesuffix("…").endswith(last.text.strip()[:_LONGEST_WORDS])
