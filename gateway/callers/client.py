"""A configured client, and its token, of which only the SHA-256 is ever kept.

A token is 256 random bits, so a plain hash is enough: there is nothing to guess from it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from schema.ports import Viewer

TOKEN_PREFIX = "igw_"
"""Lets secret scanners and people recognise one."""
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Client:
    """One entry of the clients file. `origins` empty: pages of every allowed origin."""

    name: str
    digests: tuple[str, ...]
    viewer: Viewer
    origins: frozenset[str] = frozenset()


def new_token() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> str:
    """The SHA-256 of a token, in lower-case hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
