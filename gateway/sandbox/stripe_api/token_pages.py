"""The pages of v2's lists: each is asked for by a token that stands in the page before it.

A token says of itself which list it goes on with, and from which member; what else is sent with it,
save the size, is not looked at.
Source: https://docs.stripe.com/api-v2-overview (list pagination), 2026-10-28.endive.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from gateway.sandbox.stripe_api.api_call import PAGE_SIZE_DEFAULT, Call
from gateway.sandbox.stripe_api.api_errors import invalid
from gateway.sandbox.stripe_api.rendering import Json


@dataclass(frozen=True, slots=True)
class AskedPage:
    """A page of a list with these filters; `first` is its first member, None for the list's own."""

    filters: Mapping[str, Any]
    first: str | None
    size: int

    def printed(self, path: str, members: Sequence[Any], show: Callable[[Any], Json]) -> Json:
        """The page of the whole list. Raises `StripeError` where it begins with none of it."""
        ids = [one.id for one in members]
        if self.first is not None and self.first not in ids:
            raise invalid("Invalid page token.", "page")
        start = 0 if self.first is None else ids.index(self.first)
        end = start + self.size
        before = ids[max(0, start - self.size)] if start > 0 else None
        return {
            "data": [show(one) for one in members[start:end]],
            "next_page_url": self._url(path, ids[end] if end < len(ids) else None),
            "previous_page_url": self._url(path, before),
        }

    def _url(self, path: str, first: str | None) -> str | None:
        if first is None:
            return None
        token = base64.urlsafe_b64encode(orjson.dumps([self.filters, first])).decode()
        return f"{path}?{urlencode({'limit': self.size, 'page': token})}"


def asked_page(call: Call) -> AskedPage:
    """The page that a call asks for. Raises `StripeError` for a token that is none."""
    given = dict(call.params)
    token, size = given.pop("page", None), given.pop("limit", PAGE_SIZE_DEFAULT)
    if token is None:
        return AskedPage(given, None, size)
    try:
        filters, first = orjson.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        filters = first = None
    if not isinstance(filters, dict) or not isinstance(first, str):
        raise invalid("Invalid page token.", "page")
    return AskedPage(filters, first, size)
