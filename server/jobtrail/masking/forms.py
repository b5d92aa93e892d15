"""Secrets that a text shows by itself: in addresses, in assignments, in headers, and tokens whose form is known.

Every expression begins at a fixed word or at the beginning of a word, or is bounded, so that a line costs time in
proportion to its length.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from jobtrail.masking.names import (
    MASKED,
    is_mixed,
    is_password_name,
    is_secret,
    is_secret_name,
    is_weak_name,
    looks_hexadecimal,
    looks_random,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What may hold an address: a word up to a closing quote, or to the next address after a comma, a semicolon or a bar.
_PLACE = re.compile(r"(?:(?![,;|][A-Za-z][\w+.-]{0,40}://|[\"'](?:[,:;\])}\s]|$))\S)+")
_ADDRESS = re.compile(r"(?:(?<![\w+.-])(?P<scheme>[A-Za-z][\w+.-]{0,40}):|(?<![\w:/]))//(?P<user>[^\s/?#:\"'<>]*):")
_PORT = re.compile(r"\d{1,5}[/?#]")
_WEB = {"http", "https", "ws", "wss"}
_LONE_USER = re.compile(r"https?://(?P<secret>[^\s/?#:@\"'<>]{16,})@")
_DRIVER = re.compile(r"(?<![\w.-])[\w.-]{1,64}:(?P<secret>[^\s()]{1,200})@(?:tcp|unix|udp)?\(")
_QUERY = re.compile(r"[?&#;](?P<name>[\w.-]{1,80})=(?P<secret>[^\s&#;\"'<>]+)")
_ASSIGNMENT = re.compile(
    r"(?<![\w.-])-{0,2}(?P<name>[A-Za-z_][\w.-]{0,80})(?:\\?[\"'])?[ \t]{0,2}(?P<sign>=>|[+?:]?=|:)(?!=)[ \t]{0,2}"
    r"(?:\\?\"(?P<double>[^\"\\]+)|'(?P<single>[^']+)|(?P<bare>[^\s\"'&;=]+[^\s\"'&;]*))"
)
_OPTION = re.compile(r"(?<![\w-])--?(?P<name>[A-Za-z][\w-]{2,80})[ \t]+(?P<secret>[^\s\"'-][^\s\"']*)")
_LOGIN_OPTION = re.compile(
    r"(?<![\w-])(?:-[uU]|--(?:proxy-)?user)(?:[ \t]+|=)[\"']?(?P<user>[\w.+@-]{1,64}):(?P<secret>[^\s\"'/.][^\s\"']*)"
)
_ELEMENT = re.compile(r"<(?P<name>[A-Za-z][\w.:-]{0,80})(?:\s[^<>]{0,80})?>(?P<secret>[^<>]{1,200})</")
_HEADER = re.compile(
    r"(?<![\w-])(?:proxy-)?authorization[\"']?[ \t]*[:=][ \t]*[\"']?(?:[A-Za-z]+[ \t]+)?(?P<secret>[^\s\"',;]+)",
    re.IGNORECASE,
)
_COOKIE = re.compile(r"(?<![\w-])(?:set-)?cookie:[ \t]*(?P<secret>[^\"'\r\n]+)", re.IGNORECASE)
_SCHEME = re.compile(r"(?<![\w-])(?:bearer|basic)[ \t]+(?P<secret>[\w+/=.~-]{8,})", re.IGNORECASE)
_WEBHOOK = re.compile(
    r"https?://(?:hooks\.slack\.com/\w+|(?:\w+\.)?discord(?:app)?\.com/api/webhooks|[\w.-]+\.webhook\.office\.com"
    r"|hooks\.zapier\.com/hooks|outlook\.office\.com/webhook)/(?P<secret>[^\s\"'<>]+)"
    r"|https?://[\w.:-]+/(?:[\w.-]+/){0,4}(?:web)?hooks?/(?P<other>[^\s\"'<>]+)"
)
_KNOWN = re.compile(
    r"(?<![A-Za-z0-9])(?P<secret>"
    r"gh[oprsu]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|gl(?:pat|dt|rt|ptt|ft|cbt|imt|soat|agent)-[\w-]{20,}"
    r"|(?:sk|rk|whsec)[-_](?=[A-Za-z_-]{0,60}\d)[\w-]{16,}"
    r"|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}"
    r"|(?:dapi|key-|rubygems_)[a-f0-9]{32,}(?:-\d)?|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{16,}|hf_[A-Za-z0-9]{30,}|do[opr]_v1_[a-f0-9]{64}|dckr_pat_[\w-]{20,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|sh(?:pat|pss|pca|ppa)_[a-fA-F0-9]{32}|gls?[ac]_[\w=+/-]{20,}|hv[bsr]\.[\w-]{20,}"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{50,}|bot\d{6,12}:[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^\n]*"
    r")"
)
_USER_AND_PASSWORD = re.compile(r"[\w.+-]{1,64}:(?P<secret>\S+)@[\w.-]+(?:[:/]\S*)?")
_WORD_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)[+?:]?=")
_PART = re.compile(r"[^/\s:=,;]+")


def mask_text(text: str) -> str:
    """Return a text without the secrets that it shows by itself."""
    return _replace(text, list_secret_spans(text))


def mask_pair(name: str, value: str) -> str:
    """Return the value of a label or setting, masked as a whole if its name says so."""
    return MASKED if _is_assigned_secret(name, value, loose=False) else mask_text(value)


def mask_words(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command without secrets; a word has less room to be anything else than a line of a log."""
    earlier, before = "", ""
    for word in words:
        # As in `auth USER PASSWORD`.
        named = earlier.lower() == "auth" and before.isidentifier() and is_mixed(word) and len(word) >= 6  # noqa: PLR2004 # characters
        yield MASKED if named else _mask_word(word, before)
        earlier, before = before, word


