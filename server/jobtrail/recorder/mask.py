"""Mask the secrets of the environment in text, such as recorded output."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MASKED = "***"
_SHORTEST = 6
_LIKELY = re.compile(
    r"PASS(WORD|WD|PHRASE)?|PWD$|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE|CREDENTIAL|AUTH|COOKIE|_KEY$|_PAT$|DSN"
    r"|CONN(ECTION)?_?STR",
    re.IGNORECASE,
)
# Their names look secret, but they are not, and their values are common in output.
_HARMLESS = {"PWD", "OLDPWD", "SSH_AUTH_SOCK", "XAUTHORITY", "SSH_AGENT_PID"}
_IN_ADDRESS = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")


class Mask:
    """Replaces every secret of an environment in a text.

    A secret is the value of a variable whose name says so (…PASSWORD, …TOKEN, …KEY and the like, six characters
    or more; of several lines, each of them), and a password inside any address.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        found = {one for name, value in environ.items() for one in _find_secrets(name, value)}
        # The longest first, so that a secret within another one does not leave a part of it.
        words = sorted((re.escape(one) for one in found), key=len, reverse=True)
        self._pattern = re.compile("|".join(words)) if words else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        return text if self._pattern is None else self._pattern.sub(_MASKED, text)


def _find_secrets(name: str, value: str) -> Iterator[str]:
    parts = [match[1] for match in _IN_ADDRESS.finditer(value)]
    if _LIKELY.search(name) and name not in _HARMLESS:
        parts += [value.strip(), *value.splitlines()]
    for part in parts:
        if len(part.strip()) >= _SHORTEST:
            yield part.strip()
