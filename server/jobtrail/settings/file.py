"""The TOML file with several sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jobtrail.errors import SettingsError
from jobtrail.settings.environment import is_file
from jobtrail.settings.shapes import SourceSettings, validated

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_file", "sources_in"]


def read_file(named: str | None) -> dict[str, Any]:
    """Return the file's table with its `path`; nothing where none is named and none is there.

    Raises:
        SettingsError: it cannot be read, or is not what it should be.
    """
    import platformdirs  # noqa: PLC0415 # not before it is needed

    try:
        path = Path(named or platformdirs.user_config_path("jobtrail") / "config.toml").expanduser()
    except RuntimeError:
        # No home directory: without a name that is the same as no file.
        if named:
            raise SettingsError(f"{named} cannot be read (no such user); check JOBTRAIL_CONFIG") from None
        return {}
    if not named and not is_file(path):
        return {}
    import tomllib  # noqa: PLC0415 # only where the file is there

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}); check JOBTRAIL_CONFIG") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    unknown = table.keys() - {"default", "timezone", "sources"}
    if unknown:
        raise SettingsError(f"{path} has unknown keys {sorted(unknown)}; known: default, timezone, sources")
    return {**table, "path": path}


def sources_in(table: Mapping[str, Any], environ: Mapping[str, str]) -> list[SourceSettings]:
    """Return the sources of a file's table.

    Raises:
        SettingsError: one does not fit, or reads a secret from a variable that is not set.
    """
    found: list[SourceSettings] = []
    path = table.get("path")
    sources = table.get("sources", {})
    if not isinstance(sources, dict):
        raise SettingsError(f"{path}: sources must be tables such as [sources.prod]")
    for name, keys in cast("dict[str, Any]", sources).items():
        where = f"[sources.{name}] of {path}"
        if not isinstance(keys, dict):
            raise SettingsError(f"{where} must be a table")
        row: dict[str, Any] = {**keys, "name": name, "origin": where}
        source = validated(SourceSettings, _with_secrets(row, environ, where), where)
        if source.kind == "blaxel" and not (source.url or source.api_key or source.client_credentials):
            raise SettingsError(f"{where} has no credentials; give api_key_env or client_credentials_env")
        found.append(source)
    return found


def _with_secrets(row: dict[str, Any], environ: Mapping[str, str], where: str) -> dict[str, Any]:
    """Fill each secret whose `…_env` key names an environment variable."""
    for key in ("api_key", "client_credentials", "password", "token"):
        variable = row.get(f"{key}_env")
        if variable is None:
            continue
        if not environ.get(str(variable), "").strip():
            raise SettingsError(f"{where} reads {key} from ${variable}, which is not set")
        row = {**row, key: environ[str(variable)]}
    return row
