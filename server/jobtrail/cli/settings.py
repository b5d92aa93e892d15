"""Load the settings of a command, and set up logging by them."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from jobtrail.sources.registry import load_settings
from jobtrail.text import sanitize_text

if TYPE_CHECKING:
    from jobtrail.settings import Settings

_LONGEST_LINE = 1_000


class LineFormatter(logging.Formatter):
    """Writes a message as one safe line: other people's code logs what strangers send as it comes."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # its name
        """Return the line; a traceback follows it."""
        return sanitize_text(super().formatMessage(record), _LONGEST_LINE)


def load_command_settings() -> Settings:
    """Read all settings, and set up logging by them."""
    settings = load_settings()
    # Before the SDK sets up the root logger: stdout belongs to the protocol under stdio.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for name in ("httpx2", "httpcore2"):
        # They log addresses and headers, which may have credentials in them.
        logging.getLogger(name).setLevel(logging.WARNING)
    # Retries are not worth a log line: if they fail, the answer says so.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    return settings
