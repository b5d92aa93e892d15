"""Finds the line of a log that tells why what wrote it failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobtrail.logs.lines import LONGEST, clean_log_text
from jobtrail.text import sanitize_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.logs.log import Line

_LONGEST = 160
_BAD = re.compile(
    r"error|exception|fatal|panic|traceback|fail|abort|denied|refused|reject|forbidden|unauthori[sz]ed|invalid|"
    r"cannot|can't|could not|couldn't|unable|not found|no such|missing|mismatch|unreachable|unavailable|timed? ?out|"
    r"killed|out of memory|\boom|segmentation|core dumped|no space|corrupt|giving up",
    re.IGNORECASE,
)
_GOOD = re.compile(r"\b(?:0|no|without) (?:\w+ )?(?:errors?|failures?|failed|exceptions?)\b", re.IGNORECASE)


def find_telling_line(lines: Sequence[Line]) -> str | None:
    """Return the last line that tells why a run failed, clipped to one short line; None where none does.

    That is the last one of the program's own that speaks of something bad; else the last that it wrote as an error;
    else what the system that ran it says of something bad.
    """
    own = [one for one in lines if one.mark != "system" and one.text.strip()]
    bad = [one for one in own if _speaks_of_bad(one)]
    told = bad or [one for one in own if one.mark in {"stderr", "error", "fatal"}]
    told = told or [one for one in lines if one.mark == "system" and _speaks_of_bad(one)]
    return sanitize_text(clean_log_text(told[-1].text), _LONGEST) or None if told else None


def _speaks_of_bad(line: Line) -> bool:
    return _BAD.search(_GOOD.sub("", line.text[:LONGEST])) is not None
