"""The sources that environment variables stand for: one of each kind; and the log-in of Blaxel's command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from jobtrail.errors import SettingsError, shown
from jobtrail.settings.shapes import SourceSettings, validated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["blaxel_of", "is_file", "runwisp_of"]

_BLAXEL_SECRETS = {"api_key": "BL_API_KEY", "client_credentials": "BL_CLIENT_CREDENTIALS"}


def blaxel_of(given: Mapping[str, str], home: Path) -> SourceSettings | None:
    """Read the Blaxel source of the environment: API key, then client credentials, then the CLI's file."""
    path = home / ".blaxel" / "config.yaml"
    named = [key for key in given if key.startswith("BL_")]
    if not named and not is_file(path):
        return None
    keys: dict[str, Any] = {"url": given.get("BL_API_URL"), "workspace": given.get("BL_WORKSPACE")}
    if "BL_API_KEY" in given:
        keys["api_key"] = given["BL_API_KEY"]
    elif "BL_CLIENT_CREDENTIALS" in given:
        keys["client_credentials"] = given["BL_CLIENT_CREDENTIALS"]
    elif is_file(path):
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
    return validated(SourceSettings, fields, str(path), variables)


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


def runwisp_of(given: Mapping[str, str]) -> SourceSettings | None:
    """Read the RunWisp source of the environment, once any of its variables is set."""
    if not any(key.startswith("RUNWISP_") for key in given):
        return None
    names = ("url", "socket", "password", "token")
    keys = {name: given.get(f"RUNWISP_{name.upper()}") for name in names}
    origin = "RUNWISP_URL or RUNWISP_SOCKET, and RUNWISP_PASSWORD or RUNWISP_TOKEN"
    fields = {"name": "runwisp", "kind": "runwisp", "origin": origin, **keys}
    return validated(SourceSettings, fields, "RunWisp", {name: f"RUNWISP_{name.upper()}" for name in names})


def is_file(path: Path) -> bool:
    """Return whether there is a file; one behind a closed door is not there."""
    try:
        return path.is_file()
    except OSError:
        return False
