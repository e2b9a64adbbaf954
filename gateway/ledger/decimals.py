"""Exact decimals as text, as Stripe has them where numbers are no money."""

from __future__ import annotations

import re

_DECIMAL = re.compile(r"(-?[0-9]{1,30})(?:\.([0-9]{1,30}))?", re.ASCII)
"""Far longer than any number of Stripe's, which have at most 12 places."""


def exact_decimal(text: str | None) -> str | None:
    """The number in its shortest form, as Stripe writes 2 also as "2.0"; None for what is none."""
    found = None if text is None else _DECIMAL.fullmatch(text)
    if found is None:
        return None
    places = (found[2] or "").rstrip("0")
    return f"{found[1]}.{places}" if places else found[1]
