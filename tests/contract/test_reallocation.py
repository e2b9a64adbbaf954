"""What every supplier behind a journal promises about payments that move to another invoice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from schema.ports import (
    AttachPayment,
    Computed,
    DetachPayment,
    ErrorCode,
    Failed,
    Loaded,
    Needs,
    Placed,
    Reallocated,
    ReallocatePayment,
    RefusalCode,
    Refused,
    Viewer,
    root_needs,
)
from schema.records import Invoice, ReallocationPreview
from tests.contract.staging import Stage
from tests.support.backends import Backend
from tests.support.wanting import PAYMENTS, invoice, load_one

pytestmark = pytest.mark.journaled


async def read(backend: Backend, viewer: Viewer, invoice_id: str) -> tuple[Invoice, dict[str, str]]:
    """The invoice, and the ids of its payments by what pays."""
    loaded = await load_one(backend, viewer, invoice(invoice_id), ("Invoice", PAYMENTS))
    listed = {one.record.source_id: one.record.id for one in loaded.child(PAYMENTS).items}
    return loaded.record, listed


async def moved(backend: Backend, viewer: Viewer, asked: ReallocatePayment) -> Reallocated:
    outcome = await backend.write(viewer, asked)
    assert isinstance(outcome, Reallocated)
    return outcome


async def test_a_payment_moves_and_both_invoices_follow(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """The one asks for its balance again, the other is paid; all else stays as it is."""
    source, (first, second) = await stage.paid_by(700, 300)
    target = await stage.open_invoice(300)
    before = await stage.payments_of(source)

    done = await moved(backend, operator, ReallocatePayment(second, source, target, "key-1"))

    left, of_left = await read(backend, operator, source)
    entered, of_entered = await read(backend, operator, target)
    assert (done.placed, done.why, done.replayed) == (Placed.DONE, None, False)
    assert (left.status, left.amount_paid, left.amount_remaining) == ("open", 700, 300)
    assert (entered.status, entered.amount_paid, entered.amount_remaining) == ("paid", 300, 0)
    assert of_left[first] == before[first]
    assert second not in of_left
    assert done.detached_payment_id == before[second]
    assert of_entered[second] == done.invoice_payment_id


async def test_a_share_of_a_payment_moves(backend: Backend, stage: Stage, operator: Viewer) -> None:
    """The rest of it is free."""
    source, (intent_id,) = await stage.paid_by(700)
    target = await stage.open_invoice(1000)

    await moved(
        backend,
        operator,
        ReallocatePayment(intent_id, source, target, "key-1", amount_requested=250),
    )

    entered, _ = await read(backend, operator, target)
    assert (entered.amount_paid, entered.amount_remaining) == (250, 750)


async def test_a_payment_that_waits_for_its_money_moves(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """It was to pay the one, and is to pay the other; nothing is paid yet."""
    source, target = await stage.open_invoice(500), await stage.open_invoice(500)
    intent_id = await stage.intent(200)
    await stage.attach(source, intent_id)

    done = await moved(backend, operator, ReallocatePayment(intent_id, source, target, "key-1"))

    entered, listed = await read(backend, operator, target)
    assert (entered.amount_paid, entered.amount_remaining) == (0, 500)
    assert listed[intent_id] == done.invoice_payment_id


async def test_a_repeat_moves_nothing_and_is_told_the_same(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    source, (intent_id,) = await stage.paid_by(300)
    target = await stage.open_invoice(1000)
    asked = ReallocatePayment(intent_id, source, target, "key-1")
    first = await moved(backend, operator, asked)

    again = await moved(backend, operator, asked)

    assert again == replace(first, replayed=True)
    entered, _ = await read(backend, operator, target)
    assert entered.amount_paid == 300


async def test_the_key_with_another_input_is_refused(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    source, (intent_id,) = await stage.paid_by(300)
    target, other = await stage.open_invoice(1000), await stage.open_invoice(1000)
    await moved(backend, operator, ReallocatePayment(intent_id, source, target, "key-1"))

    with pytest.raises(Refused) as refused:
        await backend.write(operator, ReallocatePayment(intent_id, source, other, "key-1"))

    assert refused.value.code is RefusalCode.IDEMPOTENCY_KEY_REUSED


async def test_there_and_back_again_returns_to_the_same_totals(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Two movements are two keys, and nothing of the first is in the way of the second."""
    source, (_, second) = await stage.paid_by(700, 300)
    target = await stage.open_invoice(300)
    before = [(await read(backend, operator, one))[0] for one in (source, target)]

    await moved(backend, operator, ReallocatePayment(second, source, target, "key-1"))
    await moved(backend, operator, ReallocatePayment(second, target, source, "key-2"))

    after = [(await read(backend, operator, one))[0] for one in (source, target)]
    assert [(one.status, one.amount_paid, one.amount_remaining) for one in after] == [
        (one.status, one.amount_paid, one.amount_remaining) for one in before
    ]


