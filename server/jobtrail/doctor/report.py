"""The report of `jobtrail doctor`: its checks, and how to fix what is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Verdict = Literal["ok", "warning", "failed", "skipped"]
Area = Literal["settings", "store", "source", "client"]


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        subject: the name of the source or client; empty in other areas.
        check: what was checked: one or two words that programs can rely on.
        found: what was found, in a sentence or less.
        fix: how to fix it; None if there is nothing to fix.
        seconds: how long it took; None if that says nothing.
    """

    area: Area
    subject: str
    check: str
    verdict: Verdict
    found: str
    fix: str | None = None
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the check as a JSON object."""
        return {
            "area": self.area,
            "subject": self.subject,
            "check": self.check,
            "verdict": self.verdict,
            "found": self.found,
            "fix": self.fix,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Report:
    """All checks, in order."""

    checks: tuple[Check, ...]

    @property
    def well(self) -> bool:
        """Whether no check failed; warnings are allowed."""
        return all(one.verdict != "failed" for one in self.checks)

    @property
    def counts(self) -> dict[str, int]:
        """The number of checks by verdict."""
        found = Counter(one.verdict for one in self.checks)
        return {verdict: found[verdict] for verdict in ("ok", "warning", "failed", "skipped")}

    def group_checks(self) -> Sequence[tuple[str, Sequence[Check]]]:
        """Return the checks by area and subject."""
        found: dict[str, list[Check]] = {}
        for one in self.checks:
            found.setdefault(f"{one.area} {one.subject}".strip(), []).append(one)
        return [*found.items()]

    def apply_mask(self, mask: Callable[[str], str]) -> Report:
        """Return the report with secrets masked in every text."""
        return Report(
            tuple(
                replace(one, found=mask(one.found), fix=None if one.fix is None else mask(one.fix))
                for one in self.checks
            )
        )

    def to_json(self, version: str) -> dict[str, Any]:
        """Return the report as a JSON object: `jobtrail` (version), `well`, `counts`, `checks`."""
        return {
            "jobtrail": version,
            "well": self.well,
            "counts": self.counts,
            "checks": [one.to_json() for one in self.checks],
        }
