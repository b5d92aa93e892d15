"""Defines every error that Jobtrail raises, as one hierarchy.

::

    JobtrailError
    ├── SettingsError             a setting is missing, malformed or unsafe
    ├── AgentError                the caller can fix it with its next call
    │   ├── BadArgument           a value outside what the tool accepts
    │   │   └── MissingArgument   it was not given
    │   ├── UnknownName           no such job, execution, task, run or source
    │   ├── Unsupported           the source has no such thing
    │   └── CursorError           a cursor that cannot be continued
    │       ├── MalformedCursor   not a cursor, cut short, or altered
    │       ├── WrongCursor       minted by another tool or another version
    │       ├── ExpiredCursor     older than the upstream keeps it
    │       └── StrayCursor       its source is gone or points elsewhere now
    └── UpstreamError             the job system or the way to it
        ├── Unreachable           no connection, a timeout, a dropped connection
        ├── Unauthorized          401 or 403
        ├── NotFound              404; sources turn it into UnknownName
        ├── Rejected              any other 4xx
        ├── RateLimited           429
        ├── UpstreamFault         5xx
        └── UnreadableAnswer      not JSON, too large, or not the documented shape
            └── ExcessiveAnswer   too large; less of it may be asked for

Every message is one or two sentences for an agent: what was wrong, what is valid, what to
call next. `JobtrailError` makes it, and nothing else does: what it is made of are fields, so nothing is
read back from a text. It consists of parts in `args`, some of which are a `Call`: `str()` joins them as agents
read them, and a terminal writes each call as its own command. No message carries a
secret, and upstream text in one went through `text.sanitize_text` first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.text import quote_unless_word, strip_invisible

if TYPE_CHECKING:
    from collections.abc import Sequence

    Advice = str | Sequence[object]


class JobtrailError(Exception):
    """Base of every failure that Jobtrail foresees.

    Attributes:
        problem: what is wrong, in parts of text and calls.
        subject: what has this problem, such as `source 'prod'`; empty where `problem` says it.
        closest: the names that are like a wrong one, closest first.
    """

    def __init__(
        self, *problem: object, subject: str = "", closest: Sequence[str] = (), advice: Advice = (), where: str = ""
    ) -> None:
        """Make an error and its message.

        Args:
            problem: what is wrong.
            subject: what has this problem.
            closest: the names that are like a wrong one.
            advice: what to do about it: a text, or parts of text and calls.
            where: what the message has after the problem and `describe_problem` has not, such as an address.
        """
        self.problem = problem
        self.subject = subject
        self.closest = tuple(closest)
        parts: list[object] = [f"{subject} "] if subject else []
        parts += [*self._list_problem_parts(), where]
        if closest:
            parts.append(f"; closest: {', '.join(map(quote_unless_word, closest))}")
        if advice:
            parts += ["; ", *([advice] if isinstance(advice, str) else advice)]
        super().__init__(*(self._clean_part(part) for part in parts if part != ""))

    def __str__(self) -> str:
        """Return the message as agents read it."""
        return "".join(map(str, self.args))

    def describe_problem(self) -> str:
        """Return what is wrong without the subject and the advice, for who names the subject and has other advice."""
        return "".join(map(str, self._list_problem_parts()))

    def _list_problem_parts(self) -> Sequence[object]:
        return self.problem

    @staticmethod
    def _clean_part(part: object) -> object:
        """Return a part of the message without what breaks a line, whatever a path or a library put into it."""
        return strip_invisible(part) if isinstance(part, str) else part


class SettingsError(JobtrailError):
    """A setting is missing, malformed or unsafe. Only people read it, so it can show lines to paste."""

    @staticmethod
    def _clean_part(part: object) -> object:
        return part


class AgentError(JobtrailError):
    """The caller can fix it with its next call."""


class BadArgument(AgentError):
    """A value outside what the tool accepts."""


class MissingArgument(BadArgument):
    """It was not given.

    Attributes:
        argument: which; None where one of several will do.
    """

    def __init__(self, *problem: object, advice: Advice = (), argument: str | None = None) -> None:
        super().__init__(*problem, advice=advice)
        self.argument = argument

    def add_example(self, call: object | None) -> None:
        """End the message with a call that has it; None where no such call is known."""
        if call is not None:
            self.args = (*self.args, ". Such as: ", call)


class UnknownName(AgentError):
    """No such job, execution, task, run or source."""


class Unsupported(AgentError):
    """The source has no such thing."""


class CursorError(AgentError):
    """A cursor that cannot be continued."""


class MalformedCursor(CursorError):
    """Not a cursor, cut short, or altered."""


class WrongCursor(CursorError):
    """Minted by another tool or another version."""


class ExpiredCursor(CursorError):
    """Older than the upstream keeps it."""


class StrayCursor(CursorError):
    """Its source is gone or points elsewhere now."""


class UpstreamError(JobtrailError):
    """The job system or the way to it.

    Attributes:
        status: the HTTP status that it answered with; None where it did not answer, or answered well.
        request_id: how the upstream calls the request, to find it in its logs.
        said: the upstream's own words, made safe; empty if there are none.
        retryable: whether the same request may succeed shortly.
        retry_after: seconds the upstream asked to wait, where it said so.
    """

    def __init__(
        self,
        *problem: object,
        subject: str = "",
        advice: Advice = (),
        where: str = "",
        status: int | None = None,
        request_id: str = "",
        said: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.request_id = request_id
        self.said = said
        self.retryable = retryable
        self.retry_after = retry_after
        super().__init__(*problem, subject=subject, advice=advice, where=where)

    def _list_problem_parts(self) -> Sequence[object]:
        answer = [f"HTTP {self.status}"] if self.status else []
        answer += [f"request id {quote_unless_word(self.request_id)}"] if self.request_id else []
        parts = [*self.problem, f" ({', '.join(answer)})" if answer else ""]
        return [*parts, f": {self.said!r}" if self.said else ""]


class Unreachable(UpstreamError):
    """No connection, a timeout, a dropped connection."""


class Unauthorized(UpstreamError):
    """401 or 403."""


class NotFound(UpstreamError):
    """404; sources turn it into `UnknownName`."""


class Rejected(UpstreamError):
    """Any other 4xx."""


class RateLimited(UpstreamError):
    """429."""


class UpstreamFault(UpstreamError):
    """5xx."""


class UnreadableAnswer(UpstreamError):
    """Not JSON, too large, or not the documented shape."""


class ExcessiveAnswer(UnreadableAnswer):
    """Too large; less of it may be asked for."""
