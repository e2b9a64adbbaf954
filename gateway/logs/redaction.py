"""The last line against secrets and personal data in logs: masks what looks like one, anywhere.

The first line is that such values are never logged at all; what passes here was a mistake, ours
or a library's. A name without a form of its own cannot be recognised, so nothing here excuses a
record in a log call. Every pattern takes time in proportion to the text, whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

MASK = "[redacted]"
TEXT_CHARACTERS_MAX = 50_000
"""Of one value: the longest traceback is a few thousand."""
ITEMS_MAX = 100
"""Of one list or mapping; our own lines have a handful."""
DEPTH_MAX = 6
NAMES_KEPT_MAX = 1024
"""Our own lines have the same few names again and again."""
DIGITS_MIN = 10**12
"""Below it a number is too short for a card's."""

_NAMES = (
    "authorization|proxy-authorization|cookie|set-cookie|stripe-signature|api[-_]?key|"
    "client[-_]?secret|password|passwd|secret|token"
)
_SECRET_NAME = re.compile(rf"(?:.*[-_])?(?:{_NAMES})s?", re.IGNORECASE)

# Each pattern begins with letters of its own or at the beginning of a run, so that a long text
# without a match is walked once and not once per character.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Stripe's keys, also Stripe's own shortened form of them, and webhook secrets.
    (re.compile(r"(?:sk|rk|pk|ek)_(?:live|test)_?[\w*.…-]*|whsec_[\w+/=-]+"), MASK),
    (re.compile(r"\b(?:sk|rk|pk|ek)_\w[\w*…-]*"), MASK),
    # The tokens of our own callers.
    (re.compile(r"igw_[\w-]{16,}"), MASK),
    # Client secrets of intents: pi_123_secret_456.
    (re.compile(r"\b\w+_secret_\w+"), MASK),
    # JSON Web Tokens begin with `{"` in base64.
    (re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]+)*"), MASK),
    # The parts of a Stripe-Signature.
    (re.compile(r"\bv[01]=[0-9a-fA-F]{16,}"), MASK),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    # `password=x`, `'token': 'x'`, `"client_secret": "x"`, `Authorization: x y`.
    (
        re.compile(
            r"\b(authorization|cookie|stripe-signature)\b"
            r"""(["']?\s*[:=,]\s*b?["']?)(?!\[redacted\])[^\r\n"']+""",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
    ),
    (
        re.compile(
            rf"""((?:{_NAMES})s?)(["']?\s*[:=]\s*b?["']?)(?!\[redacted\])[^\s"',;&)}}\]]+""",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
    ),
    # redis://user:password@host, and the like.
    (re.compile(r"(://)(?:(?!://)[^\s\"'<>])*@"), rf"\1{MASK}@"),
    # E-mail addresses, also in a URL.
    (re.compile(r"(?<![\w.+-])[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+"), MASK),
    # Card numbers; instants in milliseconds and Redis' ids begin with a 1.
    (
        re.compile(
            r"(?<![\w.])(?:[2-6]\d{12,18}|(?:\d{4}[ -]){3,4}\d{1,4}|3\d{3}[ -]\d{6}[ -]\d{5})(?!\w)"
        ),
        MASK,
    ),
)

_OUR_OWN = frozenset({"timestamp", "level", "logger"})
"""Made from the record by us, out of a clock and names of modules."""

_SUSPECT = re.compile(
    r"[@=:%]|\d{4}[ -]?\d{4}|(?:[srpe]k|whsec|igw|secret)_|eyJ|bearer|basic|authoriz|cookie|"
    r"signature",
    re.IGNORECASE,
)
"""Every pattern needs one of these: most values of a line have none, and cost one look."""


def redact(event: Mapping[str, Any]) -> dict[str, Any]:
    """The same event with everything masked that looks like a secret."""
    return {
        name: value if name in _OUR_OWN else _value_under(str(name), value, DEPTH_MAX)
        for name, value in event.items()
    }


def redacted(text: str) -> str:
    """The text with its secrets masked, and cut where it is endless."""
    if len(text) < TEXT_CHARACTERS_MAX and not _SUSPECT.search(text):
        return text
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    if len(text) > TEXT_CHARACTERS_MAX:
        return f"{text[:TEXT_CHARACTERS_MAX]}… ({len(text)} characters)"
    return text


@lru_cache(NAMES_KEPT_MAX)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.fullmatch(name) is not None


def _value_under(name: str, value: object, depth: int) -> Any:
    if _is_secret(name) and value is not None:
        return MASK
    return _value(value, depth)


def _value(value: object, depth: int) -> Any:
    """Text, numbers and their containers; anything else becomes its masked representation."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if -DIGITS_MIN < value < DIGITS_MIN:
            return value
        return value if value.bit_length() < 64 and redacted(str(value)) == str(value) else MASK
    if isinstance(value, str):
        return redacted(value)
    if depth and isinstance(value, Mapping):
        pairs = list(value.items())[:ITEMS_MAX]
        return {redacted(str(name)): _value_under(str(name), one, depth - 1) for name, one in pairs}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_value(one, depth - 1) for one in list(value)[:ITEMS_MAX]]
    return redacted(repr(value))