Arranged = tuple[ReallocatePayment, tuple[str, ...]]
Arrange = Callable[[Stage], Awaitable[Arranged]]
FROM, TO, INTENT = ("fromInvoiceId",), ("toInvoiceId",), ("paymentIntentId",)


async def unknown_source(stage: Stage) -> Arranged:
    _, (intent_id,) = await stage.paid_by(300)
    target = await stage.open_invoice()
    return ReallocatePayment(intent_id, "in_unknown", target, "key-1"), FROM


async def unknown_target(stage: Stage) -> Arranged:
    source, (intent_id,) = await stage.paid_by(300)
    return ReallocatePayment(intent_id, source, "in_unknown", "key-1"), TO


async def unknown_intent(stage: Stage) -> Arranged:
    source, _ = await stage.paid_by(300)
    target = await stage.open_invoice()
    return ReallocatePayment("pi_unknown", source, target, "key-1"), INTENT


async def moved_on(stage: Stage) -> Arranged:
    source, (_, second) = await stage.paid_by(700, 300)
    target = await stage.open_invoice()
    asked = ReallocatePayment(second, source, target, "key-1", if_from_amount_paid=700)
    return asked, ("ifFromAmountPaidMinorUnits",)


async def to_a_draft(stage: Stage) -> Arranged:
    source, (intent_id,) = await stage.paid_by(300)
    return ReallocatePayment(intent_id, source, await stage.draft(), "key-1"), TO


async def to_a_void_one(stage: Stage) -> Arranged:
    source, (intent_id,) = await stage.paid_by(300)
    target = await stage.open_invoice()
    await stage.void(target)
    return ReallocatePayment(intent_id, source, target, "key-1"), TO


async def from_a_void_one(stage: Stage) -> Arranged:
    source, target = await stage.open_invoice(500), await stage.open_invoice(500)
    await stage.void(source)
    return ReallocatePayment(await stage.succeeded(), source, target, "key-1"), FROM


async def to_a_paid_one(stage: Stage) -> Arranged:
    source, (intent_id,) = await stage.paid_by(300)
    target, _ = await stage.paid_by(300)
    return ReallocatePayment(intent_id, source, target, "key-1"), TO


async def to_another_currency(stage: Stage) -> Arranged:
    source, (intent_id,) = await stage.paid_by(300)
    target = await stage.open_invoice(currency="eur", customer_id=stage.globex)
    return ReallocatePayment(intent_id, source, target, "key-1"), INTENT


async def to_anothers(stage: Stage) -> Arranged:
    source, (intent_id,) = await stage.paid_by(300)
    target = await stage.open_invoice(customer_id=stage.globex)
    return ReallocatePayment(intent_id, source, target, "key-1"), INTENT


async def to_the_same(stage: Stage) -> Arranged:
    source, (intent_id,) = await stage.paid_by(300)
    return ReallocatePayment(intent_id, source, source, "key-1"), TO


async def not_on_the_first(stage: Stage) -> Arranged:
    source, target = await stage.open_invoice(), await stage.open_invoice()
    return ReallocatePayment(await stage.succeeded(), source, target, "key-1"), INTENT


async def the_default(stage: Stage) -> Arranged:
    source, target = await stage.open_invoice(300), await stage.open_invoice(300)
    (intent_id,) = await stage.payments_of(source)
    return ReallocatePayment(intent_id, source, target, "key-1"), INTENT


async def more_than_remains(stage: Stage) -> Arranged:
    source, (intent_id,) = await stage.paid_by(300)
    return ReallocatePayment(intent_id, source, await stage.open_invoice(200), "key-1"), INTENT


async def a_share_above_the_payment(stage: Stage) -> Arranged:
    source, (intent_id,) = await stage.paid_by(300)
    target = await stage.open_invoice(900)
    asked = ReallocatePayment(intent_id, source, target, "key-1", amount_requested=400)
    return asked, ("amountRequestedMinorUnits",)


async def a_share_of_nothing(stage: Stage) -> Arranged:
    source, (intent_id,) = await stage.paid_by(300)
    target = await stage.open_invoice(900)
    asked = ReallocatePayment(intent_id, source, target, "key-1", amount_requested=0)
    return asked, ("amountRequestedMinorUnits",)


