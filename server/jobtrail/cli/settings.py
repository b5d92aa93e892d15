"""Settings as commands read them: logging is set up by them."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from jobtrail.settings import load

if TYPE_CHECKING:
    from jobtrail.settings import Settings


def load_settings() -> Settings:
    """Read all settings, and set up logging by them."""
    settings = load()
    # Before the SDK sets up the root logger: stdout belongs to the protocol under stdio.
    logging.basicConfig(
        level=settings.log_level,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        force=True,
    )
    for name in ("httpx2", "httpcore2"):
        # They log addresses and headers, which may hold credentials.
        logging.getLogger(name).setLevel(logging.WARNING)
    # A retry that helps is nobody's concern; one that does not is the answer's.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    return settings
