"""Reading the TOML file of settings and the sources in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jobtrail.errors import SettingsError
from jobtrail.settings.shapes import validate_settings
from jobtrail.text import quote_unless_word, quote_value

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from jobtrail.settings.shapes import SourceSettings
    from jobtrail.settings.upstream import Upstream


def read_file(named: str | None) -> dict[str, Any]:
    """Return the table in the file, with the file's `path`; empty if no file is named and there is none.

    Raises:
        SettingsError: it cannot be read, is not TOML, or has unknown keys.
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


def is_file(path: Path) -> bool:
    """Return whether there is a file; False if its directory may not be read."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_sources(
    table: Mapping[str, Any], environ: Mapping[str, str], upstreams: Mapping[str, Upstream]
) -> list[SourceSettings]:
    """Return the sources of a file's table.

    Raises:
        SettingsError: one does not fit, or reads a secret from a variable that is not set.
    """
    path = table.get("path")
    sources = table.get("sources", {})
    if not isinstance(sources, dict):
        raise SettingsError(f"{path}: sources must be tables such as [sources.prod]")
    named = cast("dict[str, Any]", sources)
    return [
        _read_source(name, keys, f"[sources.{quote_unless_word(name, 60)}] of {path}", environ, upstreams)
        for name, keys in named.items()
    ]


def _read_source(
    name: str, keys: Any, where: str, environ: Mapping[str, str], upstreams: Mapping[str, Upstream]
) -> SourceSettings:
    if not isinstance(keys, dict):
        raise SettingsError(f"{where} must be a table")
    row: dict[str, Any] = {**keys, "name": name, "origin": where}
    kind = row.pop("kind", None)
    upstream = upstreams.get(kind) if isinstance(kind, str) else None
    if upstream is None:
        found = "is missing" if kind is None else f"is {quote_value(kind)}"
        raise SettingsError(f"{where}: kind {found}; give one of {', '.join(upstreams)}")
    source = validate_settings(
        upstream.settings, _fill_secrets(row, upstream.settings.secrets, environ, where), where
    )
    if source.missing:
        raise SettingsError(f"{where} has no {source.missing}")
    return source


def _fill_secrets(
    row: Mapping[str, Any], secrets: Collection[str], environ: Mapping[str, str], where: str
) -> dict[str, Any]:
    """Replace each key `SECRET_env` by the value of the environment variable it names."""
    filled = dict(row)
    for key in secrets:
        variable = filled.pop(f"{key}_env", None)
        if variable is None:
            continue
        if not environ.get(str(variable), "").strip():
            raise SettingsError(f"{where} reads {key} from ${variable}, which is not set")
        filled[key] = environ[str(variable)]
    return filled
