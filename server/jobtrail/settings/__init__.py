"""Settings, from environment variables and a TOML file.

Environment variables configure one source of each kind, the file several. README.md lists all of them.
The kinds of source are an argument, since they are registered in `sources`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from jobtrail.errors import SettingsError
from jobtrail.settings.environment import OWN_VARIABLES, read_variables
from jobtrail.settings.file import is_file, read_file, read_sources
from jobtrail.settings.shapes import (
    Address,
    Password,
    Secret,
    Settings,
    SourceSettings,
    Text,
    check_header_value,
    check_time_zone,
    format_address,
    is_loopback,
    validate_settings,
)
from jobtrail.settings.upstream import Upstream
from jobtrail.text import quote_value

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "OWN_VARIABLES",
    "Address",
    "Password",
    "Secret",
    "Settings",
    "SourceSettings",
    "Text",
    "Upstream",
    "check_header_value",
    "format_address",
    "is_file",
    "is_loopback",
    "is_store_durable",
    "load",
    "store_path",
    "validate_settings",
]


def load(
    upstreams: Mapping[str, Upstream],
    default_source: SourceSettings,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> Settings:
    """Read all settings.

    Args:
        upstreams: the kinds of upstream that can be configured, by name.
        default_source: used if no source is configured.
        environ: environment variables; the process's own unless given.
        home: the home directory with files of other programs; the user's unless given.

    Raises:
        SettingsError: a file cannot be read, a key is unknown, a value is out of range.
    """
    environ = os.environ if environ is None else environ
    variables = [name for one in upstreams.values() for name in one.variables]
    given = read_variables(environ, [*variables, *OWN_VARIABLES])
    table = read_file(given.get("JOBTRAIL_CONFIG"))
    home = home or _get_home_or_null_path()
    found: dict[str, SourceSettings] = {}
    of_environment = [one.from_environment(given, home) for one in upstreams.values()]
    for source in (*of_environment, *read_sources(table, environ, upstreams)):
        if source is not None:
            found.setdefault(source.name, source)
    sources = tuple(found.values()) or (default_source,)
    default = given.get("JOBTRAIL_SOURCE") or table.get("default") or sources[0].name
    names = [source.name for source in sources]
    if default not in names:
        raise SettingsError(
            f"the default source {quote_value(default)} is not configured; configured: {', '.join(names)}"
        )
    timezone = given.get("JOBTRAIL_TZ") or table.get("timezone") or "UTC"
    check_time_zone(timezone, "JOBTRAIL_TZ" if "JOBTRAIL_TZ" in given else f"timezone of {table.get('path')}")
    return validate_settings(
        Settings,
        {
            "sources": sources,
            "default": default,
            "timezone": timezone,
            "store": store_path(environ),
            "auth_token": given.get("JOBTRAIL_AUTH_TOKEN"),
            "allowed_hosts": tuple(
                host.strip() for host in given.get("JOBTRAIL_ALLOWED_HOSTS", "").split(",") if host.strip()
            ),
            "log_level": given.get("JOBTRAIL_LOG_LEVEL", "WARNING").upper(),
        },
        "settings",
        {"auth_token": "JOBTRAIL_AUTH_TOKEN", "log_level": "JOBTRAIL_LOG_LEVEL"},
    )


def store_path(environ: Mapping[str, str] | None = None) -> Path:
    """Return the path of the embedded store, whether the file exists or not.

    Raises:
        SettingsError: there is no home directory to put it in.
    """
    import platformdirs  # noqa: PLC0415 # not before it is needed

    named = (
        read_variables(os.environ if environ is None else environ, ["JOBTRAIL_STORE"])
        .get("JOBTRAIL_STORE", "")
        .strip()
    )
    try:
        return Path(named or platformdirs.user_data_path("jobtrail") / "store.db").expanduser().absolute()
    except RuntimeError:
        raise SettingsError("there is no home directory for the store; set JOBTRAIL_STORE to a file") from None


def is_store_durable(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether what is recorded and imported has to survive a power cut.

    Raises:
        SettingsError: the variable has another value.
    """
    given = read_variables(os.environ if environ is None else environ, ["JOBTRAIL_STORE_SYNC"])
    word = given.get("JOBTRAIL_STORE_SYNC", "NORMAL").strip().upper()
    if word not in {"NORMAL", "FULL"}:
        raise SettingsError(f"JOBTRAIL_STORE_SYNC is {quote_value(word)}; it can be NORMAL or FULL")
    return word == "FULL"


def _get_home_or_null_path() -> Path:
    """Return the home directory; for a user who has none, a path under which no file exists."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)
