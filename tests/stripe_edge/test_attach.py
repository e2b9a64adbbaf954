"""Attach at Stripe: what is sent, and what every way to go wrong comes to."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.journal.attempt import STRIPE_KEY_SECONDS
from gateway.backends.stripe.writes.stripe_write import CLOCK_SECONDS_MAX, PREVIEW_VERSION
from gateway.backends.supplier import FIRST, Attempt
from schema.ports import Attached, AttachPayment, Capability, RefusalCode, Refused, Viewer
from tests.stripe_edge import samples
from tests.stripe_edge.conftest import Writing
from tests.stripe_edge.peer import Answer, Cut, Json, Peer, Reset, error
from tests.stripe_edge.samples import Raw
from tests.stripe_edge.tries import in_doubt
from tests.support.time_and_ids import START

READ = "GET /v1/invoices/in_1"
ATTACH = "POST /v1/invoices/in_1/attach_payment"
INTENT = "GET /v1/payment_intents/pi_1"
PAYMENTS = "GET /v1/invoice_payments"
EVENTS = "GET /v1/events"
UNKNOWN = RefusalCode.UPSTREAM_OUTCOME_UNKNOWN

COMMAND = AttachPayment("in_1", "gw_1", payment_intent_id="pi_1")
DONE = samples.invoice_with(samples.payment("inpay_1", samples.intent("pi_1")))
NOT_YET = samples.invoice_with(samples.default_payment())
ATTACHED = Attached("in_1", "inpay_1", "cus_1", "pi_1")
FAILURE = error(500, type="api_error")
STORED = error(500, type="api_error", headers={"Idempotent-Replayed": "true"})


async def refusal(
    writes: Writing, viewer: Viewer, command: AttachPayment, attempt: Attempt = FIRST
) -> Refused:
    with pytest.raises(Refused) as refused:
        await writes.write(viewer, command, attempt)
    return refused.value


async def test_attach_is_one_call(writes: Writing, operator: Viewer, peer: Peer) -> None:
    """The answer has all that is needed; the parameters are the same for every caller."""
    peer.answer(ATTACH, DONE)

    attached = await writes.write(operator, COMMAND)

    assert attached == ATTACHED
    assert peer.calls() == [ATTACH]
    assert peer.sent[0].headers["Idempotency-Key"] == "gw_1"
    assert peer.sent[0].form == {
        "payment_intent": "pi_1",
        "expand[0]": "payments.data.payment.payment_intent",
    }


async def test_payment_record_is_attached_by_its_id(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """A record that was reported before pays like an intent."""
    paid = samples.payment("inpay_1", "pr_1", kind="payment_record")
    peer.answer(ATTACH, samples.invoice_with(paid))

    attached = await writes.write(operator, AttachPayment("in_1", "gw_1", payment_record_id="pr_1"))

    assert attached == Attached("in_1", "inpay_1", "cus_1", None)
    assert peer.sent[0].form["payment_record"] == "pr_1"


async def test_share_of_a_payment_asks_for_the_preview(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Only this parameter needs it; without it the call stays on the stable version."""
    peer.answer(ATTACH, DONE)

    await writes.write(
        operator, AttachPayment("in_1", "gw_1", payment_intent_id="pi_1", amount_requested=300)
    )
    await writes.write(operator, COMMAND)

    versions = [one.headers["Stripe-Version"] for one in peer.posts()]
    assert versions == [PREVIEW_VERSION, "2026-10-28.endive"]
    assert peer.sent[0].form["amount_requested"] == "300"


