"""Made-up documents, variables and bytes against a running gateway over HTTP: no 500, ever.

Documents are valid by the printed schema and speak of objects that the gateway really has. A
failure prints what repeats it. GATEWAY_FUZZ_EXAMPLES=5000 makes a longer run.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib import resources
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.stripe_mode.world import stripe_world
from tests.support.documents import (
    INSTANTS,
    NUMBERS,
    broken_queries,
    valid_mutations,
    valid_queries,
)
from tests.support.served import Served, serving

EXAMPLES = settings(
    max_examples=int(os.environ.get("GATEWAY_FUZZ_EXAMPLES", "75")),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

IDS = (
    "in_demo_paid_by_two",
    "in_demo_open",
    "in_demo_partly_paid",
    "in_demo_void",
    "in_demo_out_of_band",
)
"""Of the demo data; a test holds them against it, and what they lead to is found in them."""

STATUSES = {200, 400, 405, 406, 413, 415, 431}
"""What a client can have deserved."""


@dataclass(slots=True)
class Target:
    """A gateway in a thread of its own, so that hypothesis can run beside it."""

    host: str
    port: int
    ids: tuple[str, ...]
    cursors: tuple[str, ...]

    def send(
        self, body: bytes, *, method: str = "POST", path: str = "/graphql", **headers: str
    ) -> tuple[int, bytes]:
        connection = HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} | headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def ask(self, query: str, variables: object = None, **more: object) -> dict[str, Any]:
        """The answer, which is one of GraphQL and not a failure of ours."""
        payload = json.dumps({"query": query, "variables": variables, **more}).encode()
        status, body = self.send(payload)
        return checked(status, body)


def checked(status: int, body: bytes) -> dict[str, Any]:
    """The answer is JSON with data or with errors, each of the closed list and none of ours."""
    assert status in STATUSES, (status, body[:500])
    answer: dict[str, Any] = json.loads(body)
    assert "data" in answer or answer["errors"]
    for error in answer.get("errors", ()):
        assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR", error
        assert len(error["message"]) <= 300
    return answer


FIND = """{
  invoices(first: 20) { nodes { id customerId payments { nodes { id sourceId } } } }
  invoicePaymentEvents { edges { cursor } }
}"""


async def found(served: Served) -> tuple[set[str], set[str]]:
    """Ids of the demo's objects, and cursors of its log."""
    data = await served.data(FIND)
    ids: set[str] = set()
    for invoice in data["invoices"]["nodes"]:
        ids |= {invoice["id"], invoice["customerId"]} - {None}
        for payment in invoice["payments"]["nodes"]:
            ids |= {payment["id"], payment["sourceId"]}
    return ids, {edge["cursor"] for edge in data["invoicePaymentEvents"]["edges"]}


@asynccontextmanager
async def _over_memory() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


@asynccontextmanager
async def _over_stripe() -> AsyncIterator[Served]:
    """The demo in a sandbox, behind Stripe's backend and its cache."""
    demo = resources.files("gateway.sandbox.fixtures").joinpath("demo.json").read_bytes()
    async with stripe_world() as world:
        world.sandbox.load(demo)
        yield world.served


@pytest.fixture(scope="module", params=[_over_memory, _over_stripe], ids=["memory", "stripe"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The gateway of the demo, on the loopback."""
    begun: list[Target] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def serve(loop_box: list[asyncio.AbstractEventLoop]) -> None:
        loop_box.append(asyncio.get_running_loop())
        async with request.param() as served:
            ids, cursors = await found(served)
            assert set(IDS) <= ids
            host, port = served.url.host or "", served.url.port or 0
            begun.append(Target(host, port, tuple(sorted(ids)), tuple(sorted(cursors))))
            ready.set()
            await stop.wait()

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve(loops)), daemon=True)
    thread.start()
    assert ready.wait(120)
    yield begun[0]
    loops[0].call_soon_threadsafe(stop.set)
    thread.join(30)
    assert not thread.is_alive()


@given(data=st.data())
@EXAMPLES
def test_any_valid_query_is_answered(target: Target, data: st.DataObject) -> None:
    """About objects that are there, with arguments that may be good or bad."""
    query = data.draw(valid_queries(ids=target.ids, cursors=target.cursors))

    target.ask(query)


@given(data=st.data())
@EXAMPLES
def test_any_valid_mutation_is_answered(target: Target, data: st.DataObject) -> None:
    """What it does to the demo is the ledger's business; here it only has to be said."""
    query = data.draw(valid_mutations(ids=target.ids, cursors=target.cursors))

    target.ask(query)


@given(data=st.data())
@EXAMPLES
def test_any_query_that_breaks_the_schema_once_is_refused(
    target: Target, data: st.DataObject
) -> None:
    """One violation each, whatever it is; nothing of it runs."""
    query = data.draw(broken_queries(ids=target.ids, cursors=target.cursors))

    assert "errors" in target.ask(query)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(NUMBERS)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from((*IDS, *INSTANTS, "OPEN", "PAID", "usd", "1.00", "\u0000", "x" * 500))
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)

OPERATIONS = (
    "query ($v: ID!) { invoice(id: $v) { id status } }",
    'query ($v: ID = "in_demo_open") { invoice(id: $v) { id } }',
    "query ($v: [ID!]!) { nodes(ids: $v) { id __typename } }",
    "query ($v: Int) { invoices(first: $v) { nodes { id } } }",
    "query ($v: InvoiceFilter) { invoices(filter: $v) { nodes { id } } }",
    "query ($v: CreditNoteInput!) { creditNotePreview(input: $v) { type } }",
    "query ($v: EventCursor) { invoicePaymentEvents(after: $v) { nodes { id } } }",
    "query ($v: Boolean!) { gateway @include(if: $v) { version } }",
    "query ($v: Boolean = true) { gateway @skip(if: $v) { version } }",
    "mutation ($v: AttachPaymentInput!) { attachPayment(input: $v) { errors { code path } } }",
    "mutation ($v: DetachPaymentInput!) { detachPayment(input: $v) { errors { code path } } }",
    "mutation ($v: CreateCreditNoteInput!) { createCreditNote(input: $v) { errors { code } } }",
)

INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "invoiceId": st.sampled_from(IDS) | JSON,
        "customerId": JSON,
        "paymentIntentId": JSON,
        "idempotencyKey": st.sampled_from(("k", "", "x" * 256)) | JSON,
        "amountMinorUnits": st.sampled_from(NUMBERS) | JSON,
        "ifAmountPaidMinorUnits": JSON,
        "payment": st.dictionaries(
            st.sampled_from(("paymentIntentId", "paymentRecordId", "outOfBand")), JSON, max_size=2
        ),
        "creditNote": JSON,
        "reason": JSON,
        "status": JSON,
        "created": st.dictionaries(st.sampled_from(("from", "to")), JSON),
    },
)


