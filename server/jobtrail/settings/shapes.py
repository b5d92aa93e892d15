"""Models of settings: frozen, validated, with secrets hidden."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from jobtrail.errors import SettingsError
from jobtrail.text import quote_value

if TYPE_CHECKING:
    from collections.abc import Mapping


def _blank_to_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _strip(value: Any) -> Any:
    """Drop blanks and line ends around a value, which pasting and secret files add."""
    return _blank_to_none(value.strip() if isinstance(value, str) else value)


def _check_address(value: str | None) -> str | None:
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


def check_header_value(value: str | SecretStr | None) -> Any:
    """Check that a value can be sent as a header."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
    if not (text.isascii() and text.isprintable()):
        raise ValueError("there are characters in it that no HTTP header may carry; was it copied in full?")
    return value


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() in {"localhost", "localhost."}
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


M = TypeVar("M", bound=BaseModel)
Text = Annotated[str | None, BeforeValidator(_strip)]
Address = Annotated[Text, AfterValidator(_check_address)]
Password = Annotated[SecretStr | None, BeforeValidator(_blank_to_none)]
Secret = Annotated[SecretStr | None, BeforeValidator(_strip), AfterValidator(check_header_value)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SourceSettings(_Frozen):
    """One source; each kind of upstream adds what it takes.

    Attributes:
        kind: of upstream.
        secrets: fields that a settings file can take from an environment variable instead, by a key `FIELD_env`.
        reads_store: whether it answers from the store of this machine, and is not asked over a network.
        origin: where it was configured, for error messages.
    """

    kind: ClassVar[str]
    secrets: ClassVar[tuple[str, ...]] = ()
    reads_store: ClassVar[bool] = False

    name: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_.-]+$")
    origin: str = ""

    @property
    def subject(self) -> str:
        """How an error names it."""
        return f"source {self.name!r}"

    @property
    def settings_advice(self) -> str:
        """Which settings to check, as errors say it."""
        return f"check {self.origin}"

    @property
    def identity(self) -> tuple[str, str, str]:
        """Its address, socket and workspace, or empty texts; a cursor is valid only for the same ones."""
        return "", "", ""

    @property
    def address(self) -> str:
        """Its address, without user name and password; empty if it is in this process."""
        return ""

    @property
    def credentials(self) -> str:
        """The kind of credentials that requests carry; empty for none."""
        return ""

    @property
    def missing(self) -> str:
        """The setting that is missing, and how to give it; empty if none is."""
        return ""


def format_address(url: str) -> str:
    """Return a URL without path, user name and password."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}" + (f":{parts.port}" if parts.port else "")


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
        """Return the time zone for times without one."""
        return ZoneInfo(self.timezone)


def check_time_zone(name: str, where: str) -> None:
    """Check the name of a time zone.

    Raises:
        SettingsError: there is no such zone; the error begins with `where`.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise SettingsError(
            f"{where}: {quote_value(name)} is not an IANA zone; give one such as Europe/Berlin"
        ) from None


def validate_settings(
    shape: type[M], fields: Mapping[str, Any], where: str, variables: Mapping[str, str] | None = None
) -> M:
    """Return the fields as a model; an error names the environment variable, or the key in `where`.

    Raises:
        SettingsError: something does not fit.
    """
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        place = (variables or {}).get(key) or f"{where}: {key}"
        raise SettingsError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None
