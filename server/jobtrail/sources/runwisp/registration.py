"""How a RunWisp daemon is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from jobtrail.settings import (
    Address,
    Password,
    Secret,
    SourceSettings,
    Text,
    Upstream,
    format_address,
    validate_settings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_URL = "http://127.0.0.1:9477"


class RunWispSettings(SourceSettings):
    """A daemon, at a Unix socket or an address."""

    kind: ClassVar[str] = "runwisp"
    secrets: ClassVar[tuple[str, ...]] = ("password", "token")

    url: Annotated[Address, Field(repr=False)] = None
    socket: Text = None
    password: Password = None
    token: Secret = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """Its address and socket."""
        return self.url or "", self.socket or "", ""

    @property
    def address(self) -> str:
        """Where it is."""
        return f"socket {self.socket}" if self.socket else format_address(self.url or DEFAULT_URL)

    @property
    def credentials(self) -> str:
        """The kind of credentials that requests carry."""
        given = {"socket, which needs none": self.socket, "token": self.token, "password": self.password}
        return next((word for word, value in given.items() if value), "")


def _from_environment(given: Mapping[str, str], _home: Path) -> RunWispSettings | None:
    """Read the daemon of the environment, once any of its variables is set."""
    if not any(name in given for name in UPSTREAM.variables):
        return None
    names = {key: f"RUNWISP_{key.upper()}" for key in ("url", "socket", "password", "token")}
    origin = "RUNWISP_URL or RUNWISP_SOCKET, and RUNWISP_PASSWORD or RUNWISP_TOKEN"
    fields = {key: given.get(name) for key, name in names.items()}
    return validate_settings(RunWispSettings, {"name": "runwisp", "origin": origin, **fields}, "RunWisp", names)


UPSTREAM = Upstream(
    settings=RunWispSettings,
    opener="jobtrail.sources.runwisp.source:open_source",
    label="runwisp",
    offers=frozenset({"runs"}),
    variables={
        "RUNWISP_URL": f"RunWisp daemon address (default {DEFAULT_URL} once another RUNWISP_ variable is set)",
        "RUNWISP_SOCKET": "RunWisp Unix socket (DATA/runwisp.sock); needs no login",
        "RUNWISP_PASSWORD": "RunWisp password, for log-in by challenge and response",
        "RUNWISP_TOKEN": "RunWisp bearer token",
    },
    plane_variable="RUNWISP_URL={url}",
    from_environment=_from_environment,
)
