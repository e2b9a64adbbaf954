"""Voiding a credit note at Stripe: the key tells who has voided it, or Stripe's event does."""

from __future__ import annotations

import pytest

from gateway.backends.journal.attempt import STRIPE_KEY_SECONDS
from schema.ports import (
    Capability,
    CreditNoteVoided,
    RefusalCode,
    Refused,
    Viewer,
    VoidCreditNote,
)
from tests.stripe_edge import samples
from tests.stripe_edge.conftest import Writing
from tests.stripe_edge.peer import Answer, Peer, Reset, error
from tests.stripe_edge.tries import in_doubt

READ = "GET /v1/credit_notes/cn_1"
VOID = "POST /v1/credit_notes/cn_1/void"
INVOICE = "GET /v1/invoices/in_1"
EVENTS = "GET /v1/events"

COMMAND = VoidCreditNote("in_1", "cn_1", "gw_1")
ISSUED = samples.credit_note("cn_1")
VOIDED = samples.credit_note("cn_1", status="void")
DONE = CreditNoteVoided("in_1", "cn_1", "cus_1")
STORED = error(500, type="api_error", headers={"Idempotent-Replayed": "true"})
REJECTED = error(400)


def voided_by(key: str | None) -> object:
    """Stripe's events, where a request with this key has voided the note."""
    event = {"request": {"idempotency_key": key}, "data": {"object": VOIDED}}
    return samples.listed([event])


async def refusal(writes: Writing, viewer: Viewer, command: VoidCreditNote = COMMAND) -> Refused:
    with pytest.raises(Refused) as refused:
        await writes.write(viewer, command)
    return refused.value


async def test_voiding_is_a_look_and_a_call(writes: Writing, operator: Viewer, peer: Peer) -> None:
    """The call names no invoice, so the look tells whether the note is on the one that is meant."""
    peer.answer(READ, ISSUED)
    peer.answer(VOID, VOIDED)

    assert await writes.write(operator, COMMAND) == DONE

    assert peer.calls() == [READ, VOID]
    assert peer.sent[1].headers["Idempotency-Key"] == "gw_1"


async def test_a_note_of_another_invoice_or_customer_is_not_found(
    writes: Writing, operator: Viewer, stranger: Viewer, peer: Peer
) -> None:
    peer.answer(READ, ISSUED)

    elsewhere = await refusal(writes, operator, VoidCreditNote("in_2", "cn_1", "gw_1"))
    foreign = await refusal(writes, stranger)

    assert elsewhere.code is foreign.code is RefusalCode.NOT_FOUND
    assert peer.posts() == []


async def test_a_lost_answer_is_asked_for_with_the_same_key(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """That the note is void may be another's work, so the key decides."""
    peer.answer(READ, ISSUED, VOIDED)
    peer.answer(VOID, Reset(), Reset(), Reset(), VOIDED)

    assert await writes.write(operator, COMMAND) == DONE

    assert peer.calls() == [READ, VOID, VOID, VOID, READ, VOID]


@pytest.mark.parametrize(
    ("lost", "now", "code"),
    [
        pytest.param(Reset(), ISSUED, RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, id="not_void"),
        pytest.param(Reset(), STORED, RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, id="not_readable"),
        pytest.param(STORED, ISSUED, RefusalCode.UPSTREAM_UNAVAILABLE, id="stored_failure"),
    ],
)
async def test_what_is_not_seen_stays_unknown_but_for_a_stored_failure(
    lost: Answer, now: Answer, code: RefusalCode, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    peer.answer(READ, ISSUED, now)
    peer.answer(VOID, lost)

    refused = await refusal(writes, operator)

    assert (refused.code, refused.retryable) == (code, True)


@pytest.mark.parametrize(("key", "is_ours"), [("gw_1", True), ("other", False)])
async def test_behind_a_stored_failure_the_event_tells_who_has_voided(
    key: str, is_ours: bool, writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Of two callers who void one note, one meets a failure: one may be told of success."""
    peer.answer(READ, ISSUED, VOIDED)
    peer.answer(VOID, STORED)
    peer.answer(EVENTS, voided_by(key))

    if is_ours:
        assert await writes.write(operator, COMMAND) == DONE
    else:
        refused = await refusal(writes, operator)
        assert (refused.code, refused.settles) == (RefusalCode.UPSTREAM_UNAVAILABLE, True)


async def test_a_rejection_is_explained_by_the_rule_of_the_ledger(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    peer.answer(READ, ISSUED, VOIDED)
    peer.answer(VOID, REJECTED)
    peer.answer(INVOICE, samples.invoice())

    refused = await refusal(writes, operator)

    assert (refused.code, refused.rule) == (
        RefusalCode.INVOICE_NOT_OPEN,
        "credit_note_not_voidable",
    )


async def test_a_forgotten_key_that_had_voided_is_known_by_the_event(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """Stripe refuses the repeat of a key that it has forgotten, and its deed stands."""
    peer.answer(READ, VOIDED)
    peer.answer(VOID, REJECTED)
    peer.answer(EVENTS, voided_by("gw_1"))

    done = await writes.write(operator, COMMAND, in_doubt())

    assert done == CreditNoteVoided("in_1", "cn_1", "cus_1", replayed=True)


async def test_an_account_without_credit_notes_is_told_so(
    writes: Writing, operator: Viewer, peer: Peer, missing: list[Capability]
) -> None:
    peer.answer(READ, ISSUED)
    peer.answer(VOID, error(404, message="Unrecognized request URL (POST: /v1/x)."))

    refused = await refusal(writes, operator)

    assert refused.code is RefusalCode.UNSUPPORTED_BY_BACKEND
    assert missing == [Capability.CREDIT_NOTE]


async def test_a_rejection_after_a_lost_success_is_a_success(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """It cannot be voided any more, because our own first attempt voided it."""
    peer.answer(READ, ISSUED)
    peer.answer(VOID, Reset(), REJECTED)
    peer.answer(EVENTS, voided_by("gw_1"))

    done = await writes.write(operator, COMMAND)

    assert done == CreditNoteVoided("in_1", "cn_1", "cus_1", replayed=True)


async def test_events_are_looked_through_whatever_the_clock_said_that_noted_the_key(
    writes: Writing, operator: Viewer, peer: Peer
) -> None:
    """A clock that is ahead would look for the event of the other caller after it has happened."""
    peer.answer(READ, VOIDED)
    peer.answer(EVENTS, voided_by("other"))

    with pytest.raises(Refused) as refused:
        await writes.write(operator, COMMAND, in_doubt(age_seconds=STRIPE_KEY_SECONDS + 1))

    assert (refused.value.code, refused.value.settles) == (RefusalCode.UPSTREAM_UNAVAILABLE, True)
    assert "created[gte]" not in peer.sent[-1].form
