"""What a doctor finds: one check a line, and what to do where something is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Area", "Check", "Report", "Verdict"]

Verdict = Literal["ok", "warning", "failed", "skipped"]
Area = Literal["settings", "store", "source", "client"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        subject: what it is part of: a source's name, a client's; empty where the area is one thing.
        check: what was looked at, a word or two that do not change.
        found: what was found, a sentence or less.
        fix: what to do about it.
        seconds: how long it took, where that says something.
    """

    area: Area
    subject: str
    check: str
    verdict: Verdict
    found: str
    fix: str | None = None
    seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object; `fix` and `seconds` are null where there are none."""
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
        """Whether nothing failed; warnings are allowed."""
        return all(one.verdict != "failed" for one in self.checks)

    @property
    def counts(self) -> dict[str, int]:
        """How many checks there are by verdict."""
        found = Counter(one.verdict for one in self.checks)
        return {verdict: found[verdict] for verdict in ("ok", "warning", "failed", "skipped")}

    def groups(self) -> Sequence[tuple[str, Sequence[Check]]]:
        """Return the checks under what they are about."""
        found: dict[str, list[Check]] = {}
        for one in self.checks:
            found.setdefault(f"{one.area} {one.subject}".strip(), []).append(one)
        return [*found.items()]

    def masked(self, mask: Callable[[str], str]) -> Report:
        """Return the report with every text passed through a mask."""
        return Report(
            tuple(
                replace(one, found=mask(one.found), fix=None if one.fix is None else mask(one.fix))
                for one in self.checks
            )
        )

    def as_json(self, version: str) -> dict[str, Any]:
        """Return it as a JSON object: `jobtrail` (version), `well`, `counts`, `checks`."""
        return {
            "jobtrail": version,
            "well": self.well,
            "counts": self.counts,
            "checks": [one.as_json() for one in self.checks],
        }
