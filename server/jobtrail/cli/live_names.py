"""Names that the configured sources have at this moment, for the shell's Tab key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from jobtrail.completing import Completing
from jobtrail.errors import SettingsError
from jobtrail.plane.sample_data import BATCH_JOBS
from jobtrail.plane.sample_tasks import SCHEDULED
from jobtrail.settings import ENVIRONMENT, load
from jobtrail.sources import open_sources
from jobtrail.window import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jobtrail.settings import Settings


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
        settings = load()
    except SettingsError:
        return
    if what == "source":
        found += [one.name for one in settings.sources]
        return
    asked = [one for one in settings.sources if known.get("source") in {None, one.name}]
    asked = [one for one in asked if not own or one.kind == "embedded"]
    if settings.store is not None and not settings.store.exists() and any(one.kind == "embedded" for one in asked):
        # The sample takes longer to make than anybody waits for a Tab.
        found += () if own else _of_sample(what)
        asked = [one for one in asked if one.kind != "embedded"]
    if asked:
        _look(settings, [one.name for one in asked], what, begun, known, found)


def _of_sample(what: str) -> list[str]:
    scheduled = [one.name for one in SCHEDULED]
    return {"job": [*(one.name for one in BATCH_JOBS), *scheduled], "task": scheduled}.get(what, [])


def _look(
    settings: Settings, names: Iterable[str], what: str, begun: str, known: Mapping[str, str], found: list[str]
) -> None:
    """Ask each source for itself, so that a slow one does not keep the others' names back."""

    async def look() -> None:
        async with anyio.create_task_group() as group:
            completing = Completing(open_sources(settings), Clock(), group)

            async def of(name: str) -> None:
                found.extend((await completing.complete(what, begun, {**known, "source": name})).values)

            for name in names:
                group.start_soon(of, name)

    anyio.run(look)
