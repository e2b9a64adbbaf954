"""Which representation a client wants, by the weights of its `Accept` header.

Clients send headers that mention everything they can read (urql names five types with every
request), so a type is chosen by weight and specificity and never because it is merely mentioned.
The HTTP status of an answer depends on the representation and is decided here too.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from gateway.execution.operation import Answer, OperationKind
from gateway.web.http_errors import HttpRefusal
from schema.ports import ErrorCode

RANGES_MAX = 20
"""Browsers send about eight media ranges; the rest of a longer header is not looked at."""


class Representation(enum.Enum):
    """The forms of an answer, each named by its media type."""

    JSON = "application/json"
    GRAPHQL_JSON = "application/graphql-response+json"
    EVENT_STREAM = "text/event-stream"
    PAGE = "text/html"


@dataclass(frozen=True, slots=True)
class _Range:
    """One media range of the header. `specificity`: 0 for `*/*`, 1 for `text/*`, 2 exact."""

    type: str
    weight: float

    @property
    def specificity(self) -> int:
        return 2 - self.type.count("*")

    def covers(self, media_type: str) -> bool:
        if self.type == "*/*":
            return True
        if self.type.endswith("/*"):
            return media_type.startswith(self.type[:-1])
        return media_type == self.type


@dataclass(frozen=True, slots=True)
class Accept:
    """A parsed `Accept` header."""

    ranges: tuple[_Range, ...]

    @classmethod
    def parse(cls, header: str | None) -> Accept:
        """An absent or empty header accepts anything; a range that is not one is ignored."""
        parts = (header or "*/*").split(",")[:RANGES_MAX]
        ranges = tuple(found for part in parts if (found := _range(part)) is not None)
        return cls(ranges)

    def for_result(self) -> Representation | None:
        """How to send the one answer of a query or a mutation."""
        return self._best(
            Representation.JSON, Representation.GRAPHQL_JSON, Representation.EVENT_STREAM
        )

    def for_stream(self) -> Representation | None:
        """How to send the answers of a subscription.

        Only to who names event streams: a client that says `*/*` expects an answer that ends.
        """
        named = tuple(found for found in self.ranges if found.type != "*/*")
        return Accept(named)._best(Representation.EVENT_STREAM)

    def prefers_page(self) -> bool:
        """Whether this is a browser that was pointed at the endpoint."""
        return self._best(Representation.JSON, Representation.PAGE) is Representation.PAGE

    def _best(self, *offered: Representation) -> Representation | None:
        ranked = [(self._rank(representation), representation) for representation in offered]
        rank, best = max(ranked, key=lambda pair: pair[0])
        return best if rank[0] > 0 else None

    def _rank(self, representation: Representation) -> tuple[float, int, int]:
        covering = [found for found in self.ranges if found.covers(representation.value)]
        if not covering:
            return (0, 0, 0)
        closest = max(covering, key=lambda found: found.specificity)
        exact = closest.specificity == 2
        return (closest.weight, closest.specificity, _preference(representation, exact))


def representation_for(accept: Accept, kind: OperationKind | None) -> Representation:
    """How to answer an operation of this kind; None when it was refused before it had one.

    Refuses with 406 what the client could not read, before anything is executed.
    """
    if kind is not OperationKind.SUBSCRIPTION:
        found = accept.for_result()
        message = "Accept application/json or application/graphql-response+json."
    else:
        found = accept.for_stream()
        message = "A subscription needs `Accept: text/event-stream`, or a WebSocket."
    if found is None:
        raise HttpRefusal(406, ErrorCode.BAD_USER_INPUT, message)
    return found


STATUS_OF_CODE: dict[str, int] = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.INTERNAL_SERVER_ERROR: 500,
}
"""Refusals of whole requests that proxies and clients must see whatever type they accept."""


def status_of(answer: Answer, representation: Representation) -> int:
    """The status of a JSON answer, as the audits of the npm package graphql-http ask.

    200 for what was executed; else 200 for `application/json`, whose clients take another status
    for a proxy's, and 400 for `application/graphql-response+json`. The draft of 2025 moves to 422
    and 294; the audits, Apollo and Yoga have not.
    """
    if answer.executed:
        return 200
    status = STATUS_OF_CODE.get(_extensions_of(answer).get("code", ""))
    if status is not None:
        return status
    return 200 if representation is Representation.JSON else 400


def retry_headers(answer: Answer) -> dict[str, str]:
    """`Retry-After` where a refusal says when to come again."""
    seconds = None if answer.executed else _extensions_of(answer).get("retryAfterSeconds")
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _extensions_of(answer: Answer) -> dict[str, Any]:
    errors = answer.body.get("errors") or [{}]
    extensions: dict[str, Any] = errors[0].get("extensions", {})
    return extensions


def _preference(representation: Representation, exact: bool) -> int:
    """Between equals: the newer JSON type for clients that name it, the older for the others."""
    if representation is Representation.GRAPHQL_JSON and exact:
        return len(_RISING)
    return _RISING.index(representation)


_RISING = (
    Representation.PAGE,
    Representation.EVENT_STREAM,
    Representation.GRAPHQL_JSON,
    Representation.JSON,
)


def _range(part: str) -> _Range | None:
    media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
    if "/" not in media_range:
        return None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return _Range(media_range, _weight(value.strip()))
    return _Range(media_range, 1.0)


def _weight(text: str) -> float:
    """A weight of the grammar (0 to 1, three decimals); anything else counts as unwanted."""
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit() and len(text) <= 5):
        return 0.0
    return min(float(text), 1.0)
