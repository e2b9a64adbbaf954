"""Credit notes at Stripe: one call, recognised by its mark when the answer is lost."""

from __future__ import annotations

from typing import Any

import pytest

from schema.ports import (
    Capability,
    CreateCreditNote,
    CreditNoteCreated,
    CreditNoteDraft,
    RefusalCode,
    Refused,
    Viewer,
)
from tests.stripe_edge import samples
from tests.stripe_edge.conftest import Writing
from tests.stripe_edge.peer import Answer, Json, Peer, Reset, error

READ = "GET /v1/invoices/in_1"
NOTES = "GET /v1/credit_notes"
CREATE = "POST /v1/credit_notes"

DRAFT = CreditNoteDraft("in_1", 900, reason="duplicate", memo="Sorry", refund=300, credit=300)
COMMAND = CreateCreditNote(DRAFT, "gw_1")
OURS = samples.credit_note(metadata={"gateway_idempotency_key": "gw_1"})
CREATED = CreditNoteCreated("in_1", "cn_1", "cus_1")
FAILURE = error(500, type="api_error")
STORED = error(500, type="api_error", headers={"Idempotent-Replayed": "true"})


async def refusal(writes: Writing, viewer: Viewer) -> Refused:
    with pytest.raises(Refused) as refused:
        await writes.write(viewer, COMMAND)
    return refused.value


async def test_credit_note_is_one_call(writes: Writing, operator: Viewer, peer: Peer) -> None:
    """What was drafted is sent, with our mark, and nothing that was not stated."""
    peer.answer(CREATE, OURS)

    created = await writes.write(operator, COMMAND)

    assert created == CREATED
    assert peer.calls() == [CREATE]
    assert peer.sent[0].headers["Idempotency-Key"] == "gw_1"
    assert peer.sent[0].form == {
        "invoice": "in_1",
        "amount": "900",
        "reason": "duplicate",
        "memo": "Sorry",
        "refund_amount": "300",
        "credit_amount": "300",
        "metadata[gateway_idempotency_key]": "gw_1",
    }


async def test_foreign_invoice_is_not_found(writes: Writing, stranger: Viewer, peer: Peer) -> None:
    """Nothing is credited on an invoice of somebody else."""
    peer.answer(READ, samples.invoice())

    refused = await refusal(writes, stranger)

    assert refused.code is RefusalCode.NOT_FOUND
    assert peer.posts() == []


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(Reset(), id="reset"),
        pytest.param(FAILURE, id="failure"),
        pytest.param(STORED, id="stored_failure"),
        pytest.param(Json({"id": "cn_1"}), id="note_unreadable"),
    ],
)
async def test_note_that_was_issued_is_known_by_its_mark(
    lost: Answer, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Another note of the same amount is another note."""
    peer.answer(CREATE, lost)
    peer.answer(NOTES, samples.listed([samples.credit_note("cn_2"), OURS]))

    assert await writes.write(operator, COMMAND) == CREATED


@pytest.mark.parametrize(
    ("lost", "notes", "code"),
    [
        pytest.param(
            Reset(),
            samples.listed([samples.credit_note("cn_2")]),
            RefusalCode.UPSTREAM_OUTCOME_UNKNOWN,
            id="not_seen",
        ),
        pytest.param(Reset(), FAILURE, RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, id="not_readable"),
        pytest.param(
            STORED, samples.listed([]), RefusalCode.UPSTREAM_UNAVAILABLE, id="stored_failure"
        ),
    ],
)
async def test_note_that_is_not_seen(
    lost: Answer,
    notes: Any,
    code: RefusalCode,
    writes: Writing,
    operator: Viewer,
    peer: Peer,
) -> None:
    """It stays unknown, but for a failure that Stripe has stored and that did nothing."""
    peer.answer(CREATE, lost)
    peer.answer(NOTES, notes)

    refused = await refusal(writes, operator)

    assert (refused.code, refused.retryable) == (code, True)


@pytest.mark.parametrize(
    ("invoice", "code"),
    [
        pytest.param(
            samples.invoice(status="draft"), RefusalCode.INVOICE_NOT_FINALIZED, id="draft"
        ),
        pytest.param(samples.invoice(status="void"), RefusalCode.INVOICE_NOT_OPEN, id="void"),
        pytest.param(samples.invoice(), RefusalCode.AMOUNT_INVALID, id="parts_do_not_add_up"),
        pytest.param(
            samples.invoice(due=300, paid=0), RefusalCode.AMOUNT_TOO_LARGE, id="more_than_paid"
        ),
        pytest.param(
            samples.invoice(due=1000, paid=700), RefusalCode.UPSTREAM_REJECTED, id="no_rule"
        ),
        pytest.param(FAILURE, RefusalCode.UPSTREAM_REJECTED, id="unreadable"),
        pytest.param(
            error(404, code="resource_missing"), RefusalCode.NOT_FOUND, id="no_such_invoice"
        ),
    ],
)
async def test_refusal_of_stripe_is_explained(
    invoice: Any, code: RefusalCode, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """The ledger's preview finds the rule; Stripe's details stand beside it."""
    peer.answer(CREATE, error(400, code="odd"))
    peer.answer(READ, invoice)

    refused = await refusal(writes, operator)

    assert (refused.code, refused.stripe_code) == (code, "odd")


async def test_refusal_after_a_lost_success_is_a_success(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """More than is left, because our own first attempt took it."""
    peer.answer(CREATE, Reset(), error(400))
    peer.answer(NOTES, samples.listed([OURS]))

    assert await writes.write(operator, COMMAND) == CREATED


async def test_account_without_credit_notes_says_so(
    writes: Writing, operator: Viewer, peer: Peer, missing: list[Capability]
) -> None:
    """Capabilities shrink from then on."""
    peer.answer(CREATE, error(404, message="Unrecognized request URL (POST: /v1/x)."))

    refused = await refusal(writes, operator)

    assert refused.code is RefusalCode.UNSUPPORTED_BY_BACKEND
    assert missing == [Capability.CREDIT_NOTE]