RULES: list[tuple[Arrange, RefusalCode, str]] = [
    (unknown_source, RefusalCode.NOT_FOUND, "no_such_object"),
    (unknown_target, RefusalCode.NOT_FOUND, "no_such_object"),
    (unknown_intent, RefusalCode.NOT_FOUND, "no_such_object"),
    (moved_on, RefusalCode.STALE_PRECONDITION, "amount_paid_moved_on"),
    (to_a_draft, RefusalCode.INVOICE_NOT_FINALIZED, "invoice_not_finalized"),
    (to_a_void_one, RefusalCode.INVOICE_NOT_OPEN, "invoice_not_open"),
    (from_a_void_one, RefusalCode.INVOICE_NOT_OPEN, "invoice_not_open"),
    (to_a_paid_one, RefusalCode.INVOICE_NOT_OPEN, "invoice_not_open"),
    (to_another_currency, RefusalCode.CURRENCY_MISMATCH, "currency_mismatch"),
    (to_anothers, RefusalCode.CUSTOMER_MISMATCH, "customer_mismatch"),
    (to_the_same, RefusalCode.PAYMENT_ALREADY_ATTACHED, "same_invoice"),
    (not_on_the_first, RefusalCode.PAYMENT_NOT_ATTACHED, "payment_not_attached"),
    (the_default, RefusalCode.PAYMENT_IS_DEFAULT, "payment_is_default"),
    (more_than_remains, RefusalCode.AMOUNT_TOO_LARGE, "amount_exceeds_remaining"),
    (a_share_above_the_payment, RefusalCode.AMOUNT_TOO_LARGE, "amount_exceeds_payment"),
    (a_share_of_nothing, RefusalCode.AMOUNT_INVALID, "amount_not_positive"),
]
rules = pytest.mark.parametrize(
    ("arrange", "code", "rule"), RULES, ids=[arrange.__name__ for arrange, _, _ in RULES]
)


@rules
async def test_what_a_rule_forbids_is_refused_whole(
    backend: Backend,
    stage: Stage,
    operator: Viewer,
    arrange: Arrange,
    code: RefusalCode,
    rule: str,
) -> None:
    """Also a rule of the second step is met before the first, so that nothing is ever half done."""
    asked, path = await arrange(stage)
    known = [one for one in (asked.from_invoice_id, asked.to_invoice_id) if one != "in_unknown"]
    before = [await read(backend, operator, one) for one in known]

    with pytest.raises(Refused) as refused:
        await backend.write(operator, asked)

    assert (refused.value.code, refused.value.rule, refused.value.path) == (code, rule, path)
    assert refused.value.retryable is False
    assert [await read(backend, operator, one) for one in known] == before


@rules
async def test_the_preview_names_what_stands_against_it(
    backend: Backend,
    stage: Stage,
    operator: Viewer,
    arrange: Arrange,
    code: RefusalCode,
    rule: str,
) -> None:
    """The same rule first, or the same NOT_FOUND; only the caller's own precondition is the
    write's alone."""
    asked, _ = await arrange(stage)

    preview = await previewed(backend, operator, replace(asked, if_from_amount_paid=None))

    if isinstance(preview, Failed):
        assert preview.extensions["refusal"] == code.value == "NOT_FOUND"
        return
    first = code.value if asked.if_from_amount_paid is None else "AMOUNT_TOO_LARGE"
    assert preview.allowed is (asked.if_from_amount_paid is not None)
    assert preview.blocked_by[:1] == (() if preview.allowed else (first,))


async def previewed(
    backend: Backend, viewer: Viewer, asked: ReallocatePayment
) -> ReallocationPreview | Failed:
    need = Computed("reallocation_preview", replace(asked, idempotency_key=""))
    root = await backend.load(viewer, root_needs([(need, Needs())]))
    held = root.children[need]
    if isinstance(held, Loaded):
        assert isinstance(held.record, ReallocationPreview)
        return held.record
    assert isinstance(held, Failed)
    return held


