"""How a web origin is written, and whether a request comes from this machine's own pages.

The latter goes by headers alone. It protects users of browsers from foreign pages, which may point
a name of their own at the loopback (DNS rebinding), and is no authentication: programs can send
any header.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_FORM = re.compile(r"https?://[^/\s,]+")
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback_host(host: str) -> bool:
    """Whether this `Host` is a name of the loopback, whatever the port."""
    try:
        return urlsplit(f"//{host}").hostname in _LOOPBACK_HOSTS
    except ValueError:
        return False


def is_same_origin(origin: str, host: str) -> bool:
    """Compares host and port only: the scheme is not known behind a proxy that ends TLS."""
    scheme = origin.partition("://")[0].lower()
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"{scheme}://{host}")
        ports = (theirs.port or _DEFAULT_PORTS[scheme], ours.port or _DEFAULT_PORTS[scheme])
    except (ValueError, KeyError):
        return False
    return theirs.hostname == ours.hostname and ports[0] == ports[1]


def checked_origin(text: str) -> str:
    """The origin. Raises `ValueError` with what would be right."""
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text!r} is no origin: write it like https://app.example.com")
    return text


Origin = Annotated[str, AfterValidator(checked_origin)]
