"""How a Blaxel workspace is configured; and the log-in of Blaxel's command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from pydantic import AfterValidator, Field

from jobtrail.errors import SettingsError
from jobtrail.settings import (
    Address,
    Secret,
    SourceSettings,
    Text,
    Upstream,
    check_header_value,
    format_address,
    is_file,
    validate_settings,
)
from jobtrail.text import quote_value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_URL = "https://api.blaxel.ai/v0"
_ORIGIN = "BL_API_KEY, BL_CLIENT_CREDENTIALS or `bl login`, and BL_WORKSPACE"


class BlaxelSettings(SourceSettings):
    """A workspace."""

    kind: ClassVar[str] = "blaxel"
    secrets: ClassVar[tuple[str, ...]] = ("api_key", "client_credentials")

    url: Annotated[Address, Field(repr=False)] = None
    workspace: Annotated[Text, AfterValidator(check_header_value)] = None
    api_key: Secret = None
    client_credentials: Secret = None
    access_token: Secret = None
    refresh_token: Secret = None
    device_code: Secret = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """Its address and workspace."""
        return self.url or "", "", self.workspace or ""

    @property
    def address(self) -> str:
        """Where it is."""
        return format_address(self.url or DEFAULT_URL)

    @property
    def credentials(self) -> str:
        """The kind of credentials that requests carry."""
        given = {
            "API key": self.api_key,
            "client credentials": self.client_credentials,
            "log-in of the Blaxel command line": self.access_token,
        }
        return next((word for word, value in given.items() if value), "")

    @property
    def missing(self) -> str:
        """What the vendor's own address needs."""
        return "" if self.url or self.credentials else "credentials; give api_key_env or client_credentials_env"


def _from_environment(given: Mapping[str, str], home: Path) -> BlaxelSettings | None:
    """Read the workspace of the environment: API key, then client credentials, then the command line's file."""
    path = home / ".blaxel" / "config.yaml"
    named = [name for name in given if name in UPSTREAM.variables]
    if not named and not is_file(path):
        return None
    variables = {"url": "BL_API_URL", "workspace": "BL_WORKSPACE"}
    fields: dict[str, Any] = {key: given.get(name) for key, name in variables.items()}
    if "BL_API_KEY" in given:
        variables["api_key"] = "BL_API_KEY"
    elif "BL_CLIENT_CREDENTIALS" in given:
        variables["client_credentials"] = "BL_CLIENT_CREDENTIALS"
    elif is_file(path):
        found = _read_login(path, given.get("BL_WORKSPACE"))
        if not found and not named:
            return None
        fields |= found
    fields |= {key: given[name] for key, name in variables.items() if name in given}
    origin = f"BL_API_URL, {_ORIGIN}" if "BL_API_URL" in given else _ORIGIN
    source = validate_settings(BlaxelSettings, {"name": "blaxel", "origin": origin, **fields}, str(path), variables)
    if source.missing:
        raise SettingsError(f"{' and '.join(named) or path} is set, but no Blaxel credentials are; set {_ORIGIN}")
    return source


def _read_login(path: Path, workspace: str | None) -> dict[str, Any]:
    """Read the file that `bl login` writes, nothing where nobody is logged in.

    The command line and the Python SDK spell client credentials differently.
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
        raise SettingsError(f"{path} has no workspace {quote_value(wanted)}; set BL_WORKSPACE or run `bl login`")
    if credentials.get("apiKey"):
        return {"workspace": wanted, "api_key": credentials["apiKey"]}
    both = credentials.get("client_credentials") or credentials.get("clientCredentials")
    if both:
        return {"workspace": wanted, "client_credentials": both}
    tokens = ("access_token", "refresh_token", "device_code")
    return {"workspace": wanted, **{key: credentials.get(key) for key in tokens}}


UPSTREAM = Upstream(
    settings=BlaxelSettings,
    opener="jobtrail.sources.blaxel.source:open_source",
    label="blaxel",
    offers=frozenset({"executions"}),
    variables={
        "BL_API_KEY": "Blaxel API key",
        "BL_CLIENT_CREDENTIALS": "Blaxel client credentials, base64 of id:secret",
        "BL_WORKSPACE": "Blaxel workspace; overrides the one in ~/.blaxel/config.yaml",
        "BL_API_URL": f"Blaxel API address (default {DEFAULT_URL})",
    },
    plane_variable="BL_API_URL={url}/v0",
    from_environment=_from_environment,
)
