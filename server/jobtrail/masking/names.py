"""What a name says of its value: whether it is a secret, by the whole words of the name and the look of the value."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

MASKED = "***"
"""What stands in place of a secret."""

# `dbPassword2` and `DB_PASSWORD_2` have the same words.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PASSWORD = re.compile(r"PASS(WORD|WD|PHRASE|CODE)?S?|PWD?S?|SECRETS?|CRED(ENTIAL)?S?|\w+(PASSWORD|PASSWD)S?")
_SECRET = re.compile(r"(TOKEN|KEY|JWT|PAT|COOKIE|WEBHOOK)S?|AUTH(ORIZATION)?|DSN|BEARER|SIG(NATURE)?|MNEMONIC|OTP")
# Words without an underscore between them, as in PGPASSWORD and MASTERKEY; English words are excepted.
_COMPOUND = re.compile(r"\w+(PASSWD|PASS|PASSPHRASE|PWD|SECRET|TOKEN|KEY|CREDENTIAL|WEBHOOK)S?")
_ENGLISH = re.compile(
    r"(COM|ENCOM|BY|TRES|SUR|UNDER|OVER)PASS|OLDPWD|(MON|TUR|DON|HOT|WHIS|LOW)KEYS?|(HOC|JOC|HOT|LOC|DIS)KEYS?"
)
_CONNECTION = re.compile(r"CONN(ECTION)?STR(ING)?S?$")
# A name that ends in one of these is about a secret, and is none: AUTH_MODE, TOKEN_FILE.
_ABOUT = re.compile(
    r"MODE|TYPE|TTL|UR[LI]|ENDPOINT|HOST(NAME)?|PORT|FILE|PATH|DIR|(USER)?NAME|USER|ENABLED|EXPIRY|EXPIRES|TIMEOUT"
    r"|LENGTH|LIMIT|COUNT|SIZE|METHOD|PROVIDER|ALG(ORITHM)?|ISSUER|AUDIENCE|SOCK|SCOPES?|REGION|VERSION|FORMAT|PREFIX"
    r"|BACKEND|DOMAIN|REALM|SERVER|SERVICE|ERRORS?|EXCEPTION|EXPIRED|FAILED|PARALLELISM"
)
# Further on it may say whose the password is: PG_PASSWORD_PROD_SERVER.
_WHOSE = re.compile(r"HOST(NAME)?|USER|SERVER|SERVICE|BACKEND|DOMAIN|REALM|REGION|PROVIDER")
# But these are addresses that whoever knows them can use.
_ADDRESS = re.compile(r"\w*WEBHOOKS?|DSN")
# Keys of data.
_OPEN_KEY = re.compile(r"PUBLIC|PRIMARY|FOREIGN|PARTITION|SORT|CACHE|ROUTING")
_WEAK = re.compile(r"KEYS?|AUTH|PASS|PAT|COOKIES?|PRIVATE|SIG(NATURE)?|TOKENS|OTP|BEARER|PW")
_SETTING = re.compile(
    r"true|false|none|null|enabled|disabled|default|required|optional|basic|bearer|digest", re.IGNORECASE
)
_NUMBER = re.compile(r"[+-]?\d{1,9}([.,]\d+)?[a-zA-Z%]{0,2}")
_PATH = re.compile(r"(~|\.{1,2})?(/[\w.@+-]+)+/?")
_PLAIN_ADDRESS = re.compile(r"[a-zA-Z][\w+.-]*://[^\s@]*")
_RANDOM = re.compile(r"[\w+/=~.-]{16,}", re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")


def _split_words(name: str) -> list[str]:
    return [word.upper() for word in _WORD.findall(name)]


def is_secret_name(name: str) -> bool:
    """Return whether a name says that its value is a secret; `AUTHOR`, `COMPASS_MODE` and `TOKEN_FILE` do not."""
    words = _split_words(name)
    if not words or name == "PWD":
        return False
    if _has(words, _ADDRESS) or _CONNECTION.search("".join(words)):
        return True
    owned = _WHOSE.fullmatch(words[-1]) and _has(words[:-2], _PASSWORD)
    if (_ABOUT.fullmatch(words[-1]) and not owned) or (words[-1] in {"KEY", "KEYS"} and _has(words, _OPEN_KEY)):
        return False
    return words[-1] == "PRIVATE" or any(
        _has([word], _PASSWORD, _SECRET, _COMPOUND) for word in words if not _ENGLISH.fullmatch(word)
    )


def _has(words: list[str], *patterns: re.Pattern[str]) -> bool:
    return any(pattern.fullmatch(word) for word in words for pattern in patterns)


def is_weak_name(name: str) -> bool:
    """Return whether a name is one common word, such as `key`, which in a log is mostly that of something else."""
    words = _split_words(name)
    return len(words) == 1 and _has(words, _WEAK)


def is_password_name(name: str) -> bool:
    """Return whether a name speaks of a password, which may be anything, even a number."""
    return _has(_split_words(name), _PASSWORD)


def is_login_name(name: str) -> bool:
    """Return whether a name says that its value may be a user and a password."""
    return "LOGIN" in _split_words(name)


def is_secret(name: str, value: str) -> bool:
    """Return whether a name says that its value is a secret, and the value does not show that it is a setting."""
    return is_secret_name(name) and not _is_setting(name, value.strip())


def _is_setting(name: str, value: str) -> bool:
    if _SETTING.fullmatch(value):
        return True
    if is_password_name(name):
        return False
    if _NUMBER.fullmatch(value) or (_PATH.fullmatch(value) and not looks_random(value.lstrip("~./"))):
        return True
    return not _has(_split_words(name), _ADDRESS) and _PLAIN_ADDRESS.fullmatch(value) is not None


def is_mixed(value: str) -> bool:
    """Return whether a value has letters and digits, and is no name of a file or an address."""
    return any(one.isdigit() for one in value) and any(one.isalpha() for one in value) and "/" not in value


def looks_random(value: str) -> bool:
    """Return whether a value was made by a generator: long, with letters of both cases and digits in disorder."""
    if not _RANDOM.fullmatch(value):
        return False
    kinds = [_classify(one) for one in value if one.isalnum()]
    changes = [(one, other) for one, other in pairwise(kinds) if one != other]
    digits = sum(one == "digit" for one, _ in changes)
    if "upper" not in kinds or "lower" not in kinds or digits < 2:  # noqa: PLR2004 # places, at which digits end
        return False
    return len(changes) >= 0.3 * len(kinds) and _measure_entropy(value) >= 3.5  # noqa: PLR2004 # bits a character


def looks_hexadecimal(value: str) -> bool:
    """Return whether a value is a number of 128 bits or more, as keys are, and checksums."""
    return _HEXADECIMAL.fullmatch(value) is not None


def _classify(character: str) -> str:
    return "digit" if character.isdigit() else "upper" if character.isupper() else "lower"


def _measure_entropy(value: str) -> float:
    """Return Shannon's entropy, in bits a character."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())
