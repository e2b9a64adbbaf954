"""Detach at Stripe: a look, one call of the preview, and every way in which it can go wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.backends.journal.attempt import STRIPE_KEY_SECONDS, TRANSIT_SECONDS
from gateway.backends.stripe.backend import StripeWrites
from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.writes.stripe_write import PREVIEW_VERSION
from gateway.backends.supplier import FIRST, Attempt, Found
from schema.ports import Capability, Detached, DetachPayment, RefusalCode, Refused, Viewer
from tests.stripe_edge import samples
from tests.stripe_edge.conftest import Writing
from tests.stripe_edge.peer import Answer, Json, Peer, Reset, error
from tests.stripe_edge.tries import first_try, in_doubt, stored

READ = "GET /v1/invoices/in_1"
DETACH = "POST /v1/invoices/in_1/detach_payment"
INTENT = "GET /v1/payment_intents/pi_1"
PAYMENTS = "GET /v1/invoice_payments"
EVENTS = "GET /v1/events"

OTHER = samples.payment("inpay_2", samples.intent("pi_2", amount=700), amount=700)
OURS = samples.payment("inpay_1", samples.intent("pi_1"))
BEFORE = samples.invoice_with(OTHER, OURS)
AFTER = samples.invoice_with(OTHER, samples.default_payment(amount=300))
COMMAND = DetachPayment("in_1", "pi_1", "gw_1")
FOUND = Found("cus_1", "inpay_1", ("inpay_1", "inpay_2"))
DETACHED = Detached("in_1", "inpay_1", "cus_1", "pi_1", "inpay_9")
FAILURE = error(500, type="api_error")
STORED = error(500, type="api_error", headers={"Idempotent-Replayed": "true"})


async def refusal(
    writes: Writing, viewer: Viewer, command: DetachPayment, attempt: Attempt = FIRST
) -> Refused:
    with pytest.raises(Refused) as refused:
        await writes.write(viewer, command, attempt)
    return refused.value


async def test_detach_is_a_look_and_one_call(writes: Writing, operator: Viewer, peer: Peer) -> None:
    """The look names the payment that leaves, the answer the default that took over."""
    peer.answer(READ, BEFORE)
    peer.answer(DETACH, AFTER)

    detached = await writes.write(operator, COMMAND)

    assert detached == DETACHED
    assert peer.calls() == [READ, DETACH]
    assert peer.sent[1].headers["Stripe-Version"] == PREVIEW_VERSION
    assert peer.sent[1].headers["Idempotency-Key"] == "gw_1"
    assert peer.sent[1].form["payment_intent"] == "pi_1"


async def test_preview_version_is_a_setting(api: StripeApi, operator: Viewer, peer: Peer) -> None:
    """Stripe's previews move on; the deployment follows without a new release."""
    writes = Writing(StripeWrites(api, print, preview_version="2027-01-01.preview"))
    peer.answer(READ, BEFORE)
    peer.answer(DETACH, AFTER)

    await writes.write(operator, COMMAND)

    assert peer.sent[1].headers["Stripe-Version"] == "2027-01-01.preview"


