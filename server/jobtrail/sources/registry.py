"""Lists the kinds of upstream; a new kind needs a package in `sources` and a line in this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.settings import OWN_VARIABLES, load
from jobtrail.sources.blaxel import registration as blaxel
from jobtrail.sources.embedded import registration as embedded
from jobtrail.sources.runwisp import registration as runwisp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jobtrail.settings import Settings, Upstream

UPSTREAMS: Mapping[str, Upstream] = {one.kind: one for one in (blaxel.UPSTREAM, runwisp.UPSTREAM, embedded.UPSTREAM)}
"""By the name of the kind."""

ENVIRONMENT: Mapping[str, str] = {
    name: meaning for one in UPSTREAMS.values() for name, meaning in one.variables.items()
} | OWN_VARIABLES
"""Every environment variable that is read, and what it is for."""


def load_settings(environ: Mapping[str, str] | None = None, home: Path | None = None) -> Settings:
    """Read all settings; with no source configured there is the embedded one.

    Args:
        environ: environment variables; the process's own unless given.
        home: the home directory; the user's unless given.

    Raises:
        SettingsError: a file cannot be read, a key is unknown, a value is out of range.
    """
    return load(UPSTREAMS, embedded.DEFAULT, environ, home)
