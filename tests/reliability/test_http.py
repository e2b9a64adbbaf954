"""Requests that are wrong, too many, too long, too slow, or from a foreign page."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from contextlib import AsyncExitStack

import pytest

from gateway.sandbox.stripe_api import Fault, FaultKind
from schema import records
from tests.callers.desk import Desk, ask, guarded
from tests.crash.waiting import until_true
from tests.reliability.public import (
    CI,
    HANG_SECONDS_MAX,
    INVOICE,
    PARTNER,
    RIVAL,
    Public,
    Told,
    assert_polite,
    assert_refused,
    standing,
)

BAD_INPUT = "BAD_USER_INPUT"
ATTACH = """mutation { attachPayment(input: {invoiceId: "in_0001", idempotencyKey: "k",
  payment: {paymentIntentId: "pi_0001"}}) { errors { code } } }"""
PREFLIGHT = {"GraphQL_Preflight": "1"}


async def test_plain_query_of_a_partner_is_answered(public: Public) -> None:
    """So that the refusals below are about what they say."""
    told = await public.ask("{ gateway { backend } }")

    assert told.data == {"gateway": {"backend": "STRIPE"}}
    assert_polite(told)


@pytest.mark.parametrize("token", [None, "another", "", "token-acme extra"])
async def test_stranger_is_401_and_nothing_is_executed(public: Public, token: str | None) -> None:
    told = await public.ask(INVOICE, token=token)

    assert_refused(told, 401, "UNAUTHENTICATED")
    assert told.headers["WWW-Authenticate"] == "Bearer"
    assert public.calls == []


async def test_mutation_over_get_is_405_and_not_executed(public: Public) -> None:
    """Links are followed, prefetched and logged."""
    told = await public.send(None, method="GET", query={"query": ATTACH}, **PREFLIGHT)

    assert_refused(told, 405, BAD_INPUT)
    assert told.headers["Allow"] == "POST"
    assert public.calls == []


async def test_query_over_get_without_a_preflight_header_is_400(public: Public) -> None:
    """A foreign page can make a browser send it, cookies, addresses and all."""
    told = await public.send(None, method="GET", query={"query": INVOICE}, Content_Type="")

    assert_refused(told, 400, BAD_INPUT)
    assert public.calls == []


@pytest.mark.parametrize(
    "header", ["Apollo_Require_Preflight", "X_Apollo_Operation_Name", "GraphQL_Preflight"]
)
async def test_query_over_get_with_a_preflight_header_is_answered(
    public: Public, header: str
) -> None:
    """No foreign page can set one without asking first."""
    told = await public.send(
        None, method="GET", query={"query": "{ __typename }"}, Content_Type="", **{header: "1"}
    )

    assert told.data == {"__typename": "Query"}


CONTENT_TYPES = {
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain",
    "multipart": "multipart/form-data; boundary=x",
    "none": "",
    "json in a parameter": "text/plain; x=application/json",
    "longer than json": "application/jsonx",
    "json and more": "application/json, text/plain",
    "graphql": "application/graphql",
    "xml": "application/xml",
}


@pytest.mark.parametrize("content_type", CONTENT_TYPES.values(), ids=CONTENT_TYPES)
async def test_body_of_another_type_is_415_and_not_executed(
    public: Public, content_type: str
) -> None:
    """Forms of foreign pages can send all of these without a preflight."""
    told = await public.send(json.dumps({"query": INVOICE}), Content_Type=content_type)

    assert_refused(told, 415, BAD_INPUT)
    assert public.calls == []


@pytest.mark.parametrize("accept", ["image/png", "text/html", "application/json;q=0", "nonsense"])
async def test_answer_that_nobody_could_read_is_406_and_not_executed(
    public: Public, accept: str
) -> None:
    told = await public.ask(INVOICE, Accept=accept)

    assert_refused(told, 406, BAD_INPUT)
    assert public.calls == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
async def test_other_method_is_405_with_allow(public: Public, method: str) -> None:
    """TRACE would hand a script the headers it may not see."""
    told = await public.send(json.dumps({"query": INVOICE}), method=method)

    assert_refused(told, 405, BAD_INPUT)
    assert told.headers["Allow"] == "GET, POST"
    assert public.calls == []


async def test_body_over_the_limit_is_413_and_the_connection_ends(public: Public) -> None:
    told = await public.send(b" " * 100_001)

    assert_refused(told, 413, BAD_INPUT)
    assert told.headers["Connection"] == "close"


async def test_gzip_bomb_is_413(public: Public) -> None:
    """50 kB on the way in, 50 MB if it were unpacked."""
    told = await public.send(gzip.compress(b" " * 50_000_000), Content_Encoding="gzip")

    assert_refused(told, 413, BAD_INPUT)


async def test_half_sent_heads_and_bodies_are_dropped_and_others_are_served(desk: Desk) -> None:
    """25 of each. A head ends in silence, a body in 408, in the time that settings give them."""
    async with (
        standing(desk, head_timeout_seconds=1, read_timeout_seconds=1) as public,
        AsyncExitStack() as held,
        asyncio.timeout(HANG_SECONDS_MAX),
    ):
        readers = []
        for part in (HALF_A_HEAD, half_a_body(PARTNER)):
            for _ in range(25):
                reader, writer = await held.enter_async_context(public.connection())
                writer.write(part)
                readers.append(reader)

        told = await public.ask("{ __typename }")
        answers = [await reader.read() for reader in readers]

    assert told.data == {"__typename": "Query"}
    assert answers[:25] == [b""] * 25
    assert {answer[:13] for answer in answers[25:]} == {b"HTTP/1.1 408 "}


HALF_A_HEAD = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Ty"


def half_a_body(token: str) -> bytes:
    return (
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %b\r\nContent-Length: 50\r\n\r\n" % token.encode() + b'{"query":'
    )


async def test_preflight_of_a_foreign_page_gets_no_allow_origin(public: Public) -> None:
    told = await public.send(
        None,
        method="OPTIONS",
        token=None,
        Origin="https://evil.example",
        Access_Control_Request_Method="POST",
    )

    assert not [name for name in told.headers if name.lower().startswith("access-control")]


async def test_answer_to_a_foreign_page_cannot_be_read_by_it(public: Public) -> None:
    told = await public.ask("{ __typename }", Origin="https://evil.example")

    assert not [name for name in told.headers if name.lower().startswith("access-control")]
    assert "Origin" in told.headers["Vary"]


async def test_plain_query_is_answered_beside_100_costly_documents(public: Public) -> None:
    """How soon is measured elsewhere; here, that the costly ones are refused and it is not."""
    costly = "{ " + " ".join(f"a{i}: __typename" for i in range(1000)) + " }"

    async with asyncio.timeout(HANG_SECONDS_MAX):
        flood = asyncio.gather(*(public.ask(costly, token=RIVAL) for _ in range(100)))
        plain = await public.ask("{ __typename }")
        refusals = await flood

    assert plain.data == {"__typename": "Query"}
    assert {(told.status, told.codes[0]) for told in refusals} == {(400, "QUERY_TOO_COMPLEX")}


HELD = Fault(FaultKind.HANG)


async def under_way(public: Public, token: str, invoice_id: str) -> asyncio.Task[Told]:
    """A query that Stripe does not answer; returns once Stripe has it."""
    path = f"/v1/invoices/{invoice_id}"
    public.sandbox.faults.add(HELD, path=path, times=None)
    query = f'{{ invoice(id: "{invoice_id}") {{ id }} }}'
    task = asyncio.create_task(public.ask(query, token=token))
    await until_true(lambda: f"GET {path}" in public.calls, "the query")
    return task


async def test_full_gateway_is_503_with_retry_after(desk: Desk) -> None:
    """Who is told at once to come again need not wait until it gives up."""
    async with standing(desk, operations_under_way_max=1) as public:
        held = await under_way(public, PARTNER, "in_held")

        told = await public.ask(INVOICE, token=RIVAL)
        held.cancel()

    assert_refused(told, 503, "RATE_LIMITED")
    assert int(told.headers["Retry-After"]) > 0


async def test_partner_beyond_its_share_is_429_with_retry_after_and_others_are_not(
    desk: Desk,
) -> None:
    async with standing(desk, operations_per_viewer_max=1) as public:
        held = await under_way(public, PARTNER, "in_held")

        flooding = await public.ask("{ __typename }")
        other = await public.ask("{ __typename }", token=RIVAL)
        held.cancel()

    assert_refused(flooding, 429, "RATE_LIMITED")
    assert int(flooding.headers["Retry-After"]) > 0
    assert other.data == {"__typename": "Query"}


async def test_partner_beyond_its_budget_is_429_with_retry_after_and_others_are_not(
    desk: Desk,
) -> None:
    """A budget is spent in cost; what is refused asks nobody upstream."""
    async with standing(desk, cost_per_minute=2) as public:
        for _ in range(2):
            await public.ask(INVOICE)
        calls_before = len(public.calls)
        spent = await public.ask(INVOICE)
        other = await public.ask("{ __typename }", token=RIVAL)

        assert_refused(spent, 429, "RATE_LIMITED")
        assert 0 < int(spent.headers["Retry-After"]) <= 60
        assert other.data == {"__typename": "Query"}
        assert len(public.calls) == calls_before


@pytest.mark.parametrize("path", ["/graphql", "/graphiql", "/playground", "/console", "/console/"])
async def test_no_ide_stands_on_a_public_address(public: Public, path: str) -> None:
    """It lives from introspection, which strangers may not do."""
    told = await public.send(None, method="GET", token=None, path=path, Accept="text/html")

    assert told.status in (404, 406)
    assert "graphiql" not in told.text.lower()
    assert_polite(told)


@pytest.mark.parametrize("path", ["/graphql", "/nowhere", "/readyz", "/webhooks/stripe"])
async def test_every_answer_is_nosniff_no_store_and_without_a_banner(
    public: Public, path: str
) -> None:
    """Health pages and unknown paths too."""
    told = await public.send(None, method="GET", token=None, path=path)

    assert_polite(told)


async def test_answer_holds_no_tracing_and_no_extensions_but_what_is_documented(
    public: Public,
) -> None:
    told = await public.ask("{ gateway { version } }")

    assert told.body.get("extensions", {}).keys() <= {"cost", "upstream"}


MISSPELT = {
    "a field": "{ gatewy { version } }",
    "a field below": "{ gateway { versio } }",
    "an argument": '{ invoice(idd: "in_1") { id } }',
    "a type": "query ($id: Invoic) { __typename }",
    "a fragment's type": "{ ... on Quer { __typename } }",
    "a directive": "{ __typename @skipp(if: true) }",
    "an enum value": "{ invoices(filter: {status: OPE}) { nodes { id } } }",
    "an input field": "{ invoices(filter: {statuss: OPEN}) { nodes { id } } }",
    "a missing subselection": '{ invoice(id: "in_1") }',
    "a field on a union": "subscription { invoicePaymentEvents { curso } }",
    "introspection": "{ __schema { directive } }",
    "typename": "{ __type(nam: 1) { name } }",
}


@pytest.mark.parametrize("document", MISSPELT.values(), ids=MISSPELT)
async def test_misspelt_name_is_not_corrected_for_who_may_not_introspect(
    public: Public, document: str
) -> None:
    """Suggestions tell the schema a guess at a time."""
    told = await public.ask(document)

    assert_refused(told, 400, "GRAPHQL_VALIDATION_FAILED")
    assert "Did you mean" not in told.text
    assert public.calls == []


async def test_misspelt_variable_value_is_not_corrected_either(public: Public) -> None:
    query = "query ($f: InvoiceFilter) { invoices(filter: $f) { nodes { id } } }"

    value = await public.ask(query, {"f": {"status": "OPE"}})
    name = await public.ask(query, {"f": {"statuss": "OPEN"}})

    for told in (value, name):
        assert_refused(told, 400, BAD_INPUT)
        assert "Did you mean" not in told.text
        assert "UNCOLLECTIBLE" not in told.text


async def test_misspelt_name_is_corrected_for_who_may_introspect(public: Public) -> None:
    """It knows the schema anyway."""
    told = await public.ask("{ gatewy { version } }", token=CI)

    assert "Did you mean 'gateway'" in told.text


@pytest.mark.usefixtures("surprising")
async def test_surprise_in_a_resolver_tells_the_client_an_id_and_the_log_the_story(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that cannot be: the client learns where its null is, and nothing of our code."""
    token = desk.admit("acme")
    broken = records.Customer("cus_broken", created=10**20)
    query = '{ customer(id: "cus_broken") { id createdAt } }'

    async with guarded(desk) as served:
        served.twin.customers.put(broken)
        with caplog.at_level(logging.ERROR):
            status, body, headers = await ask(served, token, query)

    (error,) = body["errors"]
    assert (status, body["data"]) == (200, {"customer": None})
    assert (error["message"], error["path"]) == ("Internal error", ["customer", "createdAt"])
    assert error["extensions"] == {
        "code": "INTERNAL_SERVER_ERROR",
        "requestId": headers["X-Request-Id"],
    }
    (record,) = [one for one in caplog.records if one.exc_info]
    assert headers["X-Request-Id"] in record.getMessage()
