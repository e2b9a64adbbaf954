"""Writes that are repeated, raced or abandoned, and a Stripe that is slow, broken or silent.

Every write under every fault of the wire, with the journal before it, is in
`tests.stripe_edge.test_faults_over_sandbox`; here is what a partner sees of it from outside.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.sandbox.stripe_api import Fault, FaultKind
from tests.callers.desk import Desk
from tests.crash.waiting import until_true
from tests.reliability.public import (
    PARTNER,
    RIVAL,
    Public,
    Told,
    assert_polite,
    standing,
)
from tests.reliability.sockets import introduced, item, received, subscribe
from tests.support.stage import GLOBEX

PROBLEM = """ fragment Problem on PaymentError { __typename code message
  ... on UpstreamProblem { retryable retryAfterSeconds stripeCode } }"""
ATTACH = (
    """mutation ($invoice: ID!, $intent: ID!, $key: String!) { attachPayment(input: {
  invoiceId: $invoice, payment: {paymentIntentId: $intent}, idempotencyKey: $key}) {
    replayed invoice { status amountPaid { minorUnits } } errors { ...Problem } } }"""
    + PROBLEM
)
DETACH = (
    """mutation ($invoice: ID!, $intent: ID!, $key: String!) { detachPayment(input: {
  invoiceId: $invoice, paymentIntentId: $intent, idempotencyKey: $key}) {
    replayed invoice { status amountPaid { minorUnits } } newDefaultPayment { status isDefault }
    errors { ...Problem } } }"""
    + PROBLEM
)
STATUS = "query ($id: ID!) { invoice(id: $id) { status amountPaid { minorUnits } } }"


async def attach(
    public: Public, invoice_id: str, intent_id: str, key: str = "key-1", token: str = PARTNER
) -> dict[str, Any]:
    variables = {"invoice": invoice_id, "intent": intent_id, "key": key}
    payload: dict[str, Any] = (await public.ask(ATTACH, variables, token=token)).data[
        "attachPayment"
    ]
    return payload


async def detach(
    public: Public, invoice_id: str, intent_id: str, key: str = "key-1"
) -> dict[str, Any]:
    variables = {"invoice": invoice_id, "intent": intent_id, "key": key}
    payload: dict[str, Any] = (await public.ask(DETACH, variables)).data["detachPayment"]
    return payload


def codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["errors"]]


def paid_links(public: Public, invoice_id: str) -> list[str]:
    """The intents whose money counts for the invoice at Stripe."""
    links = public.stage.twin.invoice_payments.matching("invoice_id", invoice_id)
    return [one.source_id for one in links if one.status == "paid"]


def asked(public: Public) -> list[str]:
    return [one.path for one in public.sandbox.requests]


def writes(public: Public) -> list[Any]:
    return [one for one in public.sandbox.requests if one.method == "POST"]


async def test_repeated_attach_has_the_same_answer_and_is_done_once(public: Public) -> None:
    """Same key, same input: clients that saw no answer may ask again."""
    invoice_id, intent_id = public.stage.open_invoice(1000), public.stage.succeeded(1000)

    first = await attach(public, invoice_id, intent_id)
    again = await attach(public, invoice_id, intent_id)

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["invoice"] == again["invoice"]
    assert paid_links(public, invoice_id) == [intent_id]
    assert len(writes(public)) == 1


async def test_ten_attaches_with_one_key_at_once_are_done_once(public: Public) -> None:
    """Whoever is not first is told the outcome, or that it is under way."""
    invoice_id, intent_id = public.stage.open_invoice(1000), public.stage.succeeded(1000)

    payloads = await asyncio.gather(*(attach(public, invoice_id, intent_id) for _ in range(10)))

    refusals = {code for payload in payloads for code in codes(payload)}
    assert refusals <= {"IDEMPOTENCY_IN_PROGRESS"}
    assert [one["replayed"] for one in payloads if not one["errors"]].count(False) == 1
    assert paid_links(public, invoice_id) == [intent_id]
    assert len(writes(public)) == 1


async def test_key_with_another_input_is_refused_and_nothing_is_sent(public: Public) -> None:
    invoice_id = public.stage.open_invoice(2000)
    one, other = (public.stage.succeeded(1000) for _ in range(2))

    await attach(public, invoice_id, one)
    refused = await attach(public, invoice_id, other)

    assert codes(refused) == ["IDEMPOTENCY_KEY_REUSED"]
    assert paid_links(public, invoice_id) == [one]
    assert len(writes(public)) == 1


async def test_key_of_one_partner_is_no_key_of_the_other(public: Public) -> None:
    """Else one could read, or block, what the other does."""
    mine, my_intent = public.stage.open_invoice(1000), public.stage.succeeded(1000)
    theirs = public.stage.open_invoice(1000, customer_id=GLOBEX)
    their_intent = public.stage.succeeded(1000, customer_id=GLOBEX)

    first = await attach(public, mine, my_intent)
    second = await attach(public, theirs, their_intent, token=RIVAL)

    assert (first["errors"], second["errors"]) == ([], [])
    keys = [one.idempotency_key for one in writes(public)]
    assert len(set(keys)) == 2
    assert not any("key-1" in key for key in keys)


async def test_other_partner_s_invoice_and_intent_are_not_found_in_a_write(public: Public) -> None:
    """And nothing is sent to Stripe for them."""
    mine, my_intent = public.stage.open_invoice(1000), public.stage.succeeded(1000)
    theirs, (their_intent,) = public.stage.paid_by(1000, customer_id=GLOBEX)

    refused = [
        await attach(public, theirs, my_intent, "1"),
        await attach(public, mine, their_intent, "2"),
        await detach(public, theirs, their_intent, "3"),
    ]

    assert [codes(payload) for payload in refused] == [["NOT_FOUND"]] * 3
    assert writes(public) == []


UNKNOWN = {
    "reset after applying": Fault(FaultKind.RESET_AFTER),
    "reset before applying": Fault(FaultKind.RESET_BEFORE),
    "cut answer": Fault(FaultKind.CUT_BODY),
    "unreadable answer": Fault(FaultKind.INVALID_JSON),
    "500 after applying": Fault(FaultKind.SERVER_ERROR, applied=True),
    "500 before applying": Fault(FaultKind.SERVER_ERROR),
}


@pytest.mark.parametrize("fault", UNKNOWN.values(), ids=UNKNOWN)
async def test_one_lost_answer_is_asked_for_again_and_the_write_is_done_once(
    public: Public, fault: Fault
) -> None:
    """With the same key, or after a look at the invoice: never told as failed, never doubled."""
    invoice_id, intent_id = public.stage.open_invoice(1000), public.stage.succeeded(1000)
    public.sandbox.faults.add(fault, method="POST")

    payload = await attach(public, invoice_id, intent_id)
    again = await attach(public, invoice_id, intent_id)

    assert codes(payload) in ([], ["UPSTREAM_UNAVAILABLE"], ["UPSTREAM_OUTCOME_UNKNOWN"])
    assert again["errors"] == []
    assert paid_links(public, invoice_id) == [intent_id]


async def test_outcome_that_stays_unknown_is_said_so_with_the_key_to_repeat(
    public: Public,
) -> None:
    """From the write on every connection is reset, and those of the reads that look for it too.

    The one call that goes well is the look at the invoice before the write.
    """
    invoice_id, intent_id = public.stage.open_invoice(1000), public.stage.succeeded(1000)
    public.sandbox.faults.add(FaultKind.RESET_BEFORE, path="/v1/invoice*", after=1, times=None)

    doubtful = await attach(public, invoice_id, intent_id)
    public.sandbox.faults.clear()
    repeated = await attach(public, invoice_id, intent_id)

    (problem,) = doubtful["errors"]
    assert (problem["code"], problem["retryable"]) == ("UPSTREAM_OUTCOME_UNKNOWN", True)
    assert repeated["errors"] == []
    assert paid_links(public, invoice_id) == [intent_id]


LIMITED = {
    "429": FaultKind.RATE_LIMITED,
    "lock_timeout": FaultKind.LOCK_TIMEOUT,
}


@pytest.mark.parametrize("kind", LIMITED.values(), ids=LIMITED)
async def test_429_is_tried_at_most_3_times_and_then_told_with_a_time(
    public: Public, kind: FaultKind
) -> None:
    invoice_id, intent_id = public.stage.open_invoice(1000), public.stage.succeeded(1000)
    public.sandbox.faults.add(kind, method="POST", times=None)

    payload = await attach(public, invoice_id, intent_id)

    (problem,) = payload["errors"]
    assert problem["code"] in ("UPSTREAM_RATE_LIMITED", "UPSTREAM_UNAVAILABLE")
    assert problem["retryable"] is True
    assert len(writes(public)) <= 3
    assert paid_links(public, invoice_id) == []


async def test_limited_read_is_told_with_a_time(public: Public) -> None:
    public.sandbox.faults.add(FaultKind.RATE_LIMITED, path="/v1/invoices/*", times=None)

    told = await public.ask(STATUS, {"id": "in_1"})

    (error,) = told.errors
    assert error["extensions"]["code"] == "UPSTREAM_RATE_LIMITED"
    assert error["extensions"]["retryAfterSeconds"] > 0
    assert len(public.calls) <= 3
    assert_polite(told)


BROKEN = {
    "reset": Fault(FaultKind.RESET_BEFORE),
    "no JSON": Fault(FaultKind.INVALID_JSON),
    "cut": Fault(FaultKind.CUT_BODY),
    "500": Fault(FaultKind.SERVER_ERROR),
    "an empty object": Fault(FaultKind.ANSWER, status=200, body={}),
    "another object": Fault(FaultKind.ANSWER, status=200, body={"id": "cus_1", "object": "x"}),
    "the key has lost its rights": Fault(FaultKind.ANSWER, status=401, body={"error": {}}),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
async def test_broken_upstream_is_one_null_with_its_code_and_the_rest_is_answered(
    public: Public, fault: Fault
) -> None:
    broken, good = (public.stage.open_invoice(1000) for _ in range(2))
    public.sandbox.faults.add(fault, path=f"/v1/invoices/{broken}", times=None)
    query = """query ($broken: ID!, $good: ID!) {
      broken: invoice(id: $broken) { id } good: invoice(id: $good) { id } }"""

    told = await public.ask(query, {"broken": broken, "good": good})

    assert told.status == 200
    assert told.body["data"] == {"broken": None, "good": {"id": good}}
    assert told.codes == ["UPSTREAM_ERROR"]
    assert told.errors[0]["path"] == ["broken"]
    assert_polite(told)


async def test_unknown_enum_value_is_unrecognized_and_its_spelling_is_told(
    public: Public,
) -> None:
    invoice_id = public.stage.open_invoice(1000)
    read = f"/v1/invoices/{invoice_id}"
    async with public.session.get(
        public.sandbox.url + read, headers={"Authorization": "Bearer sk_test_sandbox"}
    ) as response:
        invoice = await response.json() | {"status": "of_tomorrow"}
    public.sandbox.faults.add(Fault(FaultKind.ANSWER, status=200, body=invoice), path=read)

    told = await public.ask("query ($id: ID!) { invoice(id: $id) { status rawStatus } }",
                            {"id": invoice_id})  # fmt: skip

    assert told.data["invoice"] == {"status": "UNRECOGNIZED", "rawStatus": "of_tomorrow"}


async def test_client_that_goes_away_mid_mutation_stops_nothing(public: Public) -> None:
    """The write goes on to its end, and its event is published."""
    invoice_id, intent_id = public.stage.open_invoice(1000), public.stage.succeeded(1000)
    path = f"/v1/invoices/{invoice_id}/attach_payment"
    public.sandbox.faults.add(Fault(FaultKind.LATENCY, seconds=0.2), path=path)

    async with introduced(public) as socket:
        await subscribe(socket)
        await item(socket)
        leaving = asyncio.create_task(attach(public, invoice_id, intent_id))
        await until_true(lambda: path in asked(public), "the write")
        leaving.cancel()
        heard = await item(socket)
    again = await attach(public, invoice_id, intent_id)

    assert (heard["type"], heard["invoiceId"]) == ("ATTACHED", invoice_id)
    assert (again["replayed"], again["errors"]) == (True, [])
    assert paid_links(public, invoice_id) == [intent_id]


async def test_socket_that_is_cut_mid_mutation_stops_nothing(public: Public) -> None:
    invoice_id, intent_id = public.stage.open_invoice(1000), public.stage.succeeded(1000)
    path = f"/v1/invoices/{invoice_id}/attach_payment"
    public.sandbox.faults.add(Fault(FaultKind.LATENCY, seconds=0.2), path=path)
    variables = {"invoice": invoice_id, "intent": intent_id, "key": "key-1"}

    async with introduced(public) as listening:
        await subscribe(listening)
        await item(listening)
        async with introduced(public) as leaving:
            await subscribe(leaving, ATTACH, **variables)
            await until_true(lambda: path in asked(public), "the write")
        heard = await item(listening)

    assert (heard["type"], heard["invoiceId"]) == ("ATTACHED", invoice_id)
    assert paid_links(public, invoice_id) == [intent_id]


async def test_two_attaches_of_one_intent_at_once_are_one(public: Public) -> None:
    """Two keys, so two writes: one wins, the other is told why."""
    invoice_id, intent_id = public.stage.open_invoice(2000), public.stage.succeeded(1000)

    payloads = await asyncio.gather(
        *(attach(public, invoice_id, intent_id, key) for key in ("one", "other"))
    )

    assert sorted(codes(one) for one in payloads) == [[], ["PAYMENT_ALREADY_ATTACHED"]]
    assert paid_links(public, invoice_id) == [intent_id]


async def test_two_detaches_of_one_intent_at_once_are_one(public: Public) -> None:
    invoice_id, intents = public.stage.paid_by(600, 400)

    payloads = await asyncio.gather(
        *(detach(public, invoice_id, intents[1], key) for key in ("one", "other"))
    )

    assert sorted(codes(one) for one in payloads) == [[], ["PAYMENT_NOT_ATTACHED"]]
    assert paid_links(public, invoice_id) == intents[:1]


async def test_attach_and_detach_at_once_end_as_if_one_came_first(public: Public) -> None:
    invoice_id, (first, second) = public.stage.paid_by(600, 400)
    public.stage.twin.detach(invoice_id, second)

    payloads = await asyncio.gather(
        attach(public, invoice_id, second, "on"), detach(public, invoice_id, first, "off")
    )
    told = await public.ask(STATUS, {"id": invoice_id})

    assert [codes(one) for one in payloads] == [[], []]
    assert paid_links(public, invoice_id) == [second]
    assert told.data["invoice"] == {"status": "OPEN", "amountPaid": {"minorUnits": 400}}


async def test_detach_from_a_paid_invoice_reopens_it_with_a_new_default_payment(
    public: Public,
) -> None:
    invoice_id, intents = public.stage.paid_by(600, 400)

    payload = await detach(public, invoice_id, intents[1])

    assert payload["errors"] == []
    assert payload["invoice"] == {"status": "OPEN", "amountPaid": {"minorUnits": 600}}
    assert payload["newDefaultPayment"] == {"status": "OPEN", "isDefault": True}


@pytest.mark.parametrize("key", ["", "x" * 256, "\n", "\0"])
async def test_key_that_could_be_no_key_is_bad_input_and_nothing_is_sent(
    public: Public, key: str
) -> None:
    variables = {"invoice": "in_1", "intent": "pi_1", "key": key}

    told: Told = await public.ask(ATTACH, variables)

    assert told.codes == ["BAD_USER_INPUT"]
    assert public.calls == []


async def test_write_without_its_scope_is_forbidden_and_nothing_is_sent(desk: Desk) -> None:
    """`FORBIDDEN` names the missing scope, and says nothing of the objects."""
    token = desk.admit("reader", scopes=["invoices:read"])
    variables = {"invoice": "in_1", "intent": "pi_1", "key": "k"}

    async with standing(desk) as public:
        told = await public.ask(ATTACH, variables, token=token)

        assert "payments:write" in told.text
        assert "FORBIDDEN" in told.text
        assert public.calls == []


async def test_mutation_down_a_socket_is_refused_and_told_like_over_http(public: Public) -> None:
    """The same rules, whatever the transport."""
    async with introduced(public) as socket:
        await subscribe(socket, ATTACH, invoice="in_absent", intent="pi_absent", key="k")
        told = await received(socket)

    assert told["type"] == "next"
    assert codes(told["payload"]["data"]["attachPayment"]) == ["NOT_FOUND"]
    assert writes(public) == []
