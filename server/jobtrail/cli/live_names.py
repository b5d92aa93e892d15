"""Names that sources have at this moment, for the shell's Tab key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from jobtrail.protocol.completion import NameCompleter
from jobtrail.sources import open_sources
from jobtrail.window import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jobtrail.settings import Settings


def look_up(
    settings: Settings, names: Iterable[str], what: str, begun: str, known: Mapping[str, str], found: list[str]
) -> None:
    """Ask each source for itself, so that a slow one does not keep the others' names back."""

    async def look() -> None:
        async with anyio.create_task_group() as group:
            completing = NameCompleter(open_sources(settings), Clock(), group)

            async def of(name: str) -> None:
                found.extend((await completing.complete(what, begun, {**known, "source": name})).values)

            for name in names:
                group.start_soon(of, name)

    anyio.run(look)
