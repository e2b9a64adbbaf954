"""Finds in an answer what belongs to somebody else, whatever form it has."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection
from typing import Any

from tests.tenancy.account import GLOBEX, GLOBEX_DIGITS, mark

_WORD = re.compile(r"[A-Za-z0-9_@.\-]+")
_REQUEST_ID = re.compile(r'"requestId":\s*"[^"]*"')


def strayed(text: str, hidden: Collection[str], sent: Any = ()) -> set[str]:
    """Words of Globex's in a text that went to somebody else, but for those that were sent, whole
    or cut short. Cursors are looked into as well.
    """
    plain = _REQUEST_ID.sub("", text)
    words = set(_WORD.findall(plain))
    inner = {word for each in words for word in _WORD.findall(_decoded(each))}
    foreign = {word for word in words | inner if mark(GLOBEX) in word or word.strip(".") in hidden}
    digits = {digits for digits in GLOBEX_DIGITS if digits in plain}
    known = _sent(sent)
    return digits | {word for word in foreign if not any(one.startswith(word) for one in known)}


def _sent(sent: Any) -> set[str]:
    words = set(_WORD.findall(json.dumps(sent)))
    return words | {word for each in words for word in _WORD.findall(_decoded(each))}


def _decoded(word: str) -> str:
    """What a cursor holds; nothing where it is none."""
    try:
        padded = word + "=" * (-len(word) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
