"""Find names that complete an argument: from the settings, from the sample, or by asking the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.errors import SettingsError
from jobtrail.sample.batch_job_definitions import SAMPLE_JOBS
from jobtrail.sample.scheduled_task_definitions import SAMPLE_TASKS
from jobtrail.sources.registry import ENVIRONMENT, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobtrail.settings import Settings, SourceSettings


def find_names(what: str, begun: str, known: Mapping[str, str], found: list[str], *, own: bool) -> None:
    """Find names, and add them to a list as they come in.

    Args:
        what: the kind of name: `variable`, `source`, or an argument that sources complete, such as `job`.
        begun: the first characters of the names.
        known: the arguments that were given before, by name.
        found: the list to add names to.
        own: whether to read only this machine's store, without the sample.
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
    chosen = [one for one in settings.sources if known.get("source") in {None, one.name}]
    chosen = [one for one in chosen if not own or one.reads_store]
    if settings.store is not None and not settings.store.exists() and any(one.reads_store for one in chosen):
        found += () if own else _list_sample_names(what)
        chosen = [one for one in chosen if not one.reads_store]
    if chosen:
        import anyio  # noqa: PLC0415 # a shell waits 0.6 s; only names of live sources need these

        anyio.run(_ask_sources, settings, chosen, what, begun, known, found)


def _list_sample_names(what: str) -> list[str]:
    """Return the names in the sample, without loading SQLite and the plane."""
    scheduled = [one.name for one in SAMPLE_TASKS]
    return {"job": [*(one.name for one in SAMPLE_JOBS), *scheduled], "scheduled": scheduled}.get(what, [])


async def _ask_sources(
    settings: Settings,
    chosen: Sequence[SourceSettings],
    what: str,
    begun: str,
    known: Mapping[str, str],
    found: list[str],
) -> None:
    """Ask the sources at the same time, so that a slow one does not delay the others' names."""
    import anyio  # noqa: PLC0415 # as above

    from jobtrail.protocol.completion import NameCompleter  # noqa: PLC0415 # as above
    from jobtrail.sources import open_sources  # noqa: PLC0415 # as above
    from jobtrail.window import Clock  # noqa: PLC0415 # as above

    async with anyio.create_task_group() as group:
        completing = NameCompleter(open_sources(settings), Clock(), group)

        async def ask(name: str) -> None:
            found.extend((await completing.complete(what, begun, {**known, "source": name})).values)

        for one in chosen:
            group.start_soon(ask, one.name)
