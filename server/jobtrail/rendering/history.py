"""Renders a history: one or two lines of summary, a bar for each bucket, and a table of the buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.rendering.blocks import Caveat, Header, Line, Table
from jobtrail.rendering.parts import make_next_lines, make_note_lines, write_source, write_window
from jobtrail.text import quote_unless_word
from jobtrail.times import format_duration, format_minute, format_time
from jobtrail.vocabulary import STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.models import Bucket, History, Period, Streak
    from jobtrail.rendering.blocks import Block


def render_history(one: History) -> list[Block]:
    """Return the blocks of a history."""
    current = one.current
    seen = one.coverage
    reach = "complete" if seen.complete else f"PARTIAL, back to {format_time(seen.back_to)}"
    noun = ("execution" if one.kind == "job" else "run") + ("" if current.attempts == 1 else "s")
    attempts = f"{current.attempts:,} {noun}, {reach}"
    facts = [
        write_source(one.source, one.sample),
        attempts if seen.complete else Caveat(attempts),
        write_window(one.window),
        f"a row each {one.bucket}",
    ]
    return [
        Header(f"history of {quote_unless_word(one.job)}", facts),
        Line(" · ".join(filter(None, (_write_success(one), _write_streak(one.streak), _write_last_success(one))))),
        Line(_write_durations(current, one.before)),
        Line(f"success by {one.bucket}: {one.sparkline}" if one.buckets else ""),
        *_make_table(one),
        *make_note_lines(one.notes),
        *make_next_lines(one.next_calls),
    ]


def _write_success(one: History) -> str:
    rate = one.current.success_rate
    noun = "executions" if one.kind == "job" else "runs"
    if rate is None:
        what = "nothing ended by itself" if one.current.attempts else f"no {noun}"
        return f"{what} in this window, so there is no rate"
    before, verdict = one.before, f", {one.trend}" if one.trend else ""
    if before is None:
        return f"success {rate:.0%}"
    if before.success_rate is None:
        then = f"none of {before.attempts:,} {noun} ended by itself" if before.attempts else f"no {noun}"
        return f"success {rate:.0%} (before: {then})"
    return f"success {rate:.0%} ({before.success_rate:.0%} of {before.attempts:,} in the window before{verdict})"


def _write_streak(streak: Streak | None) -> str:
    if streak is None:
        return ""
    count = f"{streak.length} " if streak.length > 1 else ""
    more = "at least " if streak.at_least and count else ""
    return f"{more}the last {count}{'succeeded' if streak.well else 'failed'}"


def _write_last_success(one: History) -> str:
    return f"last success {format_time(one.last_success_at) or 'not among these'}" if one.current.attempts else ""


def _write_durations(current: Period, before: Period | None) -> str:
    if current.p50_s is None:
        return ""
    then = f" ({format_duration(before.p50_s)} before)" if before and before.p50_s is not None else ""
    parts = (
        f"p50 {format_duration(current.p50_s)}{then}",
        f"p95 {format_duration(current.p95_s)}",
        f"max {format_duration(current.max_s)}",
    )
    return f"duration {' · '.join(parts)}"


def _make_table(one: History) -> list[Table]:
    words = [word for word in STATUSES if word in one.current.counts]
    if not one.buckets:
        return []
    return [Table(("from", *words, "success", "p50"), [_make_bucket_row(bucket, words) for bucket in one.buckets])]


def _make_bucket_row(bucket: Bucket, words: Sequence[str]) -> list[str]:
    counts = (str(bucket.counts.get(word, 0)) for word in words)
    rate = "" if bucket.success_rate is None else f"{bucket.success_rate:.0%}"
    return [format_minute(bucket.start), *counts, rate, format_duration(bucket.p50_s)]
