"""What manifest.json, server.json and docs/acceptance.md repeat of the code; run as a program, it writes them anew.

After a tool, a prompt, a setting or the version changed: `python -m tests.distribution.listing`.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import jobtrail
from jobtrail.protocol.prompts import load_prompts
from jobtrail.sources.registry import ENVIRONMENT
from jobtrail.tools import TOOLS
from tests.peers.conformance import tables

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "manifest.json"
SERVER = ROOT / "server.json"
ACCEPTANCE = ROOT / "docs" / "acceptance.md"

# Settings of `jobtrail record` and of the HTTP transports: nothing that a client over stdio sets.
NOT_FOR_CLIENTS = {
    "JOBTRAIL_JOB",
    "JOBTRAIL_EXECUTION",
    "JOBTRAIL_OUTER_TASK",
    "JOBTRAIL_AUTH_TOKEN",
    "JOBTRAIL_ALLOWED_HOSTS",
}
SECRETS = {"BL_API_KEY", "BL_CLIENT_CREDENTIALS", "RUNWISP_PASSWORD", "RUNWISP_TOKEN"}
FILES = {"JOBTRAIL_CONFIG", "JOBTRAIL_STORE", "RUNWISP_SOCKET"}


def read(path: Path) -> dict[str, Any]:
    """Return a file's JSON object."""
    return json.loads(path.read_text(encoding="utf-8"))


def listed_in_manifest() -> dict[str, Any]:
    """Return the version, tools and prompts, as the manifest lists them."""
    return {
        "version": jobtrail.__version__,
        "tools": [{"name": spec.fn.__name__, "description": _first_paragraph(spec.fn)} for spec in TOOLS],
        "prompts": [
            {
                "name": prompt.name,
                "description": prompt.description,
                "arguments": [argument.name for argument in prompt.arguments],
                "text": re.sub(r"\{\{(\w+)\}\}", r"${arguments.\1}", prompt.text),
            }
            for prompt in load_prompts()
        ],
    }


def listed_in_server() -> dict[str, Any]:
    """Return the version and the package with its environment variables, as the registry's file lists them."""
    return {
        "version": jobtrail.__version__,
        "packages": [
            {
                "registryType": "pypi",
                "identifier": "jobtrail",
                "version": jobtrail.__version__,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "packageArguments": [{"type": "positional", "value": "serve"}],
                "environmentVariables": [
                    _variable(name, meaning) for name, meaning in ENVIRONMENT.items() if name not in NOT_FOR_CLIENTS
                ],
            }
        ],
    }


def _variable(name: str, meaning: str) -> dict[str, Any]:
    variable: dict[str, Any] = {"name": name, "description": meaning, "isRequired": False}
    if name in SECRETS:
        variable["isSecret"] = True
    if name in FILES:
        variable["format"] = "filepath"
    return variable


def _first_paragraph(documented: object) -> str:
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())


def with_tables(page: str) -> str:
    """Return the page with the tables of the conformance suite between its marks."""
    begin, end = "<!-- from tests/peers/conformance.py -->\n\n", "\n\n<!-- end -->"
    before, _, rest = page.partition(begin)
    return before + begin + tables() + end + rest.partition(end)[2]


def main() -> None:
    """Write the files anew."""
    ACCEPTANCE.write_text(with_tables(ACCEPTANCE.read_text(encoding="utf-8")), encoding="utf-8")
    for path, listed in ((MANIFEST, listed_in_manifest()), (SERVER, listed_in_server())):
        path.write_text(json.dumps({**read(path), **listed}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
