"""Whole stories of partial payments, told by Stripe's own SDK."""

from __future__ import annotations

import stripe

from tests.sandbox.driving import PREVIEW
from tests.support.stage import ACME, Stage


async def billed(sdk: stripe.StripeClient, *amounts: int) -> str:
    """An open invoice with one line for each amount."""
    given = {"customer": ACME, "collection_method": "send_invoice", "days_until_due": 30}
    draft = await sdk.v1.invoices.create_async(given)
    for amount in amounts:
        item = {"customer": ACME, "invoice": draft.id, "amount": amount, "currency": "usd"}
        await sdk.v1.invoice_items.create_async(item)
    return (await sdk.v1.invoices.finalize_invoice_async(draft.id)).id


async def collected(sdk: stripe.StripeClient, amount: int) -> str:
    """A succeeded PaymentIntent."""
    intent = await sdk.v1.payment_intents.create_async(
        {"amount": amount, "currency": "usd", "customer": ACME}
    )
    await sdk.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    return intent.id


async def detached(sdk: stripe.StripeClient, invoice_id: str, intent_id: str) -> stripe.Invoice:
    """The invoice after a detach, which the GA SDK has to spell out."""
    response = await sdk.raw_request_async(
        "post",
        f"/v1/invoices/{invoice_id}/detach_payment",
        payment_intent=intent_id,
        expand=["payments"],
        stripe_version=PREVIEW,
    )
    return sdk.deserialize(response, api_mode="V1")


async def test_an_invoice_is_paid_in_parts(sdk: stripe.StripeClient) -> None:
    """Partial payments as Stripe's guide tells them: two intents pay one invoice."""
    invoice_id = await billed(sdk, 600, 400)
    first, second = await collected(sdk, 700), await collected(sdk, 300)

    partly = await sdk.v1.invoices.attach_payment_async(invoice_id, {"payment_intent": first})
    paid = await sdk.v1.invoices.attach_payment_async(invoice_id, {"payment_intent": second})

    assert (partly.status, partly.amount_paid, partly.amount_remaining) == ("open", 700, 300)
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 1000, 0)


async def test_finalizing_makes_a_default_payment(sdk: stripe.StripeClient) -> None:
    """Each open invoice has a PaymentIntent of its own for what remains."""
    invoice_id = await billed(sdk, 1000)

    invoice = await sdk.v1.invoices.retrieve_async(
        invoice_id, {"expand": ["payments.data.payment.payment_intent", "confirmation_secret"]}
    )

    payment = invoice.payments.data[0]
    assert (payment.is_default, payment.amount_requested, payment.status) == (True, 1000, "open")
    assert payment.payment.payment_intent.status == "requires_payment_method"
    assert invoice.confirmation_secret.client_secret.startswith(payment.payment.payment_intent.id)


async def test_a_detach_reopens_the_invoice(sdk: stripe.StripeClient) -> None:
    """The payment leaves the list, a new default stands for the balance, the intent is free."""
    invoice_id = await billed(sdk, 1000)
    intent_id = await collected(sdk, 1000)
    await sdk.v1.invoices.attach_payment_async(invoice_id, {"payment_intent": intent_id})

    invoice = await detached(sdk, invoice_id, intent_id)

    sources = {one.payment.payment_intent: one for one in invoice.payments.data}
    assert (invoice.status, invoice.amount_remaining) == ("open", 1000)
    assert intent_id not in sources
    assert [one.amount_requested for one in sources.values() if one.status == "open"] == [1000]


async def test_a_detached_intent_pays_another_invoice(sdk: stripe.StripeClient) -> None:
    """Money that was applied to the wrong invoice is applied to the right one."""
    wrong, right = await billed(sdk, 500), await billed(sdk, 500)
    intent_id = await collected(sdk, 500)
    await sdk.v1.invoices.attach_payment_async(wrong, {"payment_intent": intent_id})

    await detached(sdk, wrong, intent_id)
    invoice = await sdk.v1.invoices.attach_payment_async(right, {"payment_intent": intent_id})

    assert invoice.status == "paid"


async def test_an_attached_intent_is_credited_when_it_succeeds(sdk: stripe.StripeClient) -> None:
    """An intent may be attached before anyone has paid it."""
    invoice_id = await billed(sdk, 1000)
    given = {"amount": 400, "currency": "usd", "customer": ACME}
    intent = await sdk.v1.payment_intents.create_async(given)

    before = await sdk.v1.invoices.attach_payment_async(invoice_id, {"payment_intent": intent.id})
    await sdk.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    after = await sdk.v1.invoices.retrieve_async(invoice_id)

    assert (before.amount_paid, after.amount_paid) == (0, 400)


