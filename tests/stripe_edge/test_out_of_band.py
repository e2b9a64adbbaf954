"""A payment made elsewhere: reported, then attached, each step once, whatever gets lost."""

from __future__ import annotations

from typing import Any

import pytest

from schema.ports import (
    Attached,
    AttachPayment,
    Capability,
    OutOfBandPayment,
    RefusalCode,
    Refused,
    Viewer,
)
from tests.stripe_edge import samples
from tests.stripe_edge.conftest import Writing
from tests.stripe_edge.peer import Answer, Json, Peer, Reset, error
from tests.stripe_edge.samples import CREATED

READ = "GET /v1/invoices/in_1"
REPORT = "POST /v1/payment_records/report_payment"
ATTACH = "POST /v1/invoices/in_1/attach_payment"
RECORD = "GET /v1/payment_records/pr_1"
PAYMENTS = "GET /v1/invoice_payments"

FACTS = OutOfBandPayment(400, "usd", CREATED, reference="transfer 7", metadata=(("a", "b"),))
COMMAND = AttachPayment("in_1", "gw_1", out_of_band=FACTS)
OPEN = samples.invoice_with(samples.default_payment())
OURS = samples.payment_record(metadata={"gateway_idempotency_key": "gw_1"})
DONE = samples.invoice_with(samples.payment("inpay_1", OURS, kind="payment_record", amount=400))
ATTACHED = Attached("in_1", "inpay_1", "cus_1", None)
FAILURE = error(500, type="api_error")


async def refusal(writes: Writing, viewer: Viewer, command: AttachPayment) -> Refused:
    with pytest.raises(Refused) as refused:
        await writes.write(viewer, command)
    return refused.value


