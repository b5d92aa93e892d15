"""What settings look like once they are read: frozen, checked, secrets unseen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from jobtrail.errors import SettingsError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Settings", "SourceSettings", "check_zone", "validated"]


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


def check_zone(name: str, where: str) -> None:
    """Check that a zone is one.

    Raises:
        SettingsError: it is not; `where` is where it was named.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise SettingsError(f"{where}: {shown(name)} is not an IANA zone; give one such as Europe/Berlin") from None


def validated(shape: type[M], fields: Mapping[str, Any], where: str, variables: Mapping[str, str] | None = None) -> M:
    """Return the model; what does not fit is named by its environment variable, or as a key of `where`.

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
