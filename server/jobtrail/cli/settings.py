"""Load the settings of a command, and set up logging by them."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from jobtrail.sources.registry import load_settings

if TYPE_CHECKING:
    from jobtrail.settings import Settings


def load_command_settings() -> Settings:
    """Read all settings, and set up logging by them."""
    settings = load_settings()
    # Before the SDK sets up the root logger: stdout belongs to the protocol under stdio.
    logging.basicConfig(
        level=settings.log_level,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        force=True,
    )
    for name in ("httpx2", "httpcore2"):
        # They log addresses and headers, which may have credentials in them.
        logging.getLogger(name).setLevel(logging.WARNING)
    # Retries are not worth a log line: if they fail, the answer says so.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    return settings
