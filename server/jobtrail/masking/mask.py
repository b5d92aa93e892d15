"""The mask of one process: what its environment holds, and what a text shows by itself."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from jobtrail.masking.forms import list_secret_spans, mask_pair, mask_text, mask_words
from jobtrail.masking.names import MASKED, is_login_name, is_mixed, is_secret, is_secret_name, looks_random

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_SHORTEST = 6
"""Characters; shorter values stand in too many other words."""
_SEPARATORS = re.compile(r"[,;\n]")
_LOGIN = re.compile(r"[\w.+@-]{1,64}:(?P<secret>(?!//|\d+$)\S+)")
_OTHER_FORMS = {" ": ("+",), "'": ("'\\''", "'\"'\"'", "&apos;", "&#039;"), "\n": ("\r\n",)}
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
        found |= {text for one in found for text in _list_readings(one)}
        # The longest first, so that a secret within another one does not leave a part of it.
        words = sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)
        self._pattern = re.compile("|".join("".join(map(_spell, one)) for one in words)) if words else None

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


def _list_readings(secret: str) -> Iterator[str]:
    """Yield other texts that a secret is read as: out of an address, and where its bytes are no UTF-8."""
    yield _to_bytes(secret).decode(errors="replace")
    yield unquote(secret)


def _to_bytes(text: str) -> bytes:
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        # JSON can hold half of a pair, which is no byte of the system.
        return text.encode(errors="surrogatepass")


@cache
def _spell(character: str) -> str:
    """Return an expression for a character as it is and as it is written in an address, JSON, HTML and a shell."""
    if character.isascii() and (character.isalnum() or character in "_-"):
        return re.escape(character)
    number = ord(character)
    encoded = "".join(f"%{byte:02x}" for byte in _to_bytes(character))
    ways = [character, f"\\{character}", *_OTHER_FORMS.get(character, ())]
    coded = [encoded, f"\\u{number:04x}", f"&#{number};", f"&#x{number:x};", html.escape(character)]
    coded += [json.dumps(character)[1:-1]]
    longest = sorted(ways, key=len, reverse=True)
    return f"(?:(?i:{'|'.join(map(re.escape, coded))})|{'|'.join(map(re.escape, longest))})"


def _find_secrets(name: str, value: str) -> Iterator[str]:
    """Yield what of a variable's value is secret."""
    for start, end in list_secret_spans(value):
        yield value[start:end]
    if is_secret(name, value):
        yield value
        yield from _split_value(value)
    elif looks_random(value):
        yield value
    elif is_login_name(name) and (found := _LOGIN.fullmatch(value.strip())):
        yield found["secret"]


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
