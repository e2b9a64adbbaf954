"""From Stripe's JSON to records, once, where it comes in.

Reads the shapes of every version since 2022 that differ in a field we use: an invoice's `paid`,
`payment_intent`, `charge` and `paid_out_of_band` are ignored, its subscription is found in both
places, references may be expanded. What cannot be read raises `Failed` UPSTREAM_ERROR. It fetches
nothing and knows no rule.
Source: https://docs.stripe.com/api/invoices/object and its siblings, 2026-10-28.endive.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from gateway.backends.stripe.credit_notes import credit_note_record
from gateway.backends.stripe.fields import Fields, fields_of, is_id, malformed
from schema import records
from schema.ports import Deleted, Failed
from schema.records import Record

__all__ = [
    "charge_record",
    "confirmation_secret",
    "credit_note_record",
    "customer_record",
    "embedded_list",
    "harvest",
    "invoice_payment_record",
    "invoice_record",
    "line_item_records",
    "payment_intent_record",
    "payment_record_record",
]

log = logging.getLogger(__name__)

SOURCE_TYPES = ("payment_intent", "payment_record", "charge")


def invoice_record(raw: object) -> records.Invoice:
    """The invoice. Needs id, created, currency, total and what is due, paid and remaining."""
    one = fields_of(raw, "invoice")
    total, subtotal = one.needed_amount("total"), one.amount("subtotal")
    return records.Invoice(
        id=one.id,
        created=one.needed_instant("created"),
        currency=one.currency(),
        customer_id=one.reference("customer"),
        status=one.text("status"),
        livemode=one.flag("livemode"),
        number=one.text("number"),
        collection_method=one.text("collection_method") or "charge_automatically",
        description=one.text("description"),
        customer_name=one.text("customer_name"),
        customer_email=one.text("customer_email"),
        subscription_id=_subscription(one),
        subtotal=total if subtotal is None else subtotal,
        total=total,
        starting_balance=one.amount("starting_balance") or 0,
        ending_balance=one.amount("ending_balance"),
        amount_due=one.needed_amount("amount_due"),
        amount_paid=one.needed_amount("amount_paid"),
        amount_remaining=one.needed_amount("amount_remaining"),
        amount_overpaid=one.amount("amount_overpaid") or 0,
        pre_payment_credit_notes_amount=one.amount("pre_payment_credit_notes_amount") or 0,
        post_payment_credit_notes_amount=one.amount("post_payment_credit_notes_amount") or 0,
        due_date=one.instant("due_date"),
        finalized_at=one.instant("status_transitions.finalized_at"),
        paid_at=one.instant("status_transitions.paid_at"),
        voided_at=one.instant("status_transitions.voided_at"),
        marked_uncollectible_at=one.instant("status_transitions.marked_uncollectible_at"),
        hosted_invoice_url=one.text("hosted_invoice_url"),
        invoice_pdf=one.text("invoice_pdf"),
        metadata=one.metadata(),
    )


def _subscription(one: Fields) -> str | None:
    """Where it stands now, or where it stood before 2025-03-31.basil."""
    now = one.reference("parent.subscription_details.subscription")
    return now or one.reference("subscription")


def invoice_payment_record(raw: object) -> records.InvoicePayment:
    """The invoice payment. Needs all but `amount_paid`, which is null until it is paid."""
    one = fields_of(raw, "invoice_payment")
    source_type, source_id = _source(one)
    return records.InvoicePayment(
        id=one.id,
        created=one.needed_instant("created"),
        currency=one.currency(),
        invoice_id=one.needed_reference("invoice"),
        status=one.needed_text("status"),
        source_type=source_type,
        source_id=source_id,
        amount_requested=one.needed_amount("amount_requested"),
        amount_paid=one.amount("amount_paid"),
        is_default=one.flag("is_default"),
        paid_at=one.instant("status_transitions.paid_at"),
        canceled_at=one.instant("status_transitions.canceled_at"),
        livemode=one.flag("livemode"),
    )


def _source(one: Fields) -> tuple[str, str]:
    """What pays: the type, which the id that is there implies, and the id.

    A type of tomorrow is kept, with its id if it stands under the type's name.
    """
    given = [name for name in SOURCE_TYPES if one.reference(f"payment.{name}")]
    kind = one.text("payment.type") or (given[0] if len(given) == 1 else "")
    if not kind:
        raise one.malformed("payment.type", "must say what pays")
    if kind in SOURCE_TYPES:
        return kind, one.needed_reference(f"payment.{kind}")
    return kind, one.reference(f"payment.{kind}") or ""


def payment_intent_record(raw: object) -> records.PaymentIntent:
    """The PaymentIntent. Its `client_secret` is never taken over."""
    one = fields_of(raw, "payment_intent")
    return records.PaymentIntent(
        id=one.id,
        created=one.needed_instant("created"),
        currency=one.currency(),
        status=one.needed_text("status"),
        amount=one.needed_amount("amount"),
        amount_received=one.amount("amount_received") or 0,
        customer_id=one.reference("customer"),
        description=one.text("description"),
        canceled_at=one.instant("canceled_at"),
        cancellation_reason=one.text("cancellation_reason"),
        livemode=one.flag("livemode"),
        metadata=one.metadata(),
    )


def payment_record_record(raw: object) -> records.PaymentRecord:
    """The payment record: its amount is `{currency, value}`, who paid is in `customer_details`."""
    one = fields_of(raw, "payment_record")
    return records.PaymentRecord(
        id=one.id,
        created=one.needed_instant("created"),
        currency=one.currency("amount.currency"),
        amount=one.needed_amount("amount.value"),
        customer_id=one.reference("customer_details.customer"),
        description=one.text("description"),
        reference=one.text("processor_details.custom.payment_reference"),
        livemode=one.flag("livemode"),
        metadata=one.metadata(),
    )


def charge_record(raw: object) -> records.Charge:
    one = fields_of(raw, "charge")
    return records.Charge(
        id=one.id,
        created=one.needed_instant("created"),
        currency=one.currency(),
        amount=one.needed_amount("amount"),
        customer_id=one.reference("customer"),
    )


def customer_record(raw: object) -> records.Customer:
    """The customer. Raises `Failed` NOT_FOUND for a deleted one."""
    one = fields_of(raw, "customer")
    return records.Customer(
        id=one.id,
        created=one.needed_instant("created"),
        livemode=one.flag("livemode"),
        name=one.text("name"),
        email=one.text("email"),
        currency=_currency(one),
        credit_balance=_credit_balance(one),
        metadata=one.metadata(),
    )


def _currency(one: Fields) -> str | None:
    """None until the customer was billed or has a balance."""
    currency = one.text("currency")
    return currency.lower() if currency else None


def _credit_balance(one: Fields) -> tuple[tuple[str, int], ...]:
    """What is in the customer's favour: above zero in `invoice_credit_balance`, below in `balance`.

    Source: https://docs.stripe.com/api/customers/object, 2026-09-30.preview.
    """
    stated = one.value("invoice_credit_balance")
    codes = [code for code in stated if code.isalnum()] if isinstance(stated, Mapping) else []
    held = {code.lower(): one.amount(f"invoice_credit_balance.{code}") or 0 for code in codes}
    balance, currency = one.amount("balance"), _currency(one)
    if balance and currency:
        held.setdefault(currency, -balance)
    return tuple(sorted((code, amount) for code, amount in held.items() if amount))


def line_item_records(raw_list: object, invoice_id: str) -> list[records.InvoiceLineItem]:
    """The lines in a list of an invoice's lines, in Stripe's order."""
    items, _ = embedded_list(raw_list)
    return [_line_item(raw, invoice_id) for raw in items]


def _line_item(raw: object, invoice_id: str) -> records.InvoiceLineItem:
    one = fields_of(raw, "line_item")
    return records.InvoiceLineItem(
        id=one.id,
        invoice_id=invoice_id,
        amount=one.needed_amount("amount"),
        currency=one.currency(),
        description=one.text("description"),
        quantity=one.decimal("quantity_decimal") or _whole(one.number("quantity")),
        period_start=one.instant("period.start"),
        period_end=one.instant("period.end"),
    )


def _whole(number: int | None) -> str | None:
    return None if number is None else str(number)


def confirmation_secret(raw: object) -> records.ConfirmationSecret | None:
    """The secret of an invoice that was read with it expanded; None where there is none."""
    one = fields_of(raw, "invoice")
    secret = one.text("confirmation_secret.client_secret")
    if secret is None:
        return None
    kind = one.text("confirmation_secret.type")
    return records.ConfirmationSecret(secret, kind or "payment_intent")


def embedded_list(raw_list: object) -> tuple[list[Any], bool]:
    """The members of one of Stripe's lists, and whether there are more. Raises `Failed`."""
    items = raw_list.get("data") if isinstance(raw_list, Mapping) else None
    if not isinstance(raw_list, Mapping) or not isinstance(items, list):
        raise malformed("list", None, "data", "must be a list")
    return items, raw_list.get("has_more") is True