@given(query=st.sampled_from(OPERATIONS), value=JSON | INPUTS)
@example('query ($v: ID = "in_demo_open") { invoice(id: $v) { id } }', None)
@example("query ($v: Boolean = true) { gateway @skip(if: $v) { version } }", None)
@EXAMPLES
def test_any_variables_are_answered(target: Target, query: str, value: object) -> None:
    """Whatever JSON stands where an id, a number, a filter or an input is wanted."""
    target.ask(query, {"v": value})


@given(variables=JSON, operation_name=JSON, extensions=JSON, document_id=JSON)
@EXAMPLES
def test_any_parameters_are_answered(
    target: Target,
    variables: object,
    operation_name: object,
    extensions: object,
    document_id: object,
) -> None:
    """Each parameter of a request may be anything that JSON can say."""
    target.ask(
        "query Q { gateway { version } }",
        variables,
        operationName=operation_name,
        extensions=extensions,
        documentId=document_id,
    )


GOOD = [
    json.dumps({"query": query, "variables": {"v": "in_demo_open"}}).encode()
    for query in OPERATIONS
]

CHANGES = st.lists(
    st.tuples(st.sampled_from(("cut", "put", "swap", "double")), st.integers(0, 400), st.binary(
        min_size=1, max_size=4)),
    min_size=1,
    max_size=5,
)  # fmt: skip


def changed(body: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    """The same body with some of its bytes missing, added, replaced or said twice."""
    for how, where, what in changes:
        at = where % (len(body) + 1)
        if how == "cut":
            body = body[:at] + body[at + len(what) :]
        elif how == "put":
            body = body[:at] + what + body[at:]
        elif how == "swap":
            body = body[:at] + what + body[at + len(what) :]
        else:
            body = body[:at] + body[at // 2 :]
    return body


@given(body=st.sampled_from(GOOD), changes=CHANGES)
@EXAMPLES
def test_any_bytes_are_answered(target: Target, body: bytes, changes: Any) -> None:
    """Good requests that were damaged on their way."""
    checked(*target.send(changed(body, changes)))


@given(query=st.sampled_from(OPERATIONS), changes=CHANGES)
@EXAMPLES
def test_any_text_is_answered(target: Target, query: str, changes: Any) -> None:
    """Documents that were damaged, in requests that are whole."""
    text = changed(query.encode(), changes).decode(errors="replace")

    target.ask(text, {"v": "in_demo_open"})


@given(
    path=st.lists(
        st.sampled_from(
            ("query", "variables", "extensions", "documentId", "operationName")
        ).flatmap(
            lambda name: st.tuples(
                st.just(name), st.text('%{}[]":,abc0123\u00e9 _=&+', max_size=20)
            )
        ),
        max_size=4,
    )
)
@EXAMPLES
def test_any_query_string_is_answered(target: Target, path: list[tuple[str, str]]) -> None:
    """Percent signs, half of JSON, a parameter twice: a GET is parsed like the rest."""
    text = "&".join(f"{name}={value}" for name, value in path)
    encoded = "".join(char if ord(char) < 128 and char != " " else "%C3" for char in text)
    headers = {"GraphQL-Preflight": "1", "Accept": "application/json"}

    checked(*target.send(b"", method="GET", path=f"/graphql?{encoded}", **headers))
