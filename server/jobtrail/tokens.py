"""Estimates how many tokens a text has, without a tokenizer."""

from __future__ import annotations

import re

# The pieces that tokenizers make of job names, ids, times and messages.
_PIECE = re.compile(
    rb"[a-z]{1,7}|[A-Z][a-z]{2,6}|[A-Z]{1,2}|[0-9]{1,3}|[\t\n]|[!-/:-@\[-`{-~]|\xf0|[\x80-\xef]{1,2}",
)


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has, by what `cl100k_base` makes of its kind of text.

    Rows of a page come out right, or up to a tenth too high; logs, hexadecimal and base64 within a fifth. Text in
    other scripts may come out two times too high.
    """
    return len(_PIECE.findall(text.encode(errors="replace")))