async def test_a_share_of_an_intent_is_attached_in_preview(sdk: stripe.StripeClient) -> None:
    """`amount_requested` splits one intent over two invoices; other versions do not know it."""
    one, other = await billed(sdk, 300), await billed(sdk, 200)
    intent_id = await collected(sdk, 500)

    for invoice_id, share in ((one, 300), (other, 200)):
        await sdk.v1.invoices.attach_payment_async(
            invoice_id,
            {"payment_intent": intent_id, "amount_requested": share},
            {"stripe_version": PREVIEW},
        )

    found = await sdk.v1.invoice_payments.list_async(
        {"payment": {"type": "payment_intent", "payment_intent": intent_id}}
    )
    assert [payment.amount_paid for payment in found.data] == [200, 300]
    assert (await sdk.v1.invoices.retrieve_async(one)).status == "paid"


async def test_a_credit_note_lowers_what_is_due(sdk: stripe.StripeClient) -> None:
    """A note on an open invoice takes from what remains, and voiding it gives that back."""
    invoice_id = await billed(sdk, 1000)

    note = await sdk.v1.credit_notes.create_async({"invoice": invoice_id, "amount": 400})
    lowered = await sdk.v1.invoices.retrieve_async(invoice_id)
    voided = await sdk.v1.credit_notes.void_credit_note_async(note.id)
    raised = await sdk.v1.invoices.retrieve_async(invoice_id)

    assert (note.pre_payment_amount, lowered.amount_remaining) == (400, 600)
    assert (voided.status, raised.amount_remaining) == ("void", 1000)


async def test_the_steps_are_told_as_events(stage: Stage, sdk: stripe.StripeClient) -> None:
    """Each step is in the list of events, with what it changed."""
    invoice_id = await billed(sdk, 1000)
    intent_id = await collected(sdk, 1000)
    await sdk.v1.invoices.attach_payment_async(invoice_id, {"payment_intent": intent_id})

    await detached(sdk, invoice_id, intent_id)
    events = await sdk.v1.events.list_async({"types": ["invoice*", "payment_intent*"], "limit": 4})

    types = [event.type for event in events.data]
    assert types[:2] == ["invoice.updated", "invoice_payment.detached"]
    assert events.data[0].data.previous_attributes.status == "paid"
    assert events.data[0].data.object.status == "open"


async def test_the_pages_of_a_list_follow_each_other(
    stage: Stage, sdk: stripe.StripeClient
) -> None:
    """The SDK's own paging finds each object once."""
    made = [stage.open_invoice(100) for _ in range(7)]

    first = await sdk.v1.invoices.list_async({"limit": 3})
    found = [invoice.id async for invoice in first.auto_paging_iter()]

    assert found == made[::-1]


async def test_a_draft_can_be_changed_and_deleted(sdk: stripe.StripeClient) -> None:
    """Only drafts go away; what is finalized is voided."""
    draft = await sdk.v1.invoices.create_async({"customer": ACME})

    changed = await sdk.v1.invoices.update_async(
        draft.id, {"description": "June", "metadata": {"order": "7"}}
    )
    deleted = await sdk.v1.invoices.delete_async(draft.id)

    assert (changed.description, changed.metadata["order"]) == ("June", "7")
    assert deleted.deleted


async def test_an_invoice_can_be_paid_outside_stripe(sdk: stripe.StripeClient) -> None:
    """`paid_out_of_band` leaves no payment behind, only the sum."""
    invoice_id = await billed(sdk, 800)

    await sdk.v1.invoices.pay_async(invoice_id, {"paid_out_of_band": True})
    invoice = await sdk.v1.invoices.retrieve_async(
        invoice_id, {"expand": ["amount_paid_off_stripe", "payments"]}
    )

    assert (invoice.status, invoice.amount_paid_off_stripe) == ("paid", 800)
    assert [one.status for one in invoice.payments.data] == ["canceled"]


async def test_a_reported_payment_is_attached(sdk: stripe.StripeClient) -> None:
    """Money that moved elsewhere is reported first and then applied."""
    invoice_id = await billed(sdk, 800)
    record = await sdk.v1.payment_records.report_payment_async(
        {
            "amount_requested": {"currency": "usd", "value": 800},
            "initiated_at": 1_767_225_600,
            "payment_method_details": {"type": "custom", "custom": {"display_name": "Cheque"}},
            "outcome": "guaranteed",
            "guaranteed": {"guaranteed_at": 1_767_225_600},
        }
    )

    invoice = await sdk.v1.invoices.attach_payment_async(invoice_id, {"payment_record": record.id})

    assert record.amount_guaranteed.value == 800
    assert invoice.status == "paid"