async def test_payment_is_reported_then_attached(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Three calls: a look, the report, the attach; each write with its own derived key."""
    peer.answer(READ, OPEN)
    peer.answer(REPORT, OURS)
    peer.answer(ATTACH, DONE)

    attached = await writes.write(operator, COMMAND)

    assert attached == ATTACHED
    assert peer.calls() == [READ, REPORT, ATTACH]
    keys = [one.headers["Idempotency-Key"] for one in peer.posts()]
    assert keys == ["gw_1-report", "gw_1-attach"]
    assert peer.sent[2].form["payment_record"] == "pr_1"


async def test_report_holds_the_facts(writes: Writing, operator: Viewer, peer: Peer) -> None:
    """Amount, time, reference and metadata are the caller's; the customer is the invoice's."""
    peer.answer(READ, OPEN)
    peer.answer(REPORT, OURS)
    peer.answer(ATTACH, DONE)

    await writes.write(operator, COMMAND)

    assert peer.sent[1].form == {
        "amount_requested[currency]": "usd",
        "amount_requested[value]": "400",
        "initiated_at": str(CREATED),
        "outcome": "guaranteed",
        "guaranteed[guaranteed_at]": str(CREATED),
        "customer_details[customer]": "cus_1",
        "description": "transfer 7",
        "processor_details[type]": "custom",
        "processor_details[custom][payment_reference]": "transfer 7",
        "payment_method_details[type]": "custom",
        "payment_method_details[custom][display_name]": "Paid outside Stripe",
        "metadata[a]": "b",
        "metadata[gateway_idempotency_key]": "gw_1",
    }


async def test_full_metadata_stays_the_callers(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Stripe takes fifty entries; our mark never pushes out one of theirs."""
    full = tuple((f"k{at}", "v") for at in range(50))
    peer.answer(READ, OPEN)
    peer.answer(REPORT, OURS)
    peer.answer(ATTACH, DONE)

    facts = OutOfBandPayment(400, "usd", CREATED, metadata=full)
    await writes.write(operator, AttachPayment("in_1", "gw_1", out_of_band=facts))

    given = [name for name in peer.sent[1].form if name.startswith("metadata")]
    assert len(given) == 50
    assert "metadata[gateway_idempotency_key]" not in given


@pytest.mark.parametrize(
    ("invoice", "facts", "code", "path"),
    [
        pytest.param(
            samples.invoice_with(status="void"),
            FACTS,
            RefusalCode.INVOICE_NOT_OPEN,
            ("invoiceId",),
            id="void",
        ),
        pytest.param(
            OPEN,
            OutOfBandPayment(400, "eur", CREATED),
            RefusalCode.CURRENCY_MISMATCH,
            ("payment", "outOfBand", "currency"),
            id="currency",
        ),
        pytest.param(
            OPEN,
            OutOfBandPayment(0, "usd", CREATED),
            RefusalCode.AMOUNT_INVALID,
            ("payment", "outOfBand", "amountMinorUnits"),
            id="nothing",
        ),
        pytest.param(
            OPEN,
            OutOfBandPayment(1001, "usd", CREATED),
            RefusalCode.AMOUNT_TOO_LARGE,
            ("payment", "outOfBand", "amountMinorUnits"),
            id="too_much",
        ),
        pytest.param(
            error(404, code="resource_missing"),
            FACTS,
            RefusalCode.NOT_FOUND,
            ("invoiceId",),
            id="no_such_invoice",
        ),
    ],
)
async def test_payment_that_cannot_be_attached_is_not_reported(
    invoice: Any,
    facts: OutOfBandPayment,
    code: RefusalCode,
    path: tuple[str, ...],
    writes: Writing,
    operator: Viewer,
    peer: Peer,
) -> None:
    """A record that pays nothing would stay behind, and the next try would make another."""
    peer.answer(READ, invoice)

    refused = await refusal(writes, operator, AttachPayment("in_1", "gw_1", out_of_band=facts))

    assert (refused.code, refused.path) == (code, path)
    assert peer.posts() == []


async def test_foreign_invoice_is_not_found(writes: Writing, stranger: Viewer, peer: Peer) -> None:
    """Nothing is reported on an invoice of somebody else."""
    peer.answer(READ, OPEN)

    refused = await refusal(writes, stranger, COMMAND)

    assert refused.code is RefusalCode.NOT_FOUND
    assert peer.posts() == []


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Reset(), id="reset"),
        pytest.param(FAILURE, id="failure"),
        pytest.param(Json(b"{}"), id="record_without_id"),
    ],
)
async def test_lost_report_is_unknown(
    trouble: Answer, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The same key reports it once; another key would report it twice."""
    peer.answer(READ, OPEN)
    peer.answer(REPORT, trouble)

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.UPSTREAM_OUTCOME_UNKNOWN
    assert refused.retryable is True


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(error(429, headers={"Retry-After": "2"}), id="rate_limited"),
        pytest.param(error(429, code="lock_timeout"), id="locked"),
        pytest.param(FAILURE, id="failure"),
    ],
)
async def test_reported_payment_that_is_not_attached_keeps_its_key(
    trouble: Answer, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """A definite refusal would end the key, and the next one would report the payment again."""
    peer.answer(READ, OPEN)
    peer.answer(REPORT, OURS)
    peer.answer(ATTACH, trouble)

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.UPSTREAM_OUTCOME_UNKNOWN
    assert "pr_1" in refused.message
    assert refused.retryable is True


async def test_repeat_resumes_with_the_same_keys(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The replayed report names the record that the first one made."""
    peer.answer(READ, OPEN)
    peer.answer(REPORT, OURS)
    peer.answer(ATTACH, FAILURE, FAILURE, FAILURE, DONE)
    await refusal(writes, operator, COMMAND)

    attached = await writes.write(operator, COMMAND)

    assert attached == ATTACHED
    reports = [one for one in peer.posts() if one.call == REPORT]
    assert len({one.headers["Idempotency-Key"] for one in reports}) == 1
    assert reports[0].form == reports[1].form


@pytest.mark.parametrize("has_more", [False, True])
async def test_repeat_of_a_done_attach_finds_it(
    has_more: bool, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The invoice may be paid by it, so the rules would refuse what they had allowed."""
    ours = samples.payment("inpay_1", OURS, kind="payment_record", amount=400)
    peer.answer(READ, samples.invoice_with(*([] if has_more else [ours]), has_more=has_more))
    peer.answer(PAYMENTS, samples.listed([ours]))

    attached = await writes.write(operator, COMMAND)

    assert (attached.invoice_payment_id, attached.replayed) == ("inpay_1", True)
    assert peer.posts() == []


async def test_attach_refused_after_the_report_names_the_record(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Somebody paid the invoice in between: the record exists, and the caller must know it."""
    peer.answer(READ, OPEN, samples.invoice_with(samples.payment("inpay_2", "pi_2", amount=1000)))
    peer.answer(REPORT, OURS)
    peer.answer(ATTACH, error(400))
    peer.answer(RECORD, OURS)
    peer.answer(PAYMENTS, samples.listed([]))

    refused = await refusal(writes, operator, COMMAND)

    assert refused.code is RefusalCode.INVOICE_NOT_OPEN
    assert "pr_1" in refused.message


STORED = error(500, type="api_error", headers={"Idempotent-Replayed": "true"})
RECORDS = "GET /v1/payment_records"


async def test_lost_report_that_was_done_is_found_by_its_mark(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The record is among the newest, with our key, and can be attached at once."""
    peer.answer(READ, OPEN)
    peer.answer(REPORT, Reset())
    peer.answer(RECORDS, samples.listed([samples.payment_record("pr_2"), OURS]))
    peer.answer(ATTACH, DONE)

    assert await writes.write(operator, COMMAND) == ATTACHED


@pytest.mark.parametrize(
    ("records", "metadata", "code"),
    [
        pytest.param(
            samples.listed([samples.payment_record("pr_2")]),
            (),
            RefusalCode.UPSTREAM_UNAVAILABLE,
            id="not_there",
        ),
        pytest.param(
            samples.listed([samples.payment_record("pr_2")], has_more=True),
            (),
            RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
            id="too_many_to_tell",
        ),
        pytest.param(
            samples.listed([]),
            tuple((f"k{at}", "v") for at in range(50)),
            RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
            id="without_a_mark",
        ),
        pytest.param(FAILURE, (), RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, id="not_readable"),
    ],
)
async def test_stored_failure_of_a_report_frees_the_key_only_if_nothing_was_done(
    records: Any,
    metadata: tuple[tuple[str, str], ...],
    code: RefusalCode,
    writes: Writing,
    operator: Viewer,
    peer: Peer,
) -> None:
    """Another key reports anew, so it must be certain that there is no record."""
    peer.answer(READ, OPEN)
    peer.answer(REPORT, STORED)
    peer.answer(RECORDS, records)

    facts = OutOfBandPayment(400, "usd", CREATED, metadata=metadata)
    refused = await refusal(writes, operator, AttachPayment("in_1", "gw_1", out_of_band=facts))

    assert (refused.code, refused.retryable) == (code, True)


async def test_stored_failure_of_the_attach_takes_the_next_key(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The payment stays reported under the caller's key; only this step needs another."""
    peer.answer(READ, OPEN)
    peer.answer(REPORT, OURS)
    peer.answer(ATTACH, STORED, DONE)

    assert await writes.write(operator, COMMAND) == ATTACHED
    keys = [one.headers["Idempotency-Key"] for one in peer.posts()]
    assert keys == ["gw_1-report", "gw_1-attach", "gw_1-attach-2"]


@pytest.mark.parametrize(
    ("answer", "code", "gone"),
    [
        pytest.param(
            error(404, message="Unrecognized request URL (POST: /v1/x)."),
            RefusalCode.UNSUPPORTED_BY_BACKEND,
            [Capability.ATTACH_OUT_OF_BAND],
            id="unsupported",
        ),
        pytest.param(error(400), RefusalCode.UPSTREAM_REJECTED, [], id="rejected"),
        pytest.param(error(429), RefusalCode.UPSTREAM_RATE_LIMITED, [], id="rate_limited"),
    ],
)
async def test_report_that_stripe_refuses_changes_nothing(
    answer: Answer,
    code: RefusalCode,
    gone: list[Capability],
    writes: Writing,
    operator: Viewer,
    peer: Peer,
    missing: list[Capability],
) -> None:
    """Nothing was reported, so nothing is attached, and the key is free."""
    peer.answer(READ, OPEN)
    peer.answer(REPORT, answer)

    refused = await refusal(writes, operator, COMMAND)

    assert (refused.code, missing) == (code, gone)
    assert ATTACH not in peer.calls()
