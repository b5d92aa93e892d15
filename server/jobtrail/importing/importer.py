"""Imports files: each is read and checked first, and then written in one transaction."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jobtrail.importing.files import LONGEST_LINE, STDIN, BrokenFile, open_file, peek_start, read_lines
from jobtrail.importing.imported_rows import ExecutionSnapshot, RunSnapshot
from jobtrail.importing.parsing import PageCounts, parse_line, read_document, split_page
from jobtrail.importing.runwisp_database import (
    DatabaseTask,
    ForeignDatabase,
    is_database,
    read_database,
    read_log_tail,
)
from jobtrail.importing.runwisp_documents import build_registration, read_run
from jobtrail.importing.staging import StagingFile
from jobtrail.importing.validation import DocumentRefused
from jobtrail.store.imports import ImportConflict, ImportOutcome, open_import
from jobtrail.store.rows import DefinitionRow, JobRow, LineRow
from jobtrail.text import sanitize_text

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from jobtrail.importing.imported_rows import Snapshot
    from jobtrail.store.imports import ImportTransaction
    from jobtrail.store.store import Store

_REPORTED = 20
_STEP = 1_000
_NOUNS = {JobRow: "job", ExecutionSnapshot: "execution", DefinitionRow: "definition", RunSnapshot: "run"}


@dataclass(frozen=True)
class ImportProgress:
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
    """What an import did with a file.

    Attributes:
        file: its name.
        outcomes: how many items there are by their kind and what became of them; empty where nothing was imported.
        refused: how many were refused; one where the file itself was.
    """

    file: str
    outcomes: Mapping[tuple[str, ImportOutcome], int]
    refused: int

    def __str__(self) -> str:
        refused = f"{self.refused:,} refused" if self.refused else ""
        if not self.outcomes:
            return f"{self.file}: nothing imported, {refused or 'there is nothing in it'}"
        new = [
            f"{count:,} {noun}{'' if count == 1 else 's'}"
            for (noun, outcome), count in sorted(self.outcomes.items())
            if outcome is ImportOutcome.NEW
        ]
        parts = [f"{' and '.join(new)} imported" if new else ""]
        for wanted in (ImportOutcome.FORWARD, ImportOutcome.SAME, ImportOutcome.KEPT):
            count = sum(count for (_, outcome), count in self.outcomes.items() if outcome is wanted)
            parts.append(f"{count:,} {wanted}" if count else "")
        return f"{self.file}: {', '.join(part for part in (*parts, refused) if part)}"


def import_files(
    store: Store,
    files: Sequence[Path],
    *,
    skip_refused: bool = False,
    say: Callable[[str], None],
    progress: Callable[[ImportProgress], None] | None = None,
) -> list[FileSummary]:
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
    return [_FileImport(store, path, say, progress).run(skip_refused=skip_refused) for path in files]


class _FileImport:
    """The import of one file."""

    def __init__(
        self, store: Store, path: Path, say: Callable[[str], None], progress: Callable[[ImportProgress], None] | None
    ) -> None:
        self._store = store
        self._path = path
        self._name = "standard input" if str(path) == STDIN else sanitize_text(str(path))
        self._say = say
        self._progress = progress
        self._pages = PageCounts()
        self._refused = 0
        self._outcomes: Counter[tuple[str, ImportOutcome]] = Counter()

    def run(self, *, skip_refused: bool) -> FileSummary:
        """Import the file and report the summary."""
        with closing(StagingFile(self._store.path.parent if self._store.path else None)) as stage:
            whole = self._read(stage)
            if whole and (skip_refused or not self._refused):
                self._import_items(stage, skip_refused=skip_refused)
        if self._refused > _REPORTED:
            self._say(f"{self._name}: {self._refused - _REPORTED:,} more refused")
        summary = FileSummary(self._name, self._outcomes, self._refused)
        self._say(str(summary))
        rest = self._pages.describe_rest()
        if self._outcomes and rest:
            self._say(f"{self._name}: {rest}")
        return summary

    def _refuse(self, place: str, why: object) -> None:
        self._refused += 1
        if self._refused <= _REPORTED:
            self._say(f"{self._name}{f', {place}' if place else ''}: {why}")

    @contextmanager
    def _collect_refusals(self, place: str) -> Generator[None]:
        """Count and report a refusal that is raised inside."""
        try:
            yield
        except (DocumentRefused, ImportConflict) as error:
            self._refuse(place, error)

    def _report(self, doing: Literal["reading", "importing"], done: int, total: int | None = None) -> None:
        if self._progress and done % _STEP == 0:
            self._progress(ImportProgress(self._name, doing, done, total))

    def _read(self, stage: StagingFile) -> bool:
        """Read the file and check it; return whether it could be read to its end."""
        try:
            with open_file(self._path) as file:
                if is_database(peek_start(file)) and str(self._path) != STDIN:
                    self._read_database(stage)
                else:
                    for number, line in read_lines(file):
                        self._read_line(stage, f"line {number:,}", line)
        except (BrokenFile, ForeignDatabase) as error:
            self._refuse("", error)
            return False
        return True

    def _read_line(self, stage: StagingFile, place: str, line: bytes | None) -> None:
        with self._collect_refusals(place):
            if line is None:
                raise DocumentRefused(f"is longer than {LONGEST_LINE:,} bytes")
            value = parse_line(line)
            self._pages.add(value)
            for where, document in split_page(value):
                with self._collect_refusals(f"{place}, {where}" if where else place):
                    self._stage_item(stage, place, read_document(document))

    def _read_database(self, stage: StagingFile) -> None:
        for found in read_database(self._path):
            place = f"{'task' if isinstance(found, DatabaseTask) else 'run'} {found.row:,}"
            with self._collect_refusals(place):
                item = (
                    build_registration(found.name)
                    if isinstance(found, DatabaseTask)
                    else read_run(found.fields, found.log)
                )
                self._stage_item(stage, place, item)

    def _stage_item(self, stage: StagingFile, place: str, item: Snapshot) -> None:
        stage.add(place, item)
        self._report("reading", stage.count)

    def _import_items(self, stage: StagingFile, *, skip_refused: bool) -> None:
        """Write the staged items; none of them if one is refused and refusals are not skipped."""
        with suppress(_RolledBack), open_import(self._store) as target:
            for number, (place, item) in enumerate(stage, 1):
                self._report("importing", number, stage.count)
                with self._collect_refusals(place):
                    outcome = _import_item(target, item)
                    # A definition without a body only gives a name, which is not counted.
                    if not isinstance(item, DefinitionRow) or item.body:
                        self._outcomes[_NOUNS[type(item)], outcome] += 1
            if self._refused and not skip_refused:
                raise _RolledBack
            return
        self._outcomes.clear()


class _RolledBack(Exception):
    """Rolls back the transaction of an import."""


def _import_item(target: ImportTransaction, item: Snapshot) -> ImportOutcome:
    match item:
        case JobRow():
            return target.import_job(item)
        case ExecutionSnapshot():
            return target.import_execution(item.execution, item.tasks, item.stats)
        case DefinitionRow():
            return target.import_task_definition(item)
        case RunSnapshot():
            # When each line was written is not known.
            lines = item.log and [
                LineRow(0, item.run.id, "", stream, text) for stream, text in read_log_tail(item.log)
            ]
            return target.import_run(item.run, lines)
