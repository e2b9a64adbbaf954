"""What every supplier of the port promises about writes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from schema.ports import (
    ROOT,
    Attached,
    AttachPayment,
    ById,
    CreateCreditNote,
    CreditNoteCreated,
    CreditNoteDraft,
    Detached,
    DetachPayment,
    OutOfBandPayment,
    RefusalCode,
    Refused,
    Viewer,
    VoidCreditNote,
)
from tests.contract.staging import Stage
from tests.support.backends import Backend
from tests.support.wanting import PAYMENTS, invoice, load_one


async def test_attach_of_succeeded_intent_pays_at_once(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Money that is there already counts in the same step."""
    invoice_id, intent_id = await stage.open_invoice(1000), await stage.succeeded(1000)

    attached = await backend.write(
        operator, AttachPayment(invoice_id, "key-1", payment_intent_id=intent_id)
    )

    loaded = await load_one(backend, operator, invoice(invoice_id), ("Invoice", PAYMENTS))
    assert loaded.record.status == "paid"
    assert attached.invoice_payment_id in [one.record.id for one in loaded.child(PAYMENTS).items]


async def test_detach_reopens_a_paid_invoice(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """The balance comes back, the payment leaves the list, a default payment takes over."""
    invoice_id, (_, second) = await stage.paid_by(700, 300)

    detached = await backend.write(operator, DetachPayment(invoice_id, second, "key-1"))

    loaded = await load_one(backend, operator, invoice(invoice_id), ("Invoice", PAYMENTS))
    listed = {one.record.id: one.record for one in loaded.child(PAYMENTS).items}
    assert (loaded.record.status, loaded.record.amount_remaining) == ("open", 300)
    assert detached.invoice_payment_id not in listed
    assert detached.new_default_payment_id is not None
    assert listed[detached.new_default_payment_id].amount_requested == 300


async def test_attach_detach_attach_returns_to_the_same_totals(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Keys are never made from arguments, so the same attach can happen twice."""
    invoice_id, (_, second) = await stage.paid_by(700, 300)
    before = (await load_one(backend, operator, invoice(invoice_id))).record

    await backend.write(operator, DetachPayment(invoice_id, second, "key-1"))
    await backend.write(operator, AttachPayment(invoice_id, "key-2", payment_intent_id=second))
    await backend.write(operator, DetachPayment(invoice_id, second, "key-3"))
    await backend.write(operator, AttachPayment(invoice_id, "key-4", payment_intent_id=second))

    after = (await load_one(backend, operator, invoice(invoice_id))).record
    assert (after.status, after.amount_paid) == (before.status, before.amount_paid)
    assert (after.amount_remaining, after.amount_overpaid) == (0, 0)


async def test_repeat_with_the_same_key_changes_nothing(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """A retry gets the first outcome, marked as replayed."""
    invoice_id, (_, second) = await stage.paid_by(700, 300)
    command = DetachPayment(invoice_id, second, "key-1")

    first = await backend.write(operator, command)
    second_time = await backend.write(operator, command)

    assert (first.replayed, second_time.replayed) == (False, True)
    assert first.invoice_payment_id == second_time.invoice_payment_id


async def test_same_key_with_other_input_is_refused(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """A key stands for one attempt; another input under it is a caller's mistake."""
    invoice_id, (first, second) = await stage.paid_by(700, 300)
    await backend.write(operator, DetachPayment(invoice_id, second, "key-1"))

    with pytest.raises(Refused) as refused:
        await backend.write(operator, DetachPayment(invoice_id, first, "key-1"))

    assert refused.value.code is RefusalCode.IDEMPOTENCY_KEY_REUSED


async def test_refused_write_may_be_tried_again_with_its_key(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """A refusal changed nothing, so the key is free once the reason is gone."""
    draft, intent_id = await stage.draft(500), await stage.succeeded(500)
    command = AttachPayment(draft, "key-1", payment_intent_id=intent_id)
    with pytest.raises(Refused):
        await backend.write(operator, command)
    await stage.finalize(draft)

    attached = await backend.write(operator, command)

    assert attached.replayed is False


async def test_keys_of_two_tenants_do_not_meet(
    backend: Backend, stage: Stage, acme: Viewer, globex: Viewer
) -> None:
    """Two partners may choose the same key without learning of each other."""
    of_acme, (intent_acme,) = await stage.paid_by(500, customer_id=stage.acme)
    of_globex, (intent_globex,) = await stage.paid_by(500, customer_id=stage.globex)

    first = await backend.write(acme, DetachPayment(of_acme, intent_acme, "key-1"))
    second = await backend.write(globex, DetachPayment(of_globex, intent_globex, "key-1"))

    assert (first.replayed, second.replayed) == (False, False)


async def test_replay_is_not_told_to_a_viewer_with_other_customers(
    backend: Backend, stage: Stage, acme: Viewer
) -> None:
    """Two clients of one tenant share its keys, and need not share its customers."""
    invoice_id, (intent_id,) = await stage.paid_by(500, customer_id=stage.acme)
    colleague = replace(acme, customers=frozenset({stage.globex}))
    command = DetachPayment(invoice_id, intent_id, "key-1")
    await backend.write(acme, command)

    with pytest.raises(Refused) as refused:
        await backend.write(colleague, command)

    assert refused.value.code is RefusalCode.NOT_FOUND
    assert (await backend.write(acme, command)).replayed is True


async def test_foreign_invoice_is_not_found_by_a_write(
    backend: Backend, stage: Stage, acme: Viewer
) -> None:
    """A write tells no more of a foreign object than a read does."""
    foreign, (intent_id,) = await stage.paid_by(500, customer_id=stage.globex)

    with pytest.raises(Refused) as refused:
        await backend.write(acme, DetachPayment(foreign, intent_id, "key-1"))

    assert refused.value.code is RefusalCode.NOT_FOUND


async def test_stale_precondition_is_refused(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Who decided on an old amount decides again."""
    invoice_id, (_, second) = await stage.paid_by(700, 300)

    with pytest.raises(Refused) as refused:
        await backend.write(
            operator, DetachPayment(invoice_id, second, "key-1", if_amount_paid=700)
        )

    assert refused.value.code is RefusalCode.STALE_PRECONDITION
    assert refused.value.invoice_id == invoice_id


async def test_out_of_band_payment_is_reported_and_attached(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """The facts of a payment made elsewhere become a payment record that counts at once."""
    invoice_id = await stage.open_invoice(1000)
    facts = OutOfBandPayment(400, "usd", stage.now(), reference="transfer 7")

    await backend.write(operator, AttachPayment(invoice_id, "key-1", out_of_band=facts))

    loaded = await load_one(backend, operator, invoice(invoice_id), ("Invoice", PAYMENTS))
    sources = [one.record.source_type for one in loaded.child(PAYMENTS).items]
    assert loaded.record.amount_paid == 400
    assert "payment_record" in sources


@pytest.mark.parametrize(
    ("currency", "amount", "rule"),
    [
        pytest.param("isk", 150, "invalid_charge_amount_no_decimal_compatible", id="half_a_krona"),
        pytest.param("kwd", 5125, "invalid_charge_amount", id="last_of_three_decimals"),
    ],
)
async def test_out_of_band_payment_must_be_an_amount_that_moves(
    backend: Backend,
    stage: Stage,
    operator: Viewer,
    currency: str,
    amount: int,
    rule: str,
) -> None:
    """Refused by the rule's name before anything is reported."""
    invoice_id = await stage.open_invoice(10_000, currency=currency)
    facts = OutOfBandPayment(amount, currency, stage.now())

    with pytest.raises(Refused) as refused:
        await backend.write(operator, AttachPayment(invoice_id, "key-1", out_of_band=facts))

    assert (refused.value.code, refused.value.rule) == (RefusalCode.AMOUNT_INVALID, rule)
    assert len(await stage.payments_of(invoice_id)) == 1


async def test_share_of_an_intent_leaves_the_rest_for_another_invoice(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """One intent pays two invoices by shares, and no more than there is."""
    first, second = await stage.open_invoice(600), await stage.open_invoice(600)
    intent_id = await stage.succeeded(1000)

    async def attach(invoice_id: str, amount: int, key: str) -> Attached:
        return await backend.write(
            operator,
            AttachPayment(invoice_id, key, payment_intent_id=intent_id, amount_requested=amount),
        )

    await attach(first, 600, "key-1")
    with pytest.raises(Refused) as refused:
        await attach(second, 500, "key-2")
    await attach(second, 400, "key-3")

    assert refused.value.code is RefusalCode.AMOUNT_TOO_LARGE
    assert (await load_one(backend, operator, invoice(second))).record.amount_paid == 400


async def test_credit_note_lowers_the_balance(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """On an open invoice a credit note takes off what is asked for."""
    invoice_id = await stage.open_invoice(1000)
    command = CreateCreditNote(CreditNoteDraft(invoice_id, 250), "key-1")

    await backend.write(operator, command)

    record = (await load_one(backend, operator, invoice(invoice_id))).record
    assert (record.amount_due, record.amount_remaining) == (750, 750)
    assert record.pre_payment_credit_notes_amount == 250


async def test_voiding_a_credit_note_brings_back_what_it_took_off(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """The invoice asks for the whole again, and the note stays, void."""
    invoice_id = await stage.open_invoice(1000)
    draft = CreditNoteDraft(invoice_id, 250)
    created = await backend.write(operator, CreateCreditNote(draft, "key-1"))
    assert isinstance(created, CreditNoteCreated)
    command = VoidCreditNote(invoice_id, created.credit_note_id, "key-2")

    voided = await backend.write(operator, command)
    repeated = await backend.write(operator, command)

    record = (await load_one(backend, operator, invoice(invoice_id))).record
    assert (record.amount_due, record.pre_payment_credit_notes_amount) == (1000, 0)
    note = (ROOT, ById("CreditNote", created.credit_note_id))
    assert (await load_one(backend, operator, note)).record.status == "void"
    assert (voided.replayed, repeated.replayed) == (False, True)


async def test_a_credit_note_is_voided_once_and_on_its_own_invoice(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """A second key is refused by the rule; another invoice does not have the note; and what was
    given back after payment cannot be taken back."""
    invoice_id, other_id = await stage.open_invoice(1000), await stage.open_invoice(1000)
    paid_id, _ = await stage.paid_by(1000)
    before = await backend.write(
        operator, CreateCreditNote(CreditNoteDraft(invoice_id, 250), "key-1")
    )
    after = await backend.write(
        operator, CreateCreditNote(CreditNoteDraft(paid_id, 250, credit=250), "key-2")
    )
    assert isinstance(before, CreditNoteCreated)
    assert isinstance(after, CreditNoteCreated)

    async def refusal(command: VoidCreditNote) -> tuple[RefusalCode, str]:
        with pytest.raises(Refused) as refused:
            await backend.write(operator, command)
        return refused.value.code, refused.value.rule

    elsewhere = await refusal(VoidCreditNote(other_id, before.credit_note_id, "key-3"))
    given_back = await refusal(VoidCreditNote(paid_id, after.credit_note_id, "key-4"))
    await backend.write(operator, VoidCreditNote(invoice_id, before.credit_note_id, "key-5"))
    again = await refusal(VoidCreditNote(invoice_id, before.credit_note_id, "key-6"))

    assert elsewhere[0] is RefusalCode.NOT_FOUND
    assert given_back == again == (RefusalCode.INVOICE_NOT_OPEN, "credit_note_not_voidable")


async def test_concurrent_attaches_of_one_intent_leave_one_winner(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Two writers race; one gets the intent, the other is told that it is taken."""
    invoices = [await stage.open_invoice(500), await stage.open_invoice(500)]
    intent_id = await stage.succeeded(500)

    outcomes = await asyncio.gather(
        *(
            backend.write(operator, AttachPayment(one, f"key-{one}", payment_intent_id=intent_id))
            for one in invoices
        ),
        return_exceptions=True,
    )

    refusals = [one for one in outcomes if isinstance(one, Refused)]
    assert [one.code for one in refusals] == [RefusalCode.PAYMENT_ALREADY_ATTACHED]
    assert sum(isinstance(one, Attached) for one in outcomes) == 1


async def test_concurrent_repeats_of_one_key_write_once(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """An impatient client that sends one key five times at once detaches once."""
    invoice_id, (_, second) = await stage.paid_by(700, 300)
    command = DetachPayment(invoice_id, second, "key-1")

    outcomes = await asyncio.gather(
        *(backend.write(operator, command) for _ in range(5)), return_exceptions=True
    )

    done = [one for one in outcomes if isinstance(one, Detached)]
    refused = [one.code for one in outcomes if isinstance(one, Refused)]
    assert [one.replayed for one in done].count(False) == 1
    assert set(refused) <= {RefusalCode.IDEMPOTENCY_IN_PROGRESS}
