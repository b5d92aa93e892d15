"""What the board is looked at with: Chromium, and a host made of the official packages; or why there is none.

Playwright is loaded only where a browser starts, so that the tests can be collected without it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Browser, Locator
    from playwright.sync_api._generated import LocatorAssertions

__all__ = ["ARTIFACTS", "HOST", "axe", "bundle", "expect", "start_chromium"]

HOST = Path(__file__).parent / "host"
ARTIFACTS = Path(os.environ.get("JOBTRAIL_TEST_ARTIFACTS") or Path(__file__).parent / "artifacts")
CACHE = Path(__file__).parents[1] / ".cache" / "board"
PACKAGES = (
    "@modelcontextprotocol/ext-apps@2.0.4",
    "@modelcontextprotocol/client@2.4.0",
    "esbuild@0.28.2",
    "axe-core@4.14.1",
)
FLAGS = (
    # Without these Chromium looks up hosts of its own at every start; as root it has no sandbox of its own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SECONDS = 180
PATIENCE_MS = 30_000


class BrowserMissing(Exception):
    """No Chromium, or no host to show the board in."""


@contextmanager
def start_chromium() -> Generator[Browser]:
    """Start Chromium headless, and stop it at the end."""
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 # only where a browser starts

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise BrowserMissing("no chromium on PATH")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        yield browser
        browser.close()


def expect(locator: Locator) -> LocatorAssertions:
    """Return Playwright's assertions about what a locator finds, which wait until they hold."""
    from playwright.sync_api import expect  # noqa: PLC0415 # only where a browser has started

    return expect(locator)


def bundle() -> bytes:
    """Return the host's script, made of the packages from npm; kept in the cache until either changes."""
    source = HOST / "host.js"
    key = hashlib.sha256(source.read_bytes() + "".join(PACKAGES).encode()).hexdigest()[:12]
    made = CACHE / f"host-{key}.js"
    if not made.is_file():
        _install()
        # Beside the packages, where they are found.
        copy = shutil.copy(source, CACHE / "host.js")
        _run("node_modules/.bin/esbuild", str(copy), "--bundle", "--format=esm", "--minify", f"--outfile={made}")
    return made.read_bytes()


def axe() -> str:
    """Return the script of axe-core, which knows the rules of accessible pages."""
    script = CACHE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        _install()
    return script.read_text(encoding="utf-8")


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise BrowserMissing(f"npm is not on PATH, so {', '.join(PACKAGES)} cannot be installed")
    CACHE.mkdir(parents=True, exist_ok=True)
    _run(
        npm, "install", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--prefix", str(CACHE), *PACKAGES
    )


def _run(*command: str) -> None:
    program = command[0] if Path(command[0]).is_absolute() else str(CACHE / command[0])
    try:
        subprocess.run(
            [program, *command[1:]], check=True, capture_output=True, text=True, timeout=SECONDS, cwd=CACHE
        )
    except subprocess.CalledProcessError as failure:
        raise BrowserMissing(f"{Path(program).name} failed: {failure.stderr[-400:]}") from failure
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise BrowserMissing(f"{Path(program).name} did not run: {failure}") from failure
