"""Registers the embedded plane as a kind of source, whose only setting is its name."""

from __future__ import annotations

from typing import ClassVar

from jobtrail.settings import SourceSettings, Upstream


class EmbeddedSettings(SourceSettings):
    """The embedded plane as a source."""

    kind: ClassVar[str] = "embedded"
    reads_store: ClassVar[bool] = True


DEFAULT = EmbeddedSettings(name="embedded", origin="the default")

UPSTREAM = Upstream(
    settings=EmbeddedSettings,
    opener="jobtrail.sources.embedded.source:open_source",
    label="sample data or what is recorded here",
    offers=frozenset({"executions", "runs"}),
)