async def test_payment_beyond_the_embedded_ten_is_asked_for(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The answer shows a first page only; the new payment is found by its source."""
    peer.answer(ATTACH, samples.invoice_with(samples.payment("inpay_7", "pi_7"), has_more=True))
    peer.answer(PAYMENTS, samples.listed([samples.payment("inpay_1", "pi_1")]))

    attached = await writes.write(operator, COMMAND)

    assert attached == ATTACHED
    assert peer.sent[1].form == {
        "invoice": "in_1",
        "limit": "100",
        "payment[type]": "payment_intent",
        "payment[payment_intent]": "pi_1",
    }


async def test_newest_of_several_payments_is_the_new_one(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """A canceled payment by the same intent does not count, nor does an older one."""
    old = samples.payment("inpay_0", "pi_1", status="canceled", amount_paid=None)
    new = samples.payment("inpay_1", "pi_1", created=samples.CREATED + 5)
    peer.answer(ATTACH, samples.invoice_with(new, old))

    assert await writes.write(operator, COMMAND) == ATTACHED


async def test_success_whose_payment_cannot_be_found_is_left_open(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """It is done, so it is no failure; a repeat with the key will name the payment."""
    peer.answer(ATTACH, samples.invoice())
    peer.answer(PAYMENTS, FAILURE)

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.UPSTREAM_OUTCOME_UNKNOWN
    assert refused.retryable is True


async def test_restricted_viewer_attaches_what_is_theirs(
    writes: Writing, ada: Viewer, peer: Peer
) -> None:
    """Whose the invoice and the payment are is read before anything is sent."""
    peer.answer(READ, samples.invoice())
    peer.answer(INTENT, samples.intent())
    peer.answer(ATTACH, DONE)

    assert await writes.write(ada, COMMAND) == ATTACHED
    assert peer.calls() == [READ, INTENT, ATTACH]


@pytest.mark.parametrize(
    ("invoice", "intent", "path"),
    [
        pytest.param(samples.invoice(), samples.intent(), ("invoiceId",), id="invoice"),
        pytest.param(
            samples.invoice(customer="cus_2"),
            samples.intent(),
            ("payment", "paymentIntentId"),
            id="intent",
        ),
        pytest.param(
            samples.invoice(customer="cus_2"),
            samples.intent(customer=None),
            ("payment", "paymentIntentId"),
            id="intent_of_nobody",
        ),
        pytest.param(
            error(404, code="resource_missing"), samples.intent(), ("invoiceId",), id="unknown"
        ),
    ],
)
async def test_foreign_object_is_not_found_and_nothing_sent(
    invoice: Any,
    intent: Raw,
    path: tuple[str, ...],
    writes: Writing,
    stranger: Viewer,
    peer: Peer,
) -> None:
    """What is another's is as if it did not exist, and Stripe never hears of it."""
    peer.answer(READ, invoice)
    peer.answer(INTENT, intent)

    refused = await refusal(writes, stranger, COMMAND)

    assert (refused.code, refused.path) == (RefusalCode.NOT_FOUND, path)
    assert peer.posts() == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(FAILURE, RefusalCode.UPSTREAM_UNAVAILABLE, id="failure"),
        pytest.param(error(429), RefusalCode.UPSTREAM_RATE_LIMITED, id="rate_limited"),
        pytest.param(Json(b"{"), RefusalCode.UPSTREAM_UNAVAILABLE, id="bad_json"),
    ],
)
async def test_attach_without_a_look_is_not_sent(
    answer: Answer, code: RefusalCode, writes: Writing, ada: Viewer, peer: Peer
) -> None:
    """Whose it is could not be read, so nothing was done, and it may be tried again."""
    peer.answer(READ, answer)

    refused = await refusal(writes, ada, COMMAND)

    assert (refused.code, refused.retryable) == (code, True)
    assert peer.posts() == []


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(Reset(), id="reset"),
        pytest.param(Cut(DONE), id="cut_body"),
        pytest.param(Json(b"{"), id="bad_json"),
        pytest.param(FAILURE, id="failure"),
    ],
)
async def test_lost_answer_is_had_by_the_same_key(
    lost: Answer, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Whether the first attempt was done or not, the repeat answers as if it were the first."""
    peer.answer(ATTACH, lost, DONE)

    assert await writes.write(operator, COMMAND) == ATTACHED
    assert peer.calls() == [ATTACH, ATTACH]


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(Reset(), id="reset"),
        pytest.param(FAILURE, id="failure"),
        pytest.param(error(409), id="conflict"),
    ],
)
async def test_attach_that_is_seen_is_asked_for_with_its_key(
    lost: Answer, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The payment is attached, by this call or by another's: the key is answered as at first."""
    peer.answer(ATTACH, lost, lost, lost, DONE)
    peer.answer(READ, DONE)

    attached = await writes.write(operator, COMMAND)

    assert attached == ATTACHED
    assert peer.calls() == [ATTACH, ATTACH, ATTACH, READ, ATTACH]
    keys = [one.headers.get("Idempotency-Key") for one in peer.sent]
    assert keys == ["gw_1"] * 3 + [None, "gw_1"]


async def test_attach_that_another_has_done_meanwhile_is_no_success(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Stripe refuses our key: what is attached was attached under another, which is announced as
    its own."""
    peer.answer(ATTACH, Reset(), Reset(), Reset(), error(400))
    peer.answer(READ, DONE)
    peer.answer(INTENT, samples.intent())
    peer.answer(PAYMENTS, samples.listed([]))

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.PAYMENT_ALREADY_ATTACHED
    assert refused.settles


async def test_attach_that_is_seen_and_never_answered_stays_unknown(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Nobody has said whose it is; the next repeat asks again."""
    peer.answer(ATTACH, Reset())
    peer.answer(READ, DONE)

    refused = await refusal(writes, operator, COMMAND)

    assert (refused.code, refused.retryable) == (RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, True)
    assert "though the payment is attached" in refused.message


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(error(401), id="no rights"),
        pytest.param(error(429), id="limit"),
        pytest.param(error(400, type="idempotency_error"), id="other parameters"),
        pytest.param(error(404, message="Unrecognized request URL (POST: /v1/x)."), id="no URL"),
    ],
)
async def test_attach_that_is_seen_is_not_refused_for_want_of_an_answer(
    writes: Writing, operator: Viewer, peer: Peer, then: Answer
) -> None:
    """What comes before Stripe's idempotency layer says nothing about the first request."""
    peer.answer(ATTACH, Reset(), Reset(), Reset(), then)
    peer.answer(READ, DONE)

    refused = await refusal(writes, operator, COMMAND)

    assert (refused.code, refused.settles) == (RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, False)