READERS: Mapping[str, Callable[[object], Record]] = {
    "invoice": invoice_record,
    "invoice_payment": invoice_payment_record,
    "payment_intent": payment_intent_record,
    "payment_record": payment_record_record,
    "charge": charge_record,
    "customer": customer_record,
    "credit_note": credit_note_record,
}


def harvest(raw: object) -> list[Record | Deleted]:
    """Records of every full object in a response, outer ones first, each once.

    A deleted object is told as such. Events are not entered (their snapshots are old), and what
    cannot be read is left out with a warning: whoever needs it will read it by itself and see why.
    """
    found: dict[tuple[str, str], Record | Deleted] = {}
    waiting: list[Any] = [raw]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("object") == "event":
                continue
            for one in _told_by(value):
                found.setdefault((type(one).__name__, one.id), one)
            waiting.extend([one for one in value.values() if isinstance(one, _NESTING)][::-1])
        elif isinstance(value, list):
            waiting.extend(value[::-1])
    return list(found.values())


def _deleted(raw: Mapping[str, Any]) -> Iterator[Deleted]:
    """What `{"id": "cus_1", "deleted": true}` says, which may leave out what the id says too."""
    object_id: object = raw.get("id")
    if is_id(object_id):
        prefix = object_id.partition("_")[0]
        kinds = (kind for kind in get_args(Record) if kind.prefix == prefix)
        yield from (Deleted(kind.__name__, object_id) for kind in kinds)


_NESTING = (dict, list)
"""What JSON nests in. An answer has some twenty plain values for each of these."""


def _told_by(raw: Mapping[str, Any]) -> Iterator[Record | Deleted]:
    """The record of one object, and of an invoice's lines, which need not name their invoice."""
    kind = raw.get("object")
    if raw.get("deleted") is True:
        yield from _deleted(raw)
        return
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        return
    try:
        yield reader(raw)
        if kind == "invoice" and "lines" in raw:
            yield from line_item_records(raw["lines"], str(raw["id"]))
    except Failed as failed:
        log.warning("left out of a response: %s", failed.message)
