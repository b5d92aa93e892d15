"""Every setting, named once: environment variables, the TOML file, Blaxel's own config file.

Environment variables serve the common case of one source of each kind; the file serves several.
Nothing configured means the embedded plane. See the tables in README.md.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from jobtrail.errors import SettingsError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BLAXEL_URL", "ENVIRONMENT", "RUNWISP_URL", "Settings", "SourceSettings", "load", "store_path"]

BLAXEL_URL = "https://api.blaxel.ai/v0"
RUNWISP_URL = "http://127.0.0.1:9477"

ENVIRONMENT = {
    "BL_API_KEY": "Blaxel API key",
    "BL_CLIENT_CREDENTIALS": "Blaxel client credentials, base64 of id:secret",
    "BL_WORKSPACE": "Blaxel workspace; overrides the one in ~/.blaxel/config.yaml",
    "BL_API_URL": f"Blaxel API address (default {BLAXEL_URL})",
    "RUNWISP_URL": f"RunWisp daemon address (default {RUNWISP_URL} once another RUNWISP_ variable is set)",
    "RUNWISP_SOCKET": "RunWisp Unix socket (DATA/runwisp.sock); needs no login",
    "RUNWISP_PASSWORD": "RunWisp password, for log-in by challenge and response",
    "RUNWISP_TOKEN": "RunWisp bearer token",
    "JOBTRAIL_CONFIG": "TOML file with several sources (default: jobtrail/config.toml where the platform keeps such)",
    "JOBTRAIL_SOURCE": "name of the default source (default: the first configured)",
    "JOBTRAIL_STORE": "the embedded store's file (default: jobtrail/store.db where the platform keeps data)",
    "JOBTRAIL_JOB": "job of `jobtrail record` where it gets no --job; set for what a recorder runs",
    "JOBTRAIL_EXECUTION": "execution that a `jobtrail record` without --job joins; set for what a recorder runs",
    "JOBTRAIL_TZ": "IANA zone in which times without a zone are taken (default UTC)",
    "JOBTRAIL_AUTH_TOKEN": "bearer token that HTTP clients must send; required off loopback",
    "JOBTRAIL_ALLOWED_HOSTS": "comma list of further Host values that HTTP accepts, such as jobs.example:8080",
    "JOBTRAIL_LOG_LEVEL": "DEBUG, INFO, WARNING or ERROR, to stderr (default WARNING)",
}


_BLAXEL_SECRETS = {"api_key": "BL_API_KEY", "client_credentials": "BL_CLIENT_CREDENTIALS"}
# A bundle's setting that nobody filled in: Claude Desktop passes the placeholder of the manifest on as it stands.
_LEFT_OPEN = re.compile(r"\s*\$\{user_config\.[^}]*\}\s*")
# What a client should have filled in from a variable that it does not have.
_NOT_FILLED_IN = re.compile(r"\s*\$\{(env:|input:)?[A-Za-z_][\w-]*\}\s*")


def _blank_to_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _trimmed(value: Any) -> Any:
    """Drop the spaces and line ends that pasting and secret files leave around a value."""
    return _blank_to_none(value.strip() if isinstance(value, str) else value)


def _an_address(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or re.search(r"\s", value):
        raise ValueError("give an address such as https://host:port/path")
    return value


def _fits_a_header(value: str | SecretStr | None) -> Any:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
    if not (text.isascii() and text.isprintable()):
        raise ValueError("there are characters in it that no HTTP header may carry; was it copied in full?")
    return value


M = TypeVar("M", bound=BaseModel)
Text = Annotated[str | None, BeforeValidator(_trimmed)]
Password = Annotated[SecretStr | None, BeforeValidator(_blank_to_none)]
Secret = Annotated[SecretStr | None, BeforeValidator(_trimmed), AfterValidator(_fits_a_header)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SourceSettings(_Frozen):
    """One source. Which keys matter depends on `kind`.

    Attributes:
        origin: where it was configured, for error messages.
        api_key_env, password_env, token_env, client_credentials_env: names of environment variables
            to read a secret from, so that the file need not hold it.
    """

    name: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_.-]+$")
    kind: Literal["blaxel", "runwisp", "embedded"]
    origin: str = ""
    # Not shown: an address may hold a user name and a password.
    url: Annotated[Text, AfterValidator(_an_address)] = Field(default=None, repr=False)
    workspace: Annotated[Text, AfterValidator(_fits_a_header)] = None
    api_key: Secret = None
    api_key_env: Text = None
    client_credentials: Secret = None
    client_credentials_env: Text = None
    access_token: Secret = None
    refresh_token: Secret = None
    device_code: Secret = None
    socket: Text = None
    password: Password = None
    password_env: Text = None
    token: Secret = None
    token_env: Text = None


class Settings(_Frozen):
    """All settings of a process."""

    sources: tuple[SourceSettings, ...]
    default: str
    timezone: str = "UTC"
    # None for no store at all: the embedded plane shows the sample.
    store: Path | None = None
    auth_token: Secret = None
    allowed_hosts: tuple[str, ...] = ()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"

    def zone(self) -> ZoneInfo:
        """Return the zone of naive times."""
        return ZoneInfo(self.timezone)


def load(environ: Mapping[str, str] | None = None, home: Path | None = None) -> Settings:
    """Read all settings.

    Args:
        environ: environment variables; the process's own unless given.
        home: the home directory with `.blaxel/config.yaml`; the user's unless given.

    Raises:
        SettingsError: a file cannot be read, a key is unknown, a value is out of range.
    """
    environ = os.environ if environ is None else environ
    given = _given(environ)
    table = _file(given.get("JOBTRAIL_CONFIG"))
    sources = _sources(given, environ, table, home or _home())
    default = given.get("JOBTRAIL_SOURCE") or table.get("default") or sources[0].name
    names = [source.name for source in sources]
    if default not in names:
        raise SettingsError(f"the default source {shown(default)} is not configured; configured: {', '.join(names)}")
    timezone = given.get("JOBTRAIL_TZ") or table.get("timezone") or "UTC"
    _check_zone(timezone, "JOBTRAIL_TZ" if "JOBTRAIL_TZ" in given else f"timezone of {table.get('path')}")
    return _validated(
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

    named = _given(os.environ if environ is None else environ).get("JOBTRAIL_STORE", "").strip()
    try:
        return Path(named or platformdirs.user_data_path("jobtrail") / "store.db").expanduser().absolute()
    except RuntimeError:
        raise SettingsError("there is no home directory for the store; set JOBTRAIL_STORE to a file") from None


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    """Return our variables that hold something: a blank one is not set, nor is one that a bundle's host left open.

    Raises:
        SettingsError: one is the name of another variable, which a client did not fill in.
    """
    given = {
        key: value
        for key, value in environ.items()
        if key in ENVIRONMENT and value.strip() and not _LEFT_OPEN.fullmatch(value)
    }
    for key, value in given.items():
        if _NOT_FILLED_IN.fullmatch(value):
            raise SettingsError(
                f"{key} is {shown(value)}, which the client that started Jobtrail did not fill in; set that variable "
                "where the client is started, or write the value into its configuration"
            )
    return given


def _home() -> Path:
    """Return the home directory; one without files for a user who has none, as in some containers."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


