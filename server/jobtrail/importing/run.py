"""One file after another: read and check it, then bring it in whole, or not at all."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jobtrail.errors import clean, shown
from jobtrail.importing.fields import Refused
from jobtrail.importing.files import STDIN, BrokenFile, head, lines, opened
from jobtrail.importing.items import Pages, documents, parsed, told
from jobtrail.importing.runwisp import told_registration, told_run
from jobtrail.importing.stage import Stage
from jobtrail.plane.imports import Outcome, Unfit, importing
from jobtrail.plane.runwisp_db import ForeignDatabase, FoundTask, is_database, read_database
from jobtrail.plane.told import ToldDefinition, ToldExecution, ToldJob, ToldRun

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from jobtrail.plane.store import Store
    from jobtrail.plane.told import Told

__all__ = ["FileSummary", "Progress", "Summary", "import_files"]

_REPORTED = 20
_STEP = 1_000
_NOUNS = {ToldJob: "job", ToldExecution: "execution", ToldDefinition: "definition", ToldRun: "run"}


@dataclass(frozen=True)
class Progress:
    """How far a file is.

    Attributes:
        file: its name.
        doing: every line is read first, and then brought in.
        done: documents read, or items brought in.
        total: items to be brought in; None while that is being found out.
    """

    file: str
    doing: Literal["reading", "importing"]
    done: int
    total: int | None = None


@dataclass(frozen=True)
class FileSummary:
    """What became of a file.

    Attributes:
        file: its name.
        lines: how many documents it holds.
        outcomes: how many items there are by their kind and what became of them; empty where nothing was imported.
        tasks: how many tasks came with the executions that are new or were brought forward.
        refused: how many were refused; one where the file itself was.
        refusals: the first of the sentences that say why.
    """

    file: str
    lines: int
    outcomes: Mapping[tuple[str, Outcome], int]
    tasks: int
    refused: int
    refusals: tuple[str, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many items had an outcome."""
        return sum(count for (_, one), count in self.outcomes.items() if one is outcome)

    def __str__(self) -> str:
        refused = f"{self.refused:,} refused" if self.refused else ""
        if not self.outcomes:
            return f"{self.file}: nothing imported" + (f", {refused}" if refused else ", there is nothing in it")
        new = [_counted(count, noun) for (noun, one), count in sorted(self.outcomes.items()) if one is Outcome.NEW]
        parts = [f"{' and '.join(new)} imported"] if new else []
        parts += [
            f"{count:,} {outcome}"
            for outcome in (Outcome.FORWARD, Outcome.SAME, Outcome.KEPT)
            if (count := self.count(outcome))
        ]
        return f"{self.file}: {', '.join((*parts, refused) if refused else parts)}"


@dataclass(frozen=True)
class Summary:
    """What became of all files."""

    files: tuple[FileSummary, ...]

    @property
    def refused(self) -> int:
        """How many items and files were refused."""
        return sum(one.refused for one in self.files)


