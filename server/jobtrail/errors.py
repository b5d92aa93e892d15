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

Every message is one or two sentences for an agent: what was wrong, what is valid, what to
call next. It consists of parts in `args`, some of which are a `Call`: `str()` joins them as agents
read them, and a terminal writes each call as its own command. No message carries a
secret, and upstream text in one went through `text.sanitize_text` first.
"""

from __future__ import annotations


class JobtrailError(Exception):
    """Base of every failure that Jobtrail foresees."""

    def __str__(self) -> str:
        """Return the message as agents read it."""
        return "".join(map(str, self.args))


class SettingsError(JobtrailError):
    """A setting is missing, malformed or unsafe."""


class AgentError(JobtrailError):
    """The caller can fix it with its next call."""


class BadArgument(AgentError):
    """A value outside what the tool accepts."""


class MissingArgument(BadArgument):
    """It was not given.

    Attributes:
        argument: which; None where one of several will do.
    """

    def __init__(self, *parts: object, argument: str | None = None) -> None:
        super().__init__(*parts)
        self.argument = argument


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
        what: what went wrong, without the subject and the advice.
        retryable: whether the same request may succeed shortly.
        retry_after: seconds the upstream asked to wait, where it said so.
    """

    def __init__(
        self,
        *what: object,
        subject: str = "",
        advice: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Make an error whose message is `subject`, what went wrong and `advice`, as one sentence."""
        super().__init__(f"{subject} " if subject else "", *what, advice)
        self.what = "".join(map(str, what))
        self.retryable = retryable
        self.retry_after = retry_after


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