def _is_file(path: Path) -> bool:
    """Return whether there is a file; one behind a closed door is not there."""
    try:
        return path.is_file()
    except OSError:
        return False


def _sources(
    given: Mapping[str, str], environ: Mapping[str, str], table: Mapping[str, Any], home: Path
) -> tuple[SourceSettings, ...]:
    found: dict[str, SourceSettings] = {}
    for source in (_blaxel(given, home), _runwisp(given), *_tables(table, environ)):
        if source is not None:
            found.setdefault(source.name, source)
    if not found:
        found["embedded"] = SourceSettings(name="embedded", kind="embedded", origin="the default")
    return tuple(found.values())


def _blaxel(given: Mapping[str, str], home: Path) -> SourceSettings | None:
    """Read the Blaxel source of the environment: API key, then client credentials, then the CLI's file."""
    path = home / ".blaxel" / "config.yaml"
    named = [key for key in given if key.startswith("BL_")]
    if not named and not _is_file(path):
        return None
    keys: dict[str, Any] = {"url": given.get("BL_API_URL"), "workspace": given.get("BL_WORKSPACE")}
    if "BL_API_KEY" in given:
        keys["api_key"] = given["BL_API_KEY"]
    elif "BL_CLIENT_CREDENTIALS" in given:
        keys["client_credentials"] = given["BL_CLIENT_CREDENTIALS"]
    elif _is_file(path):
        found = _cli_file(path, given.get("BL_WORKSPACE"))
        if not found and not named:
            return None
        keys = {**keys, **found}
    origin = "BL_API_KEY, BL_CLIENT_CREDENTIALS or `bl login`, and BL_WORKSPACE"
    if "BL_API_URL" not in given and not any(
        keys.get(key) for key in ("api_key", "client_credentials", "access_token")
    ):
        raise SettingsError(f"{' and '.join(named) or path} is set, but no Blaxel credentials are; set {origin}")
    variables = {"url": "BL_API_URL", "workspace": "BL_WORKSPACE"}
    variables |= {key: name for key, name in _BLAXEL_SECRETS.items() if name in given}
    where = f"BL_API_URL, {origin}" if "BL_API_URL" in given else origin
    fields = {"name": "blaxel", "kind": "blaxel", "origin": where, **keys}
    return _validated(SourceSettings, fields, str(path), variables)


