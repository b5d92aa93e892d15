"""The image is built where a Docker engine answers; elsewhere the summary says that it was not."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ENGINE_SECONDS = 10


def engine_answers() -> bool:
    """Return whether there is a Docker engine for `docker` to talk to."""
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=ENGINE_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


collect_ignore = [] if engine_answers() else ["test_image.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out."""
    if collect_ignore:
        terminalreporter.write_line("tests/distribution/test_image.py was left out: no Docker engine answers")