def _mask_word(word: str, before: str) -> str:
    assigned = _WORD_ASSIGNMENT.match(word)
    if assigned and is_secret_name(assigned["name"]):
        return f"{assigned[0]}{MASKED}"
    if before.isidentifier() and is_secret_name(before) and (is_mixed(word) or is_password_name(before)):
        return MASKED
    spans = list_secret_spans(word)
    if not spans and (found := _USER_AND_PASSWORD.fullmatch(word)):
        spans = [found.span("secret")]
    parts = _PART.finditer(word)
    spans += [part.span() for part in parts if looks_random(part[0]) or looks_hexadecimal(part[0])]
    return _replace(word, spans)


def list_secret_spans(text: str) -> list[tuple[int, int]]:
    """Return where in a text secrets are, as (start, end), in no order."""
    found = [*_find_addresses(text)] if "://" in text or "@" in text else []
    found += [match.span("secret") for pattern in (_KNOWN, _HEADER, _COOKIE) for match in pattern.finditer(text)]
    found += [match.span("secret") for match in _SCHEME.finditer(text) if is_mixed(match["secret"].replace("/", ""))]
    found += [*_find_assignments(text)]
    return found


def _find_addresses(text: str) -> Iterator[tuple[int, int]]:
    if "//" in text:
        yield from _find_passwords(text)
    for match in _LONE_USER.finditer(text):
        if looks_random(match["secret"]):
            yield match.span("secret")
    for match in _DRIVER.finditer(text):
        yield match.span("secret")
    for match in _WEBHOOK.finditer(text):
        if match["secret"]:
            yield match.span("secret")
        elif any(looks_random(one) or looks_hexadecimal(one) for one in match["other"].split("/")):
            yield match.span("other")


def _find_passwords(text: str) -> Iterator[tuple[int, int]]:
    """Yield the passwords of addresses: all from the `:` after the user to the last `@`."""
    for place in _PLACE.finditer(text):
        end, at = place.end(), text.rfind("@", *place.span())
        start = place.start()
        while (match := _ADDRESS.search(text, start, end)) and match.end() < at:
            start = match.end()
            # `host:port/path@x` is no password, unless the scheme is one whose addresses have no such paths.
            web = (match["scheme"] or "http").lower() in _WEB
            if not (_PORT.match(text, start, at) and (web or "@" in match["user"])):
                yield start, at
                break


def _find_assignments(text: str) -> Iterator[tuple[int, int]]:
    for match in _QUERY.finditer(text):
        if is_secret(match["name"], match["secret"]):
            yield match.span("secret")
    for match in _ASSIGNMENT.finditer(text):
        group = match.lastgroup or "bare"
        if _is_assigned_secret(match["name"], match[group], loose=match["sign"] == ":" and group == "bare"):
            yield match.span(group)
    for match in _LOGIN_OPTION.finditer(text):
        # Otherwise the ids of a user and a group.
        if not match["secret"].isdigit():
            yield match.span("secret")
    for match in chain(_OPTION.finditer(text), _ELEMENT.finditer(text)):
        if _is_assigned_secret(match["name"], match["secret"], loose=False):
            yield match.span("secret")


def _is_assigned_secret(name: str, value: str, *, loose: bool) -> bool:
    """Return whether a text assigns a secret.

    Args:
        name: before the sign.
        value: after it.
        loose: the sign is a colon, after which prose may follow.
    """
    if not is_secret(name, value):
        return False
    if is_weak_name(name):
        return looks_random(value) or looks_hexadecimal(value)
    return not loose or looks_random(value) or (is_mixed(value) and len(value) >= 6)  # noqa: PLR2004 # characters


def _replace(text: str, spans: Sequence[tuple[int, int]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if end <= at:
            continue
        if start >= at:
            parts += [text[at:start], MASKED]
        at = end
    return "".join([*parts, text[at:]])