async def test_default_that_was_there_before_did_not_take_over(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """On an invoice that was open already the same default payment only grows."""
    default = samples.default_payment(amount=700)
    peer.answer(READ, samples.invoice_with(OURS, default))
    peer.answer(DETACH, samples.invoice_with(default))

    detached = await writes.write(operator, COMMAND)

    assert detached.new_default_payment_id is None


async def test_payment_beyond_the_embedded_ten_is_asked_for(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The invoice shows a first page only; what is to leave is found by its intent."""
    peer.answer(READ, samples.invoice_with(OTHER, has_more=True))
    peer.answer(PAYMENTS, samples.listed([OURS]))
    peer.answer(DETACH, AFTER)

    assert await writes.write(operator, COMMAND) == DETACHED
    assert peer.calls() == [READ, PAYMENTS, DETACH]


@pytest.mark.parametrize(
    ("before", "if_amount_paid", "code"),
    [
        pytest.param(BEFORE, 700, RefusalCode.STALE_PRECONDITION, id="stale"),
        pytest.param(BEFORE | {"status": "void"}, None, RefusalCode.INVOICE_NOT_OPEN, id="void"),
        pytest.param(
            samples.invoice_with(
                samples.payment("inpay_1", samples.intent("pi_1", status="requires_action"))
                | {"status": "open", "amount_paid": None, "is_default": True}
            ),
            None,
            RefusalCode.PAYMENT_IS_DEFAULT,
            id="default",
        ),
        pytest.param(
            samples.invoice_with(OURS, post_payment_credit_notes_amount=300),
            None,
            RefusalCode.PAYMENT_INTENT_WRONG_STATE,
            id="credited_back",
        ),
    ],
)
async def test_detach_against_a_rule_is_not_sent(
    before: Any,
    if_amount_paid: int | None,
    code: RefusalCode,
    writes: Writing,
    operator: Viewer,
    peer: Peer,
) -> None:
    """The look is had anyway, and some of these Stripe might let pass at the cost of money."""
    peer.answer(READ, before)

    command = DetachPayment("in_1", "pi_1", "gw_1", if_amount_paid=if_amount_paid)
    refused = await refusal(writes, operator, command)

    assert refused.code is code
    assert peer.posts() == []


async def test_precondition_that_holds_lets_pass(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Who decided on the present amount decided well."""
    peer.answer(READ, BEFORE)
    peer.answer(DETACH, AFTER)

    command = DetachPayment("in_1", "pi_1", "gw_1", if_amount_paid=1000)

    assert await writes.write(operator, command) == DETACHED


@pytest.mark.parametrize(
    ("world", "path"),
    [
        pytest.param({READ: BEFORE}, ("invoiceId",), id="invoice"),
        pytest.param({READ: error(404, code="resource_missing")}, ("invoiceId",), id="unknown"),
        pytest.param(
            {
                READ: samples.invoice_with(OTHER, customer="cus_2"),
                INTENT: samples.intent(customer="cus_1"),
            },
            ("paymentIntentId",),
            id="intent_that_is_not_attached",
        ),
    ],
)
async def test_foreign_object_is_not_found_and_nothing_sent(
    world: dict[str, Any],
    path: tuple[str, ...],
    writes: Writing,
    stranger: Viewer,
    peer: Peer,
) -> None:
    """What is another's is as if it did not exist, and Stripe never hears of it."""
    for call, answer in world.items():
        peer.answer(call, answer)

    refused = await refusal(writes, stranger, COMMAND)

    assert (refused.code, refused.path) == (RefusalCode.NOT_FOUND, path)
    assert peer.posts() == []


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(Reset(), id="reset"),
        pytest.param(FAILURE, id="failure"),
        pytest.param(error(409), id="conflict"),
    ],
)
async def test_detach_that_is_seen_is_asked_for_with_its_key(
    lost: Answer, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The payment is gone, by this call or by another's: the key is answered as at first."""
    peer.answer(READ, BEFORE, AFTER)
    peer.answer(DETACH, lost, lost, lost, AFTER)

    detached = await writes.write(operator, COMMAND)

    assert detached == DETACHED
    assert peer.calls() == [READ, DETACH, DETACH, DETACH, READ, DETACH]


async def test_detach_that_another_has_done_meanwhile_is_no_success(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Stripe refuses our key: it was detached under another, which is announced as its own."""
    peer.answer(READ, BEFORE, AFTER)
    peer.answer(DETACH, Reset(), Reset(), Reset(), error(400))
    peer.answer(INTENT, samples.intent())

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.PAYMENT_NOT_ATTACHED
    assert refused.settles


async def test_detach_that_is_seen_and_never_answered_stays_unknown(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Nobody has said whose it was; the next repeat asks again."""
    peer.answer(READ, BEFORE, AFTER)
    peer.answer(DETACH, Reset())

    refused = await refusal(writes, operator, COMMAND)

    assert (refused.code, refused.retryable) == (RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, True)
    assert "though the payment is gone" in refused.message


@pytest.mark.parametrize("age_seconds", [0, STRIPE_KEY_SECONDS], ids=["failure", "too old"])
async def test_detach_whose_key_cannot_be_asked_is_seen_by_reading_back(
    writes: Writing, operator: Viewer, peer: Peer, age_seconds: int
) -> None:
    """Stripe has stored a failure under it, or may have forgotten it, and has no event of it: what
    is gone must do."""
    attempt = in_doubt(FOUND, age_seconds=age_seconds)
    peer.answer(READ, AFTER)
    peer.answer(DETACH, STORED)
    peer.answer(EVENTS, samples.listed([]))

    detached = await writes.write(operator, COMMAND, attempt)

    assert detached == DETACHED
    assert peer.calls() == ([DETACH, READ, EVENTS] if age_seconds == 0 else [READ, EVENTS])


@pytest.mark.parametrize("key", ["gw_other", None], ids=["another write", "the dashboard"])
@pytest.mark.parametrize("age_seconds", [0, STRIPE_KEY_SECONDS], ids=["failure", "too old"])
async def test_what_another_request_took_off_was_not_taken_off_by_this_one(
    writes: Writing, operator: Viewer, peer: Peer, age_seconds: int, key: str | None
) -> None:
    """Two callers detach one payment and one of them meets a failure that Stripe has stored: only
    one of them has done it, and the other's next try is told the rule."""
    peer.answer(READ, AFTER)
    peer.answer(DETACH, STORED)
    peer.answer(EVENTS, samples.listed([detached_event(key)]))

    refused = await refusal(writes, operator, COMMAND, in_doubt(FOUND, age_seconds=age_seconds))

    assert (refused.code, refused.settles) == (RefusalCode.UPSTREAM_UNAVAILABLE, True)


async def test_what_this_request_took_off_is_known_by_its_event(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The failure came behind the deed."""
    peer.answer(READ, AFTER)
    peer.answer(DETACH, STORED)
    peer.answer(EVENTS, samples.listed([detached_event(COMMAND.idempotency_key)]))

    assert await writes.write(operator, COMMAND, in_doubt(FOUND)) == DETACHED


async def test_what_a_forgotten_key_has_done_is_told_by_its_event(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """A wrong clock took the key for young, and Stripe, which has forgotten it, refuses the repeat:
    the payment is gone, and by whom is in the event."""
    peer.answer(DETACH, error(400))
    peer.answer(READ, AFTER)
    peer.answer(EVENTS, samples.listed([detached_event(COMMAND.idempotency_key)]))

    detached = await writes.write(operator, COMMAND, in_doubt(FOUND))

    assert (detached.invoice_payment_id, detached.replayed) == ("inpay_1", True)


@pytest.mark.parametrize(
    ("quiet_seconds", "settles"), [(TRANSIT_SECONDS - 1, False), (TRANSIT_SECONDS, True)]
)
async def test_a_rule_against_what_is_in_doubt_decides_once_nothing_can_arrive_any_more(
    writes: Writing, operator: Viewer, peer: Peer, quiet_seconds: int, *, settles: bool
) -> None:
    """The first try found no payment. One has come since, and the caller's precondition stands
    against taking it off: it must neither be taken off nor be asked about for a day."""
    attempt = in_doubt(age_seconds=quiet_seconds, quiet_seconds=quiet_seconds)
    peer.answer(READ, BEFORE)
    peer.answer(EVENTS, samples.listed([]))
    command = replace(COMMAND, if_amount_paid=1)

    refused = await refusal(writes, operator, command, attempt)

    assert (refused.code, refused.settles) == (RefusalCode.STALE_PRECONDITION, settles)
    assert peer.calls() == [READ, EVENTS]


async def test_a_rule_against_what_an_earlier_try_has_done_is_no_refusal(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """It took the payment off, and another has come in its place."""
    peer.answer(READ, BEFORE)
    peer.answer(EVENTS, samples.listed([detached_event(COMMAND.idempotency_key)]))
    command = replace(COMMAND, if_amount_paid=1)

    detached = await writes.write(operator, command, in_doubt())

    assert detached.invoice_payment_id == "inpay_1"


def detached_event(key: str | None) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "request": {"id": "req_1", "idempotency_key": key},
        "data": {"object": samples.payment("inpay_1", "pi_1")},
    }


@pytest.mark.parametrize("key", ["gw_1", "gw_other"])
async def test_stored_failure_of_what_was_not_there_is_decided_by_the_event(
    writes: Writing, operator: Viewer, peer: Peer, key: str
) -> None:
    """It may have come between the look and the call. Each detach has an event with its key."""
    attempt = first_try()
    peer.answer(READ, AFTER)
    peer.answer(DETACH, STORED)
    peer.answer(EVENTS, samples.listed([detached_event(key)]))

    if key == COMMAND.idempotency_key:
        assert (await writes.write(operator, COMMAND, attempt)).invoice_payment_id == "inpay_1"
        return
    refused = await refusal(writes, operator, COMMAND, attempt)
    assert (refused.code, refused.settles) == (RefusalCode.UPSTREAM_UNAVAILABLE, True)


async def test_payment_that_came_back_counts_as_gone(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Attached anew by somebody else, it is another payment: ours was detached."""
    again = samples.payment("inpay_5", samples.intent("pi_1"))
    peer.answer(READ, BEFORE, samples.invoice_with(OTHER, again))
    peer.answer(DETACH, STORED)
    peer.answer(EVENTS, samples.listed([]))

    detached = await writes.write(operator, COMMAND)

    assert detached.invoice_payment_id == "inpay_1"


@pytest.mark.parametrize(
    ("lost", "then", "code"),
    [
        pytest.param(Reset(), BEFORE, RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, id="not_seen"),
        pytest.param(FAILURE, BEFORE, RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, id="failure"),
        pytest.param(Reset(), FAILURE, RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, id="not_readable"),
        pytest.param(STORED, BEFORE, RefusalCode.UPSTREAM_UNAVAILABLE, id="stored_failure"),
    ],
)
async def test_detach_that_is_not_seen(
    lost: Answer,
    then: Any,
    code: RefusalCode,
    writes: Writing,
    operator: Viewer,
    peer: Peer,
) -> None:
    """It stays unknown, but for a failure that Stripe has stored and that did nothing."""
    peer.answer(READ, BEFORE, then)
    peer.answer(DETACH, lost)

    refused = await refusal(writes, operator, COMMAND)

    assert (refused.code, refused.retryable) == (code, True)


async def test_repeat_of_a_detach_in_doubt_is_not_judged_by_its_own_work(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """A look would find the payment gone, so there is none: the key decides, and what the first
    look found names it."""
    attempt = in_doubt(FOUND)
    peer.answer(DETACH, AFTER)

    detached = await writes.write(operator, COMMAND, attempt)

    assert detached == DETACHED
    assert peer.calls() == [DETACH]


async def test_repeat_of_a_detach_in_doubt_is_hidden_from_who_may_not_see_it(
    writes: Writing, peer: Peer
) -> None:
    """Nothing is asked for them: what is another customer's does not exist."""
    attempt = in_doubt(FOUND)

    refused = await refusal(writes, Viewer("t", customers=frozenset({"cus_2"})), COMMAND, attempt)

    assert refused.code is RefusalCode.NOT_FOUND
    assert peer.calls() == []


async def test_what_the_look_found_is_recorded_before_the_call(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """After a crash behind the call nobody could find it out any more."""
    trying = first_try()
    attempt = trying
    peer.answer(READ, BEFORE)
    peer.answer(DETACH, Reset(), Reset(), Reset())

    await refusal(writes, operator, COMMAND, attempt)

    assert trying.found == FOUND
    assert await stored(trying) == trying.record


async def test_repeat_after_a_restart_learns_the_payment_from_its_event(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The payment is gone and nobody remembers its id but Stripe's event."""
    other = samples.payment("inpay_5", "pi_1", invoice="in_5")
    events = [
        {"id": f"evt_{at}", "object": "event", "data": {"object": one}}
        for at, one in enumerate([other, samples.payment("inpay_1", "pi_1")])
    ]
    peer.answer(READ, AFTER)
    peer.answer(DETACH, Json(AFTER, headers={"Idempotent-Replayed": "true"}))
    peer.answer(EVENTS, samples.listed(events))

    detached = await writes.write(operator, COMMAND)

    assert detached == Detached("in_1", "inpay_1", "cus_1", "pi_1", "inpay_9", replayed=True)


async def test_detach_of_what_nobody_can_name_is_left_open(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """It is done, and an event without its payment would be told. The repeat, which changes
    nothing, finds out."""
    peer.answer(READ, AFTER)
    peer.answer(DETACH, Json(b'{"id": "in_1", "object": "invoice"}'))
    peer.answer(EVENTS, FAILURE)

    refused = await refusal(writes, operator, COMMAND)

    assert (refused.code, refused.retryable) == (RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, True)
    assert "in part, though the payment is detached" in refused.message


async def test_default_that_took_over_is_left_out_where_it_cannot_be_learned(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """It is done, and which payment left is known: that is enough for a success."""
    peer.answer(READ, BEFORE)
    peer.answer(DETACH, Json(b'{"id": "in_1", "object": "invoice"}'))

    detached = await writes.write(operator, COMMAND)

    assert (detached.invoice_payment_id, detached.new_default_payment_id) == ("inpay_1", None)


EXPLAINED: list[Any] = [
    pytest.param([AFTER], {}, None, RefusalCode.PAYMENT_NOT_ATTACHED, id="not_attached"),
    pytest.param(
        [AFTER],
        {INTENT: error(404, code="resource_missing")},
        None,
        RefusalCode.NOT_FOUND,
        id="no_such_intent",
    ),
    pytest.param([AFTER], {}, 5, RefusalCode.STALE_PRECONDITION, id="stale_and_not_attached"),
    pytest.param(
        [BEFORE, BEFORE | {"status": "void"}],
        {},
        None,
        RefusalCode.INVOICE_NOT_OPEN,
        id="voided_in_between",
    ),
    pytest.param([BEFORE], {}, None, RefusalCode.UPSTREAM_REJECTED, id="no_rule"),
    pytest.param([BEFORE, FAILURE], {}, None, RefusalCode.UPSTREAM_REJECTED, id="unreadable"),
]


@pytest.mark.parametrize(("reads", "world", "if_amount_paid", "code"), EXPLAINED)
async def test_refusal_of_stripe_is_explained(
    reads: list[Any],
    world: dict[str, Any],
    if_amount_paid: int | None,
    code: RefusalCode,
    writes: Writing,
    operator: Viewer,
    peer: Peer,
) -> None:
    """Stripe documents no codes, so the ledger finds the rule; Stripe's details stand beside it."""
    peer.answer(READ, *reads)
    peer.answer(DETACH, error(400, code="odd"))
    peer.answer(INTENT, samples.intent())
    for call, answer in world.items():
        peer.answer(call, answer)

    command = DetachPayment("in_1", "pi_1", "gw_1", if_amount_paid=if_amount_paid)
    refused = await refusal(writes, operator, command)

    assert (refused.code, refused.stripe_code) == (code, "odd")


async def test_account_without_the_preview_cannot_detach(
    writes: Writing, operator: Viewer, peer: Peer, missing: list[Capability]
) -> None:
    """Where the operation does not exist, capabilities say so from now on."""
    peer.answer(READ, BEFORE)
    peer.answer(DETACH, error(404, message="Unrecognized request URL (POST: /v1/x)."))

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.UNSUPPORTED_BY_BACKEND
    assert missing == [Capability.DETACH]


async def test_writes_on_one_invoice_go_one_after_the_other(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Two at once would meet in Stripe's lock on the invoice, and one would have to come back."""

    peer.answer(READ, BEFORE)
    peer.answer(DETACH, AFTER)

    commands = (DetachPayment("in_1", "pi_1", key) for key in ("gw_1", "gw_2"))
    await asyncio.gather(*(writes.write(operator, one) for one in commands))

    assert peer.calls() == [READ, DETACH, READ, DETACH]
