"""Which representation a client wants, by the weights of its `Accept` header.

Clients send headers that mention everything they can read (urql names five types with every
request), so a type is chosen by weight and specificity and never because it is merely mentioned.
The HTTP status of an answer depends on the representation and is decided here too.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from gateway.execution.operation import Answer, OperationKind
from gateway.web.http_errors import STATUS_OF_CODE, HttpRefusal

RANGES_MAX = 20
"""Browsers send about eight media ranges; the rest of a longer header is not looked at."""


HEADERS_KEPT_MAX = 256
"""Headers that are known already: a client sends the same one with every request."""


class Representation(enum.Enum):
    """The forms of an answer, each named by its media type."""

    JSON = "application/json"
    GRAPHQL_JSON = "application/graphql-response+json"
    EVENT_STREAM = "text/event-stream"
    PAGE = "text/html"


_RISING = (
    Representation.PAGE,
    Representation.EVENT_STREAM,
    Representation.GRAPHQL_JSON,
    Representation.JSON,
)
"""Between equals the last counts: the older JSON type, for clients that do not name the newer."""


@dataclass(frozen=True, slots=True)
class Accept:
    """A parsed `Accept` header: the weight of each media range."""

    weights: dict[str, float]
    chosen: dict[OperationKind | None, Representation] = field(default_factory=dict, compare=False)
    """What was found for a kind of operation."""

    @classmethod
    @lru_cache(HEADERS_KEPT_MAX)
    def parse(cls, header: str | None) -> Accept:
        """An absent or empty header accepts anything; a range that is not one is ignored."""
        weights: dict[str, float] = {}
        for part in (header or "*/*").split(",")[:RANGES_MAX]:
            media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
            if "/" in media_range:
                weights.setdefault(media_range, _weight(parameters))
        return cls(weights)

    def prefers_page(self) -> bool:
        """Whether this is a browser that was pointed at the endpoint."""
        return self.best(Representation.JSON, Representation.PAGE) is Representation.PAGE

    def best(self, *offered: Representation) -> Representation | None:
        """The one of the greatest weight, then of the closest range; None if none is wanted."""
        best = max(offered, key=self._rank)
        return best if self._rank(best)[0] > 0 else None

    def _rank(self, representation: Representation) -> tuple[float, int, int]:
        exact = representation.value
        wider = f"{exact.partition('/')[0]}/*"
        for specificity, media_range in ((2, exact), (1, wider), (0, "*/*")):
            if media_range in self.weights:
                is_newer_named = representation is Representation.GRAPHQL_JSON and specificity == 2
                preference = len(_RISING) if is_newer_named else _RISING.index(representation)
                return (self.weights[media_range], specificity, preference)
        return (0, 0, 0)


def _weight(parameters: list[str]) -> float:
    """A weight of the grammar (0 to 1, three decimals); anything else counts as unwanted."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            text = value.strip()
            digits = text.replace(".", "", 1)
            is_weight = digits.isascii() and digits.isdigit() and len(text) <= 5
            return min(float(text), 1.0) if is_weight else 0.0
    return 1.0


def representation_for(accept: Accept, kind: OperationKind | None) -> Representation:
    """How to answer an operation of this kind; None when it was refused before it had one.

    A stream goes only to who names event streams: a client that says `*/*` expects an answer that
    ends. Refuses with 406 what the client could not read, before anything is executed.
    """
    if kind in accept.chosen:
        return accept.chosen[kind]
    if kind is OperationKind.SUBSCRIPTION:
        named = {one: weight for one, weight in accept.weights.items() if one != "*/*"}
        found = Accept(named).best(Representation.EVENT_STREAM)
        message = "A subscription needs `Accept: text/event-stream`, or a WebSocket."
    else:
        found = accept.best(
            Representation.EVENT_STREAM, Representation.GRAPHQL_JSON, Representation.JSON
        )
        message = "Accept application/json or application/graphql-response+json."
    if found is None:
        raise HttpRefusal(406, message)
    accept.chosen[kind] = found
    return found


def status_of(answer: Answer, representation: Representation) -> int:
    """The status of a JSON answer, as the audits of the npm package graphql-http ask.

    200 for what was executed; else 200 for `application/json`, whose clients take another status
    for a proxy's, and 400 for `application/graphql-response+json`. The draft of 2025 moves to 422
    and 294; the audits, Apollo and Yoga have not.
    """
    if answer.executed:
        return 200
    otherwise = 200 if representation is Representation.JSON else 400
    return STATUS_OF_CODE.get(_extensions_of(answer).get("code", ""), otherwise)


def retry_headers(answer: Answer) -> dict[str, str]:
    """`Retry-After` where a refusal says when to come again."""
    seconds = None if answer.executed else _extensions_of(answer).get("retryAfterSeconds")
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _extensions_of(answer: Answer) -> dict[str, Any]:
    errors = answer.body.get("errors") or [{}]
    extensions: dict[str, Any] = errors[0].get("extensions", {})
    return extensions