async def test_attach_whose_key_holds_a_failure_is_seen_by_reading_back(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The key would be answered with the failure for a day, so that what is there must do."""
    peer.answer(ATTACH, STORED)
    peer.answer(READ, DONE)
    peer.answer(EVENTS, samples.listed([]))

    assert await writes.write(operator, COMMAND) == ATTACHED


async def test_attach_whose_key_is_too_old_is_seen_by_reading_back(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Nothing is sent: Stripe may have forgotten the key."""
    attempt = in_doubt(age_seconds=STRIPE_KEY_SECONDS)
    peer.answer(READ, DONE)
    peer.answer(EVENTS, samples.listed([]))

    assert await writes.write(operator, COMMAND, attempt) == ATTACHED
    assert peer.calls() == [READ, EVENTS]


async def test_what_a_forgotten_key_has_attached_is_told_by_its_event(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """A wrong clock took the key for young, and Stripe, which has forgotten it, refuses the repeat:
    the payment is there, and by whom is in the event."""
    peer.answer(ATTACH, error(400, message="already attached"))
    peer.answer(READ, DONE)
    paid = samples.payment("inpay_1", "pi_1")
    ours = event("invoice_payment.paid", paid, COMMAND.idempotency_key)
    peer.answer(EVENTS, samples.listed([ours]))

    attached = await writes.write(operator, COMMAND, in_doubt())

    assert (attached.invoice_payment_id, attached.replayed) == (ATTACHED.invoice_payment_id, True)


@pytest.mark.parametrize(
    ("key", "is_ours"),
    [("gw_other", False), (COMMAND.idempotency_key, True), ("confirmed-later", True), (None, True)],
)
async def test_what_another_write_attached_was_not_attached_by_this_one(
    writes: Writing, operator: Viewer, peer: Peer, key: str | None, *, is_ours: bool
) -> None:
    """Stripe's event names who attached what counted at once; a key that is none of ours may be of
    a request that paid the intent after it was attached."""
    peer.answer(ATTACH, STORED)
    peer.answer(READ, DONE)
    paid = event("invoice_payment.paid", samples.payment("inpay_1", "pi_1"), key)
    peer.answer(EVENTS, samples.listed([paid]))

    if is_ours:
        assert await writes.write(operator, COMMAND) == ATTACHED
        return
    refused = await refusal(writes, operator, COMMAND)
    assert (refused.code, refused.settles) == (RefusalCode.UPSTREAM_UNAVAILABLE, True)


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(Reset(), id="reset"),
        pytest.param(FAILURE, id="failure"),
        pytest.param(error(409, code="idempotency_key_in_use"), id="key_in_use"),
    ],
)
async def test_attach_that_is_not_seen_stays_unknown(
    lost: Answer, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """It may still be under way at Stripe: only the same key may try again, never another."""
    peer.answer(ATTACH, lost)
    peer.answer(READ, NOT_YET)

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.UPSTREAM_OUTCOME_UNKNOWN
    assert refused.retryable is True
    assert "not attached so far" in refused.message


async def test_unknown_attach_that_cannot_be_read_back_stays_unknown(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Nothing is known, and nothing else is said."""
    peer.answer(ATTACH, FAILURE)
    peer.answer(READ, FAILURE)

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.UPSTREAM_OUTCOME_UNKNOWN
    assert refused.stripe_request_id == "req_1"


async def test_stored_failure_that_did_nothing_frees_the_key(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Its key would be answered with the failure for a day, so the next try needs another."""
    peer.answer(ATTACH, FAILURE, STORED)
    peer.answer(READ, NOT_YET)
    peer.answer(EVENTS, samples.listed([]))

    refused = await refusal(writes, operator, COMMAND)

    assert (refused.code, refused.retryable) == (RefusalCode.UPSTREAM_UNAVAILABLE, True)
    assert refused.settles


@pytest.mark.parametrize(
    ("detached", "paid", "told"),
    [
        pytest.param("pi_2", None, (RefusalCode.UPSTREAM_UNAVAILABLE, True), id="another intent"),
        pytest.param("pi_1", None, (UNKNOWN, False), id="detached since"),
        pytest.param("pi_1", "gw_2", (UNKNOWN, False), id="attached by another key"),
    ],
)
async def test_stored_failure_of_what_was_taken_off_since_proves_nothing(
    writes: Writing,
    operator: Viewer,
    peer: Peer,
    detached: str,
    paid: str | None,
    told: tuple[RefusalCode, bool],
) -> None:
    """It may have been attached before the failure: a new key would attach it once more."""
    attempt = in_doubt()
    peer.answer(ATTACH, STORED)
    peer.answer(READ, NOT_YET)
    gone = event("invoice_payment.detached", samples.payment("inpay_1", detached), None)
    counted = event("invoice_payment.paid", samples.payment("inpay_1", "pi_1"), paid)
    peer.answer(EVENTS, samples.listed([gone]), samples.listed([counted]))

    refused = await refusal(writes, operator, COMMAND, attempt)

    assert (refused.code, refused.retryable) == told
    assert peer.sent[2].form["created[gte]"] == str(START - CLOCK_SECONDS_MAX)


async def test_stored_failure_of_what_our_key_attached_is_a_success(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The money counted at once, under this key; that somebody has taken it off is another fact."""
    peer.answer(ATTACH, STORED)
    peer.answer(READ, NOT_YET)
    payment = samples.payment("inpay_1", "pi_1")
    gone = event("invoice_payment.detached", payment, "gw_other")
    counted = event("invoice_payment.paid", payment, COMMAND.idempotency_key)
    peer.answer(EVENTS, samples.listed([gone]), samples.listed([counted]))

    assert await writes.write(operator, COMMAND) == ATTACHED


async def test_stored_failure_with_events_that_cannot_be_read_stays_unknown(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """What cannot be looked up proves nothing."""
    peer.answer(ATTACH, STORED)
    peer.answer(READ, NOT_YET)
    peer.answer(EVENTS, FAILURE)

    refused = await refusal(writes, operator, COMMAND)

    assert (refused.code, refused.retryable) == (UNKNOWN, True)


def event(type: str, subject: dict[str, Any], request_key: str | None) -> dict[str, Any]:
    request = {"id": "req_1", "idempotency_key": request_key}
    return {"id": "evt_1", "object": "event", "type": type, "request": request,
            "data": {"object": subject}}  # fmt: skip


async def test_rate_limited_attach_did_nothing(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """After three polite attempts the caller is told when to return."""
    peer.answer(ATTACH, error(429, code="lock_timeout", headers={"Retry-After": "2"}))

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.UPSTREAM_RATE_LIMITED
    assert (refused.retry_after_seconds, len(peer.sent)) == (2, 3)


EXPLAINED: list[Any] = [
    pytest.param(
        {READ: error(404, code="resource_missing")}, RefusalCode.NOT_FOUND, id="no_such_invoice"
    ),
    pytest.param(
        {INTENT: error(404, code="resource_missing")}, RefusalCode.NOT_FOUND, id="no_such_intent"
    ),
    pytest.param(
        {READ: samples.invoice_with(status="draft")},
        RefusalCode.INVOICE_NOT_FINALIZED,
        id="draft",
    ),
    pytest.param(
        {READ: samples.invoice_with(status="void")}, RefusalCode.INVOICE_NOT_OPEN, id="void"
    ),
    pytest.param(
        {INTENT: samples.intent(currency="eur")}, RefusalCode.CURRENCY_MISMATCH, id="currency"
    ),
    pytest.param(
        {INTENT: samples.intent(customer="cus_2")}, RefusalCode.CUSTOMER_MISMATCH, id="customer"
    ),
    pytest.param({READ: DONE}, RefusalCode.PAYMENT_ALREADY_ATTACHED, id="attached_here"),
    pytest.param(
        {PAYMENTS: samples.listed([samples.payment("inpay_5", "pi_1", invoice="in_5")])},
        RefusalCode.PAYMENT_ALREADY_ATTACHED,
        id="attached_elsewhere",
    ),
    pytest.param(
        {INTENT: samples.intent(status="canceled", amount_received=0)},
        RefusalCode.PAYMENT_INTENT_WRONG_STATE,
        id="canceled",
    ),
    pytest.param({INTENT: samples.intent(amount=0)}, RefusalCode.AMOUNT_INVALID, id="nothing"),
    pytest.param(
        {INTENT: samples.intent(amount=5000)}, RefusalCode.AMOUNT_TOO_LARGE, id="too_much"
    ),
    pytest.param({}, RefusalCode.UPSTREAM_REJECTED, id="no_rule_stands_against_it"),
    pytest.param({READ: FAILURE}, RefusalCode.UPSTREAM_REJECTED, id="invoice_cannot_be_read"),
    pytest.param({INTENT: FAILURE}, RefusalCode.UPSTREAM_REJECTED, id="intent_cannot_be_read"),
    pytest.param({PAYMENTS: FAILURE}, RefusalCode.UPSTREAM_REJECTED, id="claims_cannot_be_read"),
]


@pytest.mark.parametrize(("world", "code"), EXPLAINED)
async def test_refusal_of_stripe_is_explained(
    world: dict[str, Any], code: RefusalCode, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Stripe documents no codes, so the ledger finds the rule; Stripe's details stand beside it."""
    peer.answer(ATTACH, error(400, code="odd", doc_url="https://d.example"))
    peer.answer(READ, NOT_YET)
    peer.answer(INTENT, samples.intent())
    peer.answer(PAYMENTS, samples.listed([]))
    for call, answer in world.items():
        peer.answer(call, answer)

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is code
    assert (refused.stripe_code, refused.stripe_request_id) == ("odd", "req_1")
    assert refused.doc_url == "https://d.example"
    assert len(peer.posts()) == 1


async def test_unexplained_refusal_repeats_stripes_words(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Where we have no rule for it, Stripe's sentence is better than none."""
    peer.answer(ATTACH, error(400, message="Not on a Sunday."))
    peer.answer(READ, NOT_YET)
    peer.answer(INTENT, samples.intent())
    peer.answer(PAYMENTS, samples.listed([]))

    refused = await refusal(writes, operator, COMMAND)

    assert refused.message == "Stripe refused this: Not on a Sunday."


@pytest.mark.parametrize("status", [401, 403])
async def test_key_without_the_right_is_our_trouble(
    status: int, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The caller cannot mend it, and Stripe's words would say something about the key."""
    peer.answer(ATTACH, error(status, message="The provided key 'rk_test_***1' cannot."))
    peer.answer(READ, error(status))

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.UPSTREAM_REJECTED
    assert "doctor" in refused.message


async def test_key_that_stripe_knows_with_other_parameters_is_reused(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Stripe's memory is the last guard where our journal was lost."""
    peer.answer(ATTACH, error(400, type="idempotency_error"))

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.IDEMPOTENCY_KEY_REUSED


@pytest.mark.parametrize(
    ("amount", "answer", "gone"),
    [
        pytest.param(
            None,
            error(404, message="Unrecognized request URL (POST: /v1/x)."),
            [Capability.ATTACH_PAYMENT_INTENT],
            id="operation",
        ),
        pytest.param(
            300,
            error(400, code="parameter_unknown", param="amount_requested"),
            [],
            id="share_only",
        ),
    ],
)
async def test_attach_that_the_account_lacks_is_unsupported(
    amount: int | None,
    answer: Answer,
    gone: list[Capability],
    writes: Writing,
    operator: Viewer,
    peer: Peer,
    missing: list[Capability],
) -> None:
    """Capabilities shrink when all of an operation is missing, and not for one parameter."""
    peer.answer(ATTACH, answer)
    command = AttachPayment("in_1", "gw_1", payment_intent_id="pi_1", amount_requested=amount)

    refused = await refusal(writes, operator, command)

    assert refused.code is RefusalCode.UNSUPPORTED_BY_BACKEND
    assert missing == gone
    assert peer.calls() == [ATTACH]


async def test_attach_that_an_earlier_call_did_is_replayed(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Stripe's memory outlives ours: the caller learns that this call changed nothing."""
    peer.answer(ATTACH, Json(DONE, headers={"Idempotent-Replayed": "true"}))

    assert (await writes.write(operator, COMMAND)).replayed is True
