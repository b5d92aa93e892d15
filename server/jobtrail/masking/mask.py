"""The mask of one process: what its environment holds, and what a text shows by itself."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote

from jobtrail.masking.forms import list_secret_spans, mask_pair, mask_text, mask_words
from jobtrail.masking.names import MASKED, is_mixed, is_secret, is_secret_name, looks_random

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_SHORTEST = 6
"""Characters; shorter values stand in too many other words."""
_SEPARATORS = re.compile(r"[,;\n]")
_EDGES = " \t\r\"'"
_BRACKETS = _EDGES + "[](){}"


class Mask:
    """Replaces every secret of an environment in a text, and those that a text shows by itself.

    Args:
        environ: an environment. Secret are the values of variables whose names say so, as wholes, by lines, by items
            of a list and by strings of a JSON document; what any value shows by itself; and values that look random.
        secrets: more secrets.
    """

    def __init__(self, environ: Mapping[str, str], secrets: Iterable[str] = ()) -> None:
        found = {one.strip() for one in secrets}
        found |= {one.strip(_EDGES) for name, value in environ.items() for one in _find_secrets(name, value)}
        found |= {form for one in found for form in _list_spellings(one)}
        # The longest first, so that a secret within another one does not leave a part of it.
        words = sorted((re.escape(one) for one in found if len(one) >= _SHORTEST), key=len, reverse=True)
        self._pattern = re.compile("|".join(words)) if words else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        return mask_text(self._replace_known(text))

    def mask_words(self, words: Sequence[str]) -> list[str]:
        """Return the words of a command without secrets."""
        return [*mask_words([self._replace_known(word) for word in words])]

    def mask_pair(self, name: str, value: str) -> tuple[str, str]:
        """Return a label without secrets: in its key, and in its value, whole if the key says so."""
        return self(name), mask_pair(name, self._replace_known(value))

    def mask_name(self, text: str) -> str:
        """Return a name without secrets that is a name still: a part of addresses, without an asterisk."""
        return self(text).replace(MASKED, "masked")

    def _replace_known(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(MASKED, text)


def _list_spellings(secret: str) -> Iterator[str]:
    """Yield other spellings of a secret: in an address, in JSON, and as a text is read whose bytes are no UTF-8."""
    try:
        raw = secret.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        # JSON can hold half of a pair, which is no byte of the system.
        raw = secret.encode(errors="surrogatepass")
    yield raw.decode(errors="replace")
    yield quote(raw, safe="")
    yield unquote(secret)
    yield json.dumps(secret)[1:-1]


def _find_secrets(name: str, value: str) -> Iterator[str]:
    """Yield what of a variable's value is secret."""
    for start, end in list_secret_spans(value):
        yield value[start:end]
    if is_secret(name, value):
        yield value
        yield from _split_value(value)
    elif looks_random(value):
        yield value


def _split_value(value: str) -> Iterator[str]:
    """Yield the parts of a secret that may stand alone: lines, items of a list, strings of a JSON document."""
    if value.lstrip().startswith(("{", "[")):
        try:
            document = json.loads(value)
        except (ValueError, RecursionError):
            # No JSON, or nested without end.
            pass
        else:
            yield from _list_strings(document)
            return
    for item in _SEPARATORS.split(value):
        yield item.strip(_BRACKETS)
        # The words of a passphrase are no list; those with digits are.
        yield from (word for word in item.strip(_BRACKETS).split() if is_mixed(word))
        before, sign, after = item.partition("=" if "=" in item else ":")
        if sign and not after.startswith("//") and " " not in before.strip():
            yield after


def _list_strings(document: Any) -> Iterator[str]:
    """Yield the strings of a JSON document; of an object that names its secrets, only these."""
    left = [document]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
            yield from one.splitlines()
        elif isinstance(one, list):
            left += cast("list[Any]", one)
        elif isinstance(one, dict):
            fields = cast("dict[str, Any]", one)
            names = {name for name in fields if is_secret_name(name)}
            left += (
                inner
                for name, inner in fields.items()
                if not names or name in names or isinstance(inner, dict | list)
            )