def _cli_file(path: Path, workspace: str | None) -> dict[str, Any]:
    """Read the file that `bl login` writes, nothing where nobody is logged in.

    The CLI and the Python SDK spell client credentials differently.
    """
    import yaml  # noqa: PLC0415 # only where the file is there

    try:
        body: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        context: dict[str, Any] = body.get("context") or {}
        wanted: Any = workspace or context.get("workspace")
        entries = cast("list[dict[str, Any]]", body.get("workspaces") or [])
        entry = next((one for one in entries if one.get("name") == wanted), None)
        credentials = dict((entry or {}).get("credentials") or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read ({type(error).__name__}); run `bl login` again") from None
    if not entries:
        return {}
    if entry is None:
        raise SettingsError(f"{path} has no workspace {shown(wanted)}; set BL_WORKSPACE or run `bl login`")
    if credentials.get("apiKey"):
        return {"workspace": wanted, "api_key": credentials["apiKey"]}
    both = credentials.get("client_credentials") or credentials.get("clientCredentials")
    if both:
        return {"workspace": wanted, "client_credentials": both}
    return {
        "workspace": wanted,
        **{key: credentials.get(key) for key in ("access_token", "refresh_token", "device_code")},
    }


def _runwisp(given: Mapping[str, str]) -> SourceSettings | None:
    if not any(key.startswith("RUNWISP_") for key in given):
        return None
    names = ("url", "socket", "password", "token")
    keys = {name: given.get(f"RUNWISP_{name.upper()}") for name in names}
    origin = "RUNWISP_URL or RUNWISP_SOCKET, and RUNWISP_PASSWORD or RUNWISP_TOKEN"
    fields = {"name": "runwisp", "kind": "runwisp", "origin": origin, **keys}
    return _validated(SourceSettings, fields, "RunWisp", {name: f"RUNWISP_{name.upper()}" for name in names})


def _file(named: str | None) -> dict[str, Any]:
    import platformdirs  # noqa: PLC0415 # not before it is needed

    try:
        path = Path(named or platformdirs.user_config_path("jobtrail") / "config.toml").expanduser()
    except RuntimeError:
        # No home directory: without a name that is the same as no file.
        if named:
            raise SettingsError(f"{named} cannot be read (no such user); check JOBTRAIL_CONFIG") from None
        return {}
    if not named and not _is_file(path):
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


def _tables(table: Mapping[str, Any], environ: Mapping[str, str]) -> list[SourceSettings]:
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
        found.append(_validated(SourceSettings, _with_secrets(row, environ, where), where))
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


def _check_zone(name: str, where: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise SettingsError(f"{where}: {shown(name)} is not an IANA zone; give one such as Europe/Berlin") from None


def _validated(
    shape: type[M], fields: Mapping[str, Any], where: str, variables: Mapping[str, str] | None = None
) -> M:
    """Return the model; what does not fit is named by its environment variable, or as a key of `where`."""
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        place = (variables or {}).get(key) or f"{where}: {key}"
        raise SettingsError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None
