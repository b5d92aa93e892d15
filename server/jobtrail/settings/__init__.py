"""Every setting, named once: environment variables, the TOML file, Blaxel's own config file.

Environment variables serve the common case of one source of each kind; the file serves several.
Nothing configured means the embedded plane. See the tables in README.md.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobtrail.errors import SettingsError, shown
from jobtrail.settings.environment import blaxel_of, runwisp_of
from jobtrail.settings.file import read_file, sources_in
from jobtrail.settings.names import BLAXEL_URL, ENVIRONMENT, RUNWISP_URL, given_in
from jobtrail.settings.shapes import Settings, SourceSettings, check_zone, validated

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BLAXEL_URL", "ENVIRONMENT", "RUNWISP_URL", "Settings", "SourceSettings", "load", "store_path"]


def load(environ: Mapping[str, str] | None = None, home: Path | None = None) -> Settings:
    """Read all settings.

    Args:
        environ: environment variables; the process's own unless given.
        home: the home directory with `.blaxel/config.yaml`; the user's unless given.

    Raises:
        SettingsError: a file cannot be read, a key is unknown, a value is out of range.
    """
    environ = os.environ if environ is None else environ
    given = given_in(environ)
    table = read_file(given.get("JOBTRAIL_CONFIG"))
    sources = _sources(given, environ, table, home or _home())
    default = given.get("JOBTRAIL_SOURCE") or table.get("default") or sources[0].name
    names = [source.name for source in sources]
    if default not in names:
        raise SettingsError(f"the default source {shown(default)} is not configured; configured: {', '.join(names)}")
    timezone = given.get("JOBTRAIL_TZ") or table.get("timezone") or "UTC"
    check_zone(timezone, "JOBTRAIL_TZ" if "JOBTRAIL_TZ" in given else f"timezone of {table.get('path')}")
    return validated(
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
    """Return where the embedded store lies, whether it is there or not.

    Raises:
        SettingsError: there is no home directory to put it in.
    """
    import platformdirs  # noqa: PLC0415 # not before it is needed

    named = given_in(os.environ if environ is None else environ).get("JOBTRAIL_STORE", "").strip()
    try:
        return Path(named or platformdirs.user_data_path("jobtrail") / "store.db").expanduser().absolute()
    except RuntimeError:
        raise SettingsError("there is no home directory for the store; set JOBTRAIL_STORE to a file") from None


def _home() -> Path:
    """Return the home directory; one without files for a user who has none, as in some containers."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


def _sources(
    given: Mapping[str, str], environ: Mapping[str, str], table: Mapping[str, Any], home: Path
) -> tuple[SourceSettings, ...]:
    found: dict[str, SourceSettings] = {}
    for source in (blaxel_of(given, home), runwisp_of(given), *sources_in(table, environ)):
        if source is not None:
            found.setdefault(source.name, source)
    if not found:
        found["embedded"] = SourceSettings(name="embedded", kind="embedded", origin="the default")
    return tuple(found.values())
