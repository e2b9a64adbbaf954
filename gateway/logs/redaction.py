"""The last line against secrets and personal data in logs: masks what looks like one, anywhere.

The first line is that such values are never logged at all; what passes here was a mistake, ours
or a library's. A name without a form of its own cannot be recognised, so nothing here excuses a
record in a log call. Every pattern takes time in proportion to the text, whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Rule:
    """What is masked, and the marks of which one must be in a text, in lower case, to be worth a
    look: a pattern takes a hundred times as long as finding that there is no mark, and the shorter
    the mark is, the sooner that is found."""

    pattern: re.Pattern[str]
    replacement: str
    marks: tuple[str, ...]


# Each pattern begins with letters of its own or at the beginning of a run, so that a long text
# without a match is walked once and not once per character.
RULES: tuple[Rule, ...] = (
    # Stripe's keys, also Stripe's own shortened form of them, and webhook secrets.
    Rule(
        re.compile(r"(?:sk|rk|pk|ek)_(?:live|test)_?[\w*.…-]*|whsec_[\w+/=-]+"),
        MASK,
        ("k_", "whsec_"),
    ),
    Rule(re.compile(r"\b(?:sk|rk|pk|ek)_\w[\w*…-]*"), MASK, ("k_",)),
    # The tokens of our own callers.
    Rule(re.compile(r"igw_[\w-]{16,}"), MASK, ("igw_",)),
    # Client secrets of intents: pi_123_secret_456.
    Rule(re.compile(r"\b\w+_secret_\w+"), MASK, ("secret",)),
    # JSON Web Tokens begin with `{"` in base64.
    Rule(re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]+)*"), MASK, ("eyj",)),
    # The parts of a Stripe-Signature.
    Rule(re.compile(r"\bv[01]=[0-9a-fA-F]{16,}"), MASK, ("=",)),
    Rule(
        re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE),
        rf"\1 {MASK}",
        ("bearer", "basic"),
    ),
    # `password=x`, `'token': 'x'`, `"client_secret": "x"`, `Authorization: x y`.
    Rule(
        re.compile(
            r"\b(authorization|cookie|stripe-signature)\b"
            r"""(["']?\s*[:=,]\s*b?["']?)(?!\[redacted\])[^\r\n"']+""",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
        ("authorization", "cookie", "stripe-signature"),
    ),
    Rule(
        re.compile(
            rf"""((?:{_NAMES})s?)(["']?\s*[:=]\s*b?["']?)(?!\[redacted\])[^\s"',;&)}}\]]+""",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
        ("authorization", "cookie", "stripe-signature", "api", "passw", "secret", "token"),
    ),
    # redis://user:password@host, and the like.
    Rule(re.compile(r"(://)(?:(?!://)[^\s\"'<>])*@"), rf"\1{MASK}@", ("@",)),
    # E-mail addresses, also in a URL.
    Rule(
        re.compile(r"(?<![\w.+-])[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+"),
        MASK,
        ("@", "%"),
    ),
)
CARD_NUMBERS = Rule(
    # Instants in milliseconds and Redis' ids begin with a 1.
    re.compile(
        r"(?<![\w.])(?:[2-6]\d{12,18}|(?:\d{4}[ -]){3,4}\d{1,4}|3\d{3}[ -]\d{6}[ -]\d{5})(?!\w)"
    ),
    MASK,
    (),
)
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789-", b"000000000 ")
"""Card numbers are found by the shape of their digits, as they have no letters."""

_OUR_OWN = frozenset({"timestamp", "level", "logger"})
"""Made from the record by us, out of a clock and names of modules."""

_MARKED: dict[str, tuple[Rule, ...]] = {
    mark: tuple(rule for rule in RULES if mark in rule.marks)
    for mark in dict.fromkeys(mark for rule in RULES for mark in rule.marks)
}


def redact(event: Mapping[str, Any]) -> dict[str, Any]:
    """The same event with everything masked that looks like a secret."""
    return {
        name: value if name in _OUR_OWN else _value_under(str(name), value, DEPTH_MAX)
        for name, value in event.items()
    }


def redacted(text: str) -> str:
    """The text with its secrets masked, and cut where it is endless."""
    for rule in _suspected(text):
        text = rule.pattern.sub(rule.replacement, text)
    if len(text) > TEXT_CHARACTERS_MAX:
        return f"{text[:TEXT_CHARACTERS_MAX]}… ({len(text)} characters)"
    return text


def is_harmless(line: str) -> bool:
    """Whether this text, all parts of it, and all names in it would be shown as they are."""
    return len(line) <= TEXT_CHARACTERS_MAX and not _suspected(line)


def _suspected(text: str) -> Sequence[Rule]:
    """The rules that may have something to mask, in their order. Letters of others have cases of
    their own, which the marks know nothing of."""
    if not text.isascii():
        return (*RULES, CARD_NUMBERS)
    lowered = text.lower()
    found = [mark for mark in _MARKED if mark in lowered]
    marked = {id(rule) for mark in found for rule in _MARKED[mark]} if found else ()
    rules = [rule for rule in RULES if id(rule) in marked] if found else []
    shape = text.encode().translate(_DIGITS_AS_ZEROS)
    if b"0000000000000" in shape or b"0000 0000" in shape:
        rules.append(CARD_NUMBERS)
    return rules


@lru_cache(NAMES_KEPT_MAX)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.fullmatch(name) is not None


def _value_under(name: str, value: object, depth: int) -> Any:
    if _is_secret(name) and value is not None:
        return MASK
    return _value(value, depth)


def _value(value: object, depth: int) -> Any:
    """Text, numbers and their containers; anything else becomes its masked representation."""
    if isinstance(value, str):
        return redacted(value)
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        if -DIGITS_MIN < value < DIGITS_MIN:
            return value
        return value if value.bit_length() < 64 and redacted(str(value)) == str(value) else MASK
    if depth and isinstance(value, Mapping):
        pairs = list(value.items())[:ITEMS_MAX]
        return {redacted(str(name)): _value_under(str(name), one, depth - 1) for name, one in pairs}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_value(one, depth - 1) for one in list(value)[:ITEMS_MAX]]
    return redacted(repr(value))
