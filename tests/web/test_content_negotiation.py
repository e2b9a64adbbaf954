"""Which representation each client's Accept header gets, and with which status."""

from __future__ import annotations

import pytest

from gateway.execution.operation import Answer, OperationKind
from gateway.web.content_negotiation import (
    Accept,
    Representation,
    representation_for,
    retry_headers,
    status_of,
)
from gateway.web.http_errors import HttpRefusal, refused
from schema.ports import ErrorCode
from tests.web.serving import Served

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
STREAM = "text/event-stream"
REFUSED = "406"

URQL = f"{GRAPHQL}, application/graphql+json, {JSON}, {STREAM}, multipart/mixed"
URQL_STREAM = f"{STREAM}, multipart/mixed"
APOLLO = f"{GRAPHQL},{JSON};q=0.9"
APOLLO_STREAM = f"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,{APOLLO}"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

# header, representation of a query or a mutation, representation of a subscription
HEADERS = {
    "absent": (None, JSON, REFUSED),
    "anything": ("*/*", JSON, REFUSED),
    "any application": ("application/*", JSON, REFUSED),
    "any text": ("text/*", STREAM, STREAM),
    "json": (JSON, JSON, REFUSED),
    "graphql": (GRAPHQL, GRAPHQL, REFUSED),
    "graphql with charset": (f"{GRAPHQL}; charset=utf-8", GRAPHQL, REFUSED),
    "upper case": ("Application/JSON", JSON, REFUSED),
    "graphql-sse": (STREAM, STREAM, STREAM),
    "urql": (URQL, GRAPHQL, STREAM),
    "urql for subscriptions": (URQL_STREAM, STREAM, STREAM),
    "apollo": (APOLLO, GRAPHQL, REFUSED),
    "apollo for subscriptions": (APOLLO_STREAM, GRAPHQL, REFUSED),
    "multipart only": ("multipart/mixed;subscriptionSpec=1.0", REFUSED, REFUSED),
    "image": ("image/png", REFUSED, REFUSED),
    "browser": (BROWSER, JSON, REFUSED),
    "json over graphql": (f"{GRAPHQL};q=0.5, {JSON}", JSON, REFUSED),
    "stream over json": (f"{JSON};q=0.5, {STREAM}", STREAM, STREAM),
    "json and stream": (f"{STREAM}, {JSON}", JSON, STREAM),
    "anything but json": (f"{JSON};q=0, */*;q=0.1", GRAPHQL, REFUSED),
    "stream unwanted": (f"{STREAM};q=0, */*", JSON, REFUSED),
    "nothing wanted": ("*/*;q=0", REFUSED, REFUSED),
    "weight that is none": (f"{JSON};q=high, {GRAPHQL};q=0.1", GRAPHQL, REFUSED),
    "no media ranges": ("json; ,;;,", REFUSED, REFUSED),
}


def chosen(header: str | None, kind: OperationKind) -> str:
    try:
        return representation_for(Accept.parse(header), kind).value
    except HttpRefusal as refusal:
        return str(refusal.status)


@pytest.mark.parametrize(("header", "result", "stream"), HEADERS.values(), ids=HEADERS.keys())
def test_each_client_gets_the_best_it_can_read(
    header: str | None, result: str, stream: str
) -> None:
    """A representation is chosen by weight, then by specificity, and never by mere mention."""
    found = {kind: chosen(header, kind) for kind in OperationKind}

    assert found == {
        OperationKind.QUERY: result,
        OperationKind.MUTATION: result,
        OperationKind.SUBSCRIPTION: stream,
    }


def test_only_a_client_that_prefers_html_gets_the_page() -> None:
    """Programs say `*/*` and want JSON."""
    preferring = [Accept.parse(header).prefers_page() for header in (BROWSER, "*/*", JSON, None)]

    assert preferring == [True, False, False, False]


EXECUTED = Answer(body={"data": None}, executed=True)

# answer, status as application/json, status as application/graphql-response+json
STATUSES = {
    "executed": (EXECUTED, 200, 200),
    "does not parse": (refused(ErrorCode.GRAPHQL_PARSE_FAILED, ""), 200, 400),
    "is not valid": (refused(ErrorCode.GRAPHQL_VALIDATION_FAILED, ""), 200, 400),
    "bad variables": (refused(ErrorCode.BAD_USER_INPUT, ""), 200, 400),
    "too complex": (refused(ErrorCode.QUERY_TOO_COMPLEX, ""), 200, 400),
    "rate limited": (refused(ErrorCode.RATE_LIMITED, ""), 429, 429),
    "forbidden": (refused(ErrorCode.FORBIDDEN, ""), 403, 403),
    "our mistake": (refused(ErrorCode.INTERNAL_SERVER_ERROR, ""), 500, 500),
}


@pytest.mark.parametrize(("answer", "json", "graphql"), STATUSES.values(), ids=STATUSES.keys())
def test_the_status_depends_on_the_representation(answer: Answer, json: int, graphql: int) -> None:
    """Clients of `application/json` take anything but 200 for the failure of a proxy."""
    found = [
        status_of(answer, representation)
        for representation in (Representation.JSON, Representation.GRAPHQL_JSON)
    ]

    assert found == [json, graphql]


def test_a_refusal_may_say_when_to_come_again() -> None:
    """What the error says in its extensions, HTTP clients find in the header they know."""
    body = {"errors": [{"message": "", "extensions": {"retryAfterSeconds": 7}}]}

    assert retry_headers(Answer(body=body, executed=False)) == {"Retry-After": "7"}


async def test_the_content_type_is_the_negotiated_one(gateway: Served) -> None:
    """What was chosen is what is said."""
    response = await gateway.post("{ hello }", headers={"Accept": APOLLO})

    assert response.headers["Content-Type"] == f"{GRAPHQL}; charset=utf-8"


@pytest.mark.parametrize("header", [JSON, APOLLO_STREAM, "*/*"])
async def test_a_subscription_without_a_stream_is_not_executed(
    gateway: Served, header: str
) -> None:
    """Run as a query it would only fail; the client learns which transports there are."""
    response = await gateway.post("subscription { held }", headers={"Accept": header})
    answer = await response.json()

    assert response.status == 406
    assert answer["errors"][0]["message"] == (
        "A subscription needs `Accept: text/event-stream`, or a WebSocket."
    )
    assert gateway.runner.executed == []


async def test_what_nobody_could_read_is_not_executed(gateway: Served) -> None:
    """A client that wants a picture gets no mutation done either."""
    response = await gateway.post("mutation { pay }", headers={"Accept": "image/png"})

    assert response.status == 406
    assert gateway.runner.executed == []
