"""Names for the shell's Tab key: those the settings tell at once, and those that sources are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.errors import SettingsError
from jobtrail.sources.registry import ENVIRONMENT, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


def find_names(what: str, begun: str, known: Mapping[str, str], found: list[str], *, own: bool) -> None:
    """Add names to `found` as they come in.

    Args:
        what: a kind of thing, such as `job`.
        begun: what the names begin with.
        known: arguments given before it.
        found: the names.
        own: only those in the store of one's own, without its sample.
    """
    if what == "variable":
        found += ENVIRONMENT
        return
    try:
        settings = load_settings()
    except SettingsError:
        return
    if what == "source":
        found += [one.name for one in settings.sources]
        return
    asked = [one for one in settings.sources if known.get("source") in {None, one.name}]
    asked = [one for one in asked if not own or one.reads_store]
    if settings.store is not None and not settings.store.exists() and any(one.reads_store for one in asked):
        found += () if own else _sample_names(what)
        asked = [one for one in asked if not one.reads_store]
    if asked:
        from jobtrail.cli.live_names import look_up  # noqa: PLC0415 # a Tab has 0.6 s, and this takes 0.1 s

        look_up(settings, [one.name for one in asked], what, begun, known, found)


def _sample_names(what: str) -> list[str]:
    """Return the names of the sample, which takes longer to make than anybody waits for a Tab."""
    from jobtrail.sample.batch_jobs import SAMPLE_JOBS  # noqa: PLC0415 # as above
    from jobtrail.sample.scheduled_tasks import SAMPLE_TASKS  # noqa: PLC0415 # as above

    scheduled = [one.name for one in SAMPLE_TASKS]
    return {"job": [*(one.name for one in SAMPLE_JOBS), *scheduled], "task": scheduled}.get(what, [])