def import_files(
    store: Store,
    files: Sequence[Path],
    *,
    skip_refused: bool = False,
    say: Callable[[str], None],
    progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Import files, each with one transaction.

    Args:
        store: where to; whatever workspace a document names, it goes into the store's own.
        files: JSON Lines, packed by gzip or not, or RunWisp databases; `-` is standard input.
        skip_refused: import the rest of a file of which something is refused.
        say: takes each sentence for a person: the first 20 refusals of a file, and what became of it.
        progress: told now and then how far a file is.

    Raises:
        StoreError: the store cannot be written; the file it happened at left nothing behind.
    """
    return Summary(tuple(_File(store, path, say, progress).run(skip_refused=skip_refused) for path in files))


class _File:
    """The import of one file."""

    def __init__(
        self,
        store: Store,
        path: Path,
        say: Callable[[str], None],
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._store = store
        self._path = path
        self._name = "standard input" if str(path) == STDIN else clean(str(path))
        self._say = say
        self._progress = progress or _nothing
        self._pages = Pages()
        self._read = self._refused = self._tasks = 0
        self._refusals: list[str] = []
        self._outcomes: Counter[tuple[str, Outcome]] = Counter()

    def run(self, *, skip_refused: bool) -> FileSummary:
        """Import it and say what became of it."""
        with Stage(self._store.path.parent if self._store.path else None) as stage:
            whole = self._fill(stage)
            if whole and (skip_refused or not self._refused):
                self._bring(stage, skip_refused=skip_refused)
        if self._refused > len(self._refusals):
            self._say(f"{self._name}: {self._refused - len(self._refusals):,} more refused")
        summary = FileSummary(
            self._name, self._read, self._outcomes, self._tasks, self._refused, tuple(self._refusals)
        )
        self._say(str(summary))
        if self._outcomes and self._pages.rest:
            self._say(f"{self._name}: {self._pages.rest}")
        return summary

    def _refuse(self, place: str, why: object) -> None:
        self._refused += 1
        if len(self._refusals) < _REPORTED:
            self._refusals.append(f"{self._name}{f', {place}' if place else ''}: {why}")
            self._say(self._refusals[-1])

    def _fill(self, stage: Stage) -> bool:
        """Read the file and check it; return whether it could be read to its end."""
        try:
            with opened(self._path) as file:
                database = is_database(head(file)) and str(self._path) != STDIN
                found = self._rows() if database else self._documents(file)
                for place, item in found:
                    self._read += 1
                    if self._read % _STEP == 0:
                        self._progress(Progress(self._name, "reading", self._read))
                    if isinstance(item, Refused):
                        self._refuse(place, item)
                    else:
                        stage.add(place, item)
        except (BrokenFile, ForeignDatabase) as error:
            self._refuse("", error)
            return False
        return True

    def _documents(self, file: io.BufferedReader) -> Iterator[tuple[str, Told | Refused]]:
        for number, line in lines(file):
            place = f"line {number:,}"
            try:
                if isinstance(line, Refused):
                    raise line
                value = parsed(line)
            except Refused as refused:
                yield place, refused
                continue
            self._pages.see(value)
            for where, document in documents(value):
                yield f"{place}, {where}" if where else place, _or_refused(lambda one=document: told(one))

    def _rows(self) -> Iterator[tuple[str, Told | Refused]]:
        for found in read_database(self._path):
            if isinstance(found, FoundTask):
                task = found
                yield f"task {found.row:,}", _or_refused(lambda one=task: told_registration(one.name, one.seen))
            else:
                run = found
                yield f"run {found.row:,}", _or_refused(lambda one=run: told_run(one.fields, one.log))

    def _bring(self, stage: Stage, *, skip_refused: bool) -> None:
        """Bring in what was read; nothing of it where the store refuses a part and that is not to be skipped."""
        with suppress(_TakenBack), importing(self._store) as store:
            for number, (place, item) in enumerate(stage, 1):
                if number % _STEP == 0:
                    self._progress(Progress(self._name, "importing", number, stage.count))
                try:
                    self._count(item, store.bring(item))
                except Unfit as unfit:
                    self._refuse(place, _unfit(item, unfit))
            if self._refused and not skip_refused:
                raise _TakenBack
            return
        self._outcomes.clear()
        self._tasks = 0

    def _count(self, item: Told, outcome: Outcome) -> None:
        if isinstance(item, ToldDefinition) and item.body is None:
            # A bare name, which its runs have too.
            return
        self._outcomes[_NOUNS[type(item)], outcome] += 1
        if isinstance(item, ToldExecution) and outcome in {Outcome.NEW, Outcome.FORWARD}:
            self._tasks += len(item.tasks)


class _TakenBack(Exception):
    """Ends a transaction of which nothing is to stay."""


def _nothing(_progress: Progress) -> None:
    return


def _or_refused(read: Callable[[], Told]) -> Told | Refused:
    try:
        return read()
    except Refused as refused:
        return refused


def _unfit(item: Told, unfit: Unfit) -> str:
    identity = shown(item.id if isinstance(item, ToldExecution | ToldRun) else item.name)
    match unfit.why:
        case "job":
            return f"metadata.id={identity} is that of an execution of job {shown(unfit.owner)} here; ids are unique"
        case "task":
            return f"id={identity} is that of a run of task {shown(unfit.owner)} here; ids are unique"
        case "held":
            return f"metadata.id={identity} is being recorded on this machine; import it once that has ended"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