async def test_the_preview_says_what_then_happens(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """An honest dialog: both invoices afterwards, and which default payments come and go."""
    source, (_, second) = await stage.paid_by(700, 300)
    target = await stage.open_invoice(300)
    (default,) = (await stage.payments_of(target)).values()
    asked = ReallocatePayment(second, source, target, "key-1")

    preview = await previewed(backend, operator, asked)
    await moved(backend, operator, asked)

    assert isinstance(preview, ReallocationPreview)
    assert (preview.allowed, preview.blocked_by) == (True, ())
    for side, invoice_id in ((preview.from_invoice, source), (preview.to_invoice, target)):
        assert side is not None
        now, _ = await read(backend, operator, invoice_id)
        foretold = (side.status, side.amount_paid, side.amount_remaining, side.amount_overpaid)
        assert foretold == (
            now.status,
            now.amount_paid,
            now.amount_remaining,
            now.amount_overpaid,
        )
        assert side.invoice_id == invoice_id
    assert preview.from_invoice is not None
    assert preview.to_invoice is not None
    assert preview.from_invoice.creates_default_payment_intent is True
    assert preview.from_invoice.canceled_default_payment_id is None
    assert preview.to_invoice.creates_default_payment_intent is False
    assert preview.to_invoice.canceled_default_payment_id == default


@pytest.mark.parametrize("which", ["from", "to"])
async def test_anothers_invoice_is_not_found(
    backend: Backend, stage: Stage, acme: Viewer, which: str
) -> None:
    """Both invoices must be the viewer's, for the preview as for the write."""
    own, (intent_id,) = await stage.paid_by(300, customer_id=stage.acme)
    anothers = await stage.open_invoice(300, customer_id=stage.globex)
    ends = (anothers, own) if which == "from" else (own, anothers)
    asked = ReallocatePayment(intent_id, *ends, "key-1")

    with pytest.raises(Refused) as refused:
        await backend.write(acme, asked)
    preview = await previewed(backend, acme, asked)

    assert refused.value.code is RefusalCode.NOT_FOUND
    assert refused.value.path == (f"{which}InvoiceId",)
    assert isinstance(preview, Failed)
    assert preview.code is ErrorCode.NOT_FOUND


async def test_anothers_intent_is_not_found(backend: Backend, stage: Stage, acme: Viewer) -> None:
    """Which invoice it pays is not told either."""
    _, (intent_id,) = await stage.paid_by(300, customer_id=stage.globex)
    source, target = await stage.open_invoice(300), await stage.open_invoice(300)

    with pytest.raises(Refused) as refused:
        await backend.write(acme, ReallocatePayment(intent_id, source, target, "key-1"))

    assert (refused.value.code, refused.value.path) == (RefusalCode.NOT_FOUND, INTENT)


async def test_a_restricted_viewer_moves_their_own(
    backend: Backend, stage: Stage, acme: Viewer, globex: Viewer
) -> None:
    """And a repeat by somebody who may not see it learns nothing."""
    source, (intent_id,) = await stage.paid_by(300, customer_id=stage.acme)
    target = await stage.open_invoice(300, customer_id=stage.acme)
    asked = ReallocatePayment(intent_id, source, target, "key-1")

    done = await moved(backend, acme, asked)
    colleague = replace(acme, customers=globex.customers)
    with pytest.raises(Refused) as refused:
        await backend.write(colleague, asked)

    assert done.placed is Placed.DONE
    assert refused.value.code is RefusalCode.NOT_FOUND


async def test_what_was_refused_may_be_tried_again_with_its_key(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """A refusal changed nothing, so the key is free once the reason is gone."""
    source, (intent_id,) = await stage.paid_by(300)
    target = await stage.draft(300)
    asked = ReallocatePayment(intent_id, source, target, "key-1")
    with pytest.raises(Refused):
        await backend.write(operator, asked)
    await stage.finalize(target)

    done = await moved(backend, operator, asked)

    assert (done.placed, done.replayed) == (Placed.DONE, False)


async def test_keys_of_other_writes_are_other_keys(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Its steps carry the caller's key, and are no detach or attach of the caller's."""
    source, (first, second) = await stage.paid_by(700, 300)
    target = await stage.open_invoice(300)

    await moved(backend, operator, ReallocatePayment(second, source, target, "key-1"))
    detached = await backend.write(operator, DetachPayment(source, first, "key-1"))

    assert detached.replayed is False


async def test_what_a_third_invoice_takes_of_it_stays_there(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Only what is free of the payment without the first invoice's share may go to the other."""
    intent_id = await stage.succeeded(900)
    source, target, third = [await stage.open_invoice(1000) for _ in range(3)]
    for invoice_id, share in ((third, 500), (source, 400)):
        await backend.write(
            operator,
            AttachPayment(
                invoice_id, f"share-{share}", payment_intent_id=intent_id, amount_requested=share
            ),
        )
    asked = ReallocatePayment(intent_id, source, target, "key-1")

    for share, rule in ((None, "payment_already_attached"), (401, "amount_exceeds_payment")):
        with pytest.raises(Refused) as refused:
            await backend.write(operator, replace(asked, amount_requested=share))
        assert refused.value.rule == rule
    done = await moved(backend, operator, replace(asked, amount_requested=400))

    entered, _ = await read(backend, operator, target)
    kept, _ = await read(backend, operator, third)
    assert done.placed is Placed.DONE
    assert (entered.amount_paid, kept.amount_paid) == (400, 500)
