"""A judge of answers about an upstream that lies: what they claim must be true of its rows, as far as it showed them.

It knows the rows, what each answer of the upstream showed, and what each page of an answer says. It knows no walker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.sample_client import rows_of
from tests.sources.lying_upstream import WORDS, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sources.lying_upstream import Liar, Sent

__all__ = ["Judge", "Page"]

_UNSEEN = frozenset({"skips", "circles", "forgets", "miscounts", "changes"})
"""Faults that no answer need show: rows that are never sent, in pages that look whole."""


@dataclass(frozen=True)
class Page:
    """One answer to an agent: its structured content, and how many answers the upstream had given by then.

    Attributes:
        error: what it says, if it is a refusal.
    """

    found: dict[str, Any]
    sent: int
    text: str = ""
    error: str = ""

    @property
    def complete(self) -> bool:
        """Whether it claims that nothing is left."""
        return not self.error and self.found["coverage"]["complete"]

    def notes(self, words: str) -> list[str]:
        """Return its notes that have some words."""
        return [one for one in self.found.get("notes", ()) if words in one]


@dataclass
class Judge:
    """What an answer may claim of an upstream's rows.

    Attributes:
        owner: whose rows were asked for; None for all.
        since: where the window began, by the upstream's clock; None for no window.
        words: the raw statuses that were asked for; None for all.
        name: the field of a row that tells it apart.
    """

    liar: Liar
    owner: str | None = None
    since: datetime | None = None
    words: set[str] | None = None
    name: str = "id"
    at_first: list[Row] = field(default_factory=list[Row])

    def __post_init__(self) -> None:
        self.at_first = [*self.liar.rows]

    def may_list(self, row: Row) -> bool:
        """Return whether a row may be listed; one without a time may be in any window."""
        inside = self.since is None or row.broken == "created" or self.liar.created(row) >= self.since
        fits = self.words is None or (row.word in self.words and row.broken != "status")
        return self.owner in {None, row.owner} and inside and fits

    def wants(self, row: Row) -> bool:
        """Return whether a row is certainly one of those that were asked for."""
        return self.may_list(row) and not (row.broken == "created" and self.since)

    def find_answers(self, page: Page) -> list[Sent]:
        """Return the upstream's answers to what was asked, not those that only tell the oldest or count failures."""
        sent = self.liar.sent[: page.sent]
        if not sent or self.liar.kind != "runwisp":
            return sent
        failing = "isFailure" in dict(sent[0].asked)
        same = [one for one in sent if ("isFailure" in dict(one.asked)) == failing]
        return [one for one in same if self.since is None or "createdAfter" in dict(one.asked)]

    def find_sent(self, page: Page) -> set[Row]:
        """Return the rows that were sent by the time of a page."""
        return {row for sent in self.find_answers(page) for row in sent.rows}

    def find_due(self, page: Page) -> set[str]:
        """Return the ids that a complete answer has: what was sent, and what was there if nothing can be hidden."""
        known = self.find_sent(page)
        if not self._may_hide(self.liar.sent[: page.sent]):
            known |= {*self.at_first}
        if "changes" in self.liar.faults:
            # What comes meanwhile may come where the walk has been.
            known &= {*self.at_first}
        if "skips" in self.liar.faults and self.liar.kind != "blaxel":
            # What one answer has at a place, another has not.
            known = set[Row]()
        if {"any order", "changes"} <= self.liar.faults:
            # Another disorder each time.
            known = set[Row]()
        # What is gone by the end may have been shown and gone before its turn.
        return {self.liar.id_of(row) for row in known if self.wants(row) and row in self.liar.rows}

    def _may_hide(self, sent: Sequence[Sent]) -> bool:
        """Return whether rows may be missing of which nothing that was sent tells."""
        faults, by_cursor = self.liar.faults, self.liar.kind == "blaxel"
        if faults == frozenset({"changes"}):
            # What moves to another page is skipped by a cursor that counts rows.
            return by_cursor
        if faults == frozenset({"miscounts"}):
            return not any(one.count < len(one.rows) + int(one.place or 0) for one in sent if not by_cursor)
        # A window may end a list in order, which only a page shows that is not.
        early = self.since is not None and self.liar.kind != "runwisp"
        # Of several lists, or with rows of others among them, a page out of order may be another's.
        seen = self.owner is not None and len(faults) == 1 and any(one.disordered for one in sent)
        return bool(faults & _UNSEEN) or ("any order" in faults and early and not seen)

    def doubts(self, page: Page) -> bool:
        """Return whether what was sent by the time of a page shows that no count is to be believed."""
        if self.liar.what == "jobs" and self.liar.kind != "blaxel":
            # Definitions come all at once, and nothing counts them.
            return False
        sent = [one for one in self.find_answers(page) if one.rows]
        following = {one.following: one for one in sent if one.following}
        # A cursor that comes again, or a list that has changed, brings rows again.
        again = not self.liar.faults & {"circles", "changes"} and any(
            {*one.rows} & {*following[one.place].rows} for one in sent if one.place in following
        )
        # With other faults an answer may be out of order only in rows that it repeats.
        out = len(self.liar.faults) == 1 and any(one.disordered for one in sent)
        return again or out or any(one.unasked or len({*one.rows}) < len(one.rows) for one in sent)

    def judge_list(self, pages: Sequence[Page]) -> None:
        """Judge the pages of a list."""
        listed: list[str] = []
        for page in pages:
            if page.error:
                break
            rows = rows_of(page.found)
            ids = [one[self.name] for one in rows]
            assert len(ids) == len(set(ids))
            listed += ids
            self._judge_rows(page, [self.liar.ever[one] for one in ids])
            self._judge_total(page, listed)
            self._judge_back_to(page, listed)
        if pages[-1].complete:
            self._judge_end(pages, set(listed))

    def _judge_rows(self, page: Page, rows: Sequence[Row]) -> None:
        assert all(self.may_list(row) for row in rows)
        assert page.notes("could not be read") or not any(row.broken for row in rows)
        skewed = self.since is not None and "other clock" in self.liar.faults
        assert not skewed or page.notes("the clock of source")

    def _judge_total(self, page: Page, listed: Sequence[str]) -> None:
        """Judge a total: an exact one is contradicted by nothing, and a floor has been met."""
        total, liar = page.found["total"], self.liar
        sent = liar.sent[: page.sent]
        if total["kind"] == "exact":
            assert total["value"] >= len(set(listed))
            # What failed on the way has not been looked at.
            assert page.notes("stopped early") or not self.doubts(page)
            assert not page.complete or total["value"] == len(listed) == len(set(listed))
        if total["kind"] == "at_least":
            assert total["value"] <= len(set(listed))
        if total["kind"] == "unfiltered":
            assert total["value"] in {one.count for one in sent}

    def _judge_back_to(self, page: Page, listed: Sequence[str]) -> None:
        """Judge the time that a walk has reached, newest first: what was sent and is newer has been listed."""
        reached = page.found["coverage"].get("back_to")
        if "cursor" not in page.found or reached is None or "skips" in self.liar.faults or len(self.liar.faults) > 1:
            return
        time = datetime.fromisoformat(reached)
        newer = [row for row in self.find_sent(page) if self.wants(row) and self.liar.created(row) > time]
        newer = [row for row in newer if row in self.liar.rows and row.broken != "created" and row.minutes]
        assert {self.liar.id_of(row) for row in newer} <= set(listed)

    def _judge_end(self, pages: Sequence[Page], listed: set[str]) -> None:
        last = pages[-1]
        assert self.find_due(last) <= listed
        first = self.liar.sent[0].asked if self.liar.sent else None
        sent = [one for one in self.liar.sent[: last.sent] if one.asked == first]
        # The documents leave open what Blaxel's count of executions counts.
        counts = self.words is None and not (self.name == "id" and self.liar.kind == "blaxel")
        early = self.since is not None and self.liar.kind == "legacy"
        if counts and not early and not self.doubts(last) and "changes" not in self.liar.faults:
            came = {row for one in self.liar.sent for row in one.rows}
            assert min((one.count for one in sent), default=0) <= len(came)
        strange = [row for one in sent for row in one.rows if WORDS.get(row.word, "") == "strange"]
        judge = Judge(self.liar, self.owner, self.since)
        assert (
            self.words is None
            or self.liar.what == "jobs"
            or "changes" in self.liar.faults
            or not any(judge.wants(row) and row.broken != "status" for row in strange)
            or any(page.notes("not known here") for page in pages)
        )
        if self.since:
            self.judge_reach(pages)

    def judge_reach(self, pages: Sequence[Page]) -> None:
        """Judge what a complete answer says of how far back its upstream reaches."""
        liar, last = self.liar, pages[-1]
        told, since = datetime.fromisoformat(last.found["coverage"]["back_to"]), self.since
        assert since is not None
        own = [row for row in self.find_sent(last) if self.owner in {None, row.owner} and row.broken != "created"]
        oldest = min((liar.created(row) for row in own if row in liar.rows), default=None)
        # Whatever else it does: what was sent and is older shows that there is something older.
        assert told <= since or oldest is None or told <= oldest
        kept = [row for row in self.at_first if self.owner in {None, row.owner} and row.minutes <= liar.kept]
        if liar.faults != frozenset({"forgets"}) or not kept:
            return
        oldest = min(liar.created(row) for row in kept)
        assert told == max(since, oldest)
        noted = any(page.notes("oldest there is: ") for page in pages)
        # A history looks at the window before as well.
        assert noted or oldest <= since
        assert not noted or oldest > since or "before" in last.found
