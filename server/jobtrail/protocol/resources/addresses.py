"""`jobtrail://` addresses of resources: their templates, and parsing them.

Each is a template of RFC 6570, so that a client can complete its variables::

    jobtrail://{source}/jobs{?cursor,format}
    jobtrail://{source}/jobs/{job}{?format}
    jobtrail://{source}/executions/{id}{?job,format}
    jobtrail://{source}/runs/{id}{?format}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from jobtrail.errors import BadArgument
from jobtrail.text import quote_value

SCHEME = "jobtrail"
FORMATS = ("text", "json")
_LONGEST = 4_000

Kind = Literal["jobs", "job", "execution", "run"]


@dataclass(frozen=True)
class AddressTemplate:
    """The URI template of one kind of address, and its description."""

    kind: Kind
    uri: str
    title: str
    about: str
    icon: str


TEMPLATES = (
    AddressTemplate(
        "jobs", "jobtrail://{source}/jobs{?cursor,format}", "Jobs", "What a source has, 100 a page.", "jobs"
    ),
    AddressTemplate(
        "job", "jobtrail://{source}/jobs/{job}{?format}", "Job", "One job or scheduled task and its record.", "job"
    ),
    AddressTemplate(
        "execution",
        "jobtrail://{source}/executions/{id}{?job,format}",
        "Execution",
        "One execution of a batch job: verdict, timing, failures by cause. With job it is found at once.",
        "execution",
    ),
    AddressTemplate(
        "run",
        "jobtrail://{source}/runs/{id}{?format}",
        "Run",
        "One run of a scheduled task, with its log's end.",
        "run",
    ),
)
_OPTIONS: dict[Kind, frozenset[str]] = {
    "jobs": frozenset({"cursor", "format"}),
    "job": frozenset({"format"}),
    "execution": frozenset({"job", "format"}),
    "run": frozenset({"format"}),
}


@dataclass(frozen=True)
class Address:
    """One resource.

    Attributes:
        name: the job's name, or the id of an execution or run; empty for the list of jobs.
        job: whose execution it is, where the address says so.
        cursor: where to go on in the list of jobs.
        json: whether JSON was asked for instead of text.
    """

    source: str
    kind: Kind
    name: str = ""
    job: str | None = None
    cursor: str | None = None
    json: bool = False

    @classmethod
    def parse(cls, uri: str) -> Address:
        """Read an address.

        Raises:
            BadArgument: it is none; the sentence shows those there are.
        """
        try:
            parts = urlsplit(uri if len(uri) <= _LONGEST else "")
        except ValueError:
            # What stands for a host looks like a broken one, such as `[::1`.
            parts = urlsplit("")
        kind, name = _parse_path(parts.path)
        if parts.scheme != SCHEME or not parts.netloc or kind is None or parts.fragment:
            forms = ", ".join(template.uri for template in TEMPLATES)
            raise BadArgument(f"{quote_value(uri)} is no resource of this server; there are {forms}")
        options = dict(parse_qsl(parts.query))
        for given in options:
            if given not in _OPTIONS[kind]:
                takes = ", ".join(sorted(_OPTIONS[kind]))
                raise BadArgument(f"resource {quote_value(uri)} takes no {quote_value(given)}; it takes {takes}")
        form = options.get("format", FORMATS[0])
        if form not in FORMATS:
            raise BadArgument(f"format={quote_value(form)} is not one of {', '.join(FORMATS)}")
        return cls(
            unquote(parts.netloc), kind, name, options.get("job"), options.get("cursor"), json=form == FORMATS[1]
        )

    def __str__(self) -> str:
        room = {"jobs": "jobs", "job": "jobs", "execution": "executions", "run": "runs"}[self.kind]
        path = "/".join(filter(None, (room, quote(self.name, safe=""))))
        options = {"job": self.job, "cursor": self.cursor, "format": FORMATS[1] if self.json else None}
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in options.items() if value)
        return f"{SCHEME}://{quote(self.source, safe='')}/{path}" + (f"?{query}" if query else "")


def _parse_path(path: str) -> tuple[Kind | None, str]:
    """Return the kind of resource of a path, and its name."""
    room, *names = [unquote(part) for part in path.strip("/").split("/")]
    if room == "jobs" and not names:
        return "jobs", ""
    if len(names) != 1 or not names[0].strip():
        return None, ""
    kinds: dict[str, Kind] = {"jobs": "job", "executions": "execution", "runs": "run"}
    return kinds.get(room), names[0]
