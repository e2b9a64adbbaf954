"""From Stripe's objects to records, with Stripe's default for everything that is not stated.

Needed: of a customer its id; of a PaymentIntent, payment record and charge the id, amount and
currency; of an invoice the id, customer (or customer_account), currency and `total`, `amount_due`
or lines; of an invoice payment the id, invoice and payment; of a credit note the id, invoice and
amount.

Defaults that are not a plain zero or null:
- `created`: 2026-01-01T00:00:00Z plus the position in the list, in seconds. Instants that a status
  implies (`finalized_at`, `paid_at`, `voided_at`, `canceled_at` ...) are `created`.
- A PaymentIntent is `requires_payment_method`; a succeeded one received its whole amount.
- An invoice payment asks for the whole of its source. It is paid if its source has the money,
  canceled if its PaymentIntent is, else open; a paid one paid what it asked for.
- An invoice's `total` is the sum of its lines, `amount_due` the total with what the customer's
  balance added or took (`starting_balance` less `ending_balance`), less pre-payment credit notes;
  `amount_paid` what its paid payments add up to, at most `amount_due`; the rest is overpaid.
- An invoice without `status` is a draft, as Stripe creates it. If it has payments it cannot be a
  draft any more: then it is paid when nothing remains, and else open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from gateway.ledger.lifecycle import NEXT
from gateway.ledger.payments import has_money, whole
from gateway.sandbox.fixtures_fields import Problems, StripeObject, id_form, is_id, listed, shown
from gateway.sandbox.fixtures_format import PREFIXES, WHOLE_FILE, Fixtures
from gateway.sandbox.fixtures_invoices import read_invoice
from gateway.sandbox.fixtures_notes import read_credit_note
from schema import records

PAYMENT_STATUSES = ("open", "paid", "canceled")
SOURCE_TYPES = ("payment_intent", "payment_record", "charge")

Source = records.PaymentIntent | records.PaymentRecord | records.Charge
R = TypeVar("R", bound=records.Record)
OfInvoice = TypeVar("OfInvoice", records.InvoicePayment, records.CreditNote)


def read_objects(raw: Mapping[str, Any], problems: Problems) -> Fixtures:
    """Every object of the file as a record; what is wrong with one is added to the problems."""
    file = StripeObject(raw, WHOLE_FILE, 0, problems)
    found = {name: list(_objects(file, name)) for name in PREFIXES}
    intents = _in_order(map(_intent, found["payment_intents"]))
    reported = _in_order(map(_payment_record, found["payment_records"]))
    charges = _in_order(map(_charge, found["charges"]))
    every: tuple[Source, ...] = (*intents, *reported, *charges)
    sources = {one.id: one for one in every}
    heads = {one.name: one for one in found["invoices"]}
    payments = _in_order(_payment(one, heads, sources) for one in found["invoice_payments"])
    notes = _in_order(read_credit_note(one, heads) for one in found["credit_notes"])
    paying, crediting = _by_invoice(payments), _by_invoice(notes)
    invoices = [
        read_invoice(one, paying[one.name], crediting[one.name]) for one in found["invoices"]
    ]
    in_order = sorted(invoices, key=lambda pair: pair[0].created)
    return Fixtures(
        customers=_in_order(_customer(one) for one in found["customers"] if not _is_deleted(one)),
        deleted_customers=tuple(one.name for one in found["customers"] if _is_deleted(one)),
        customer_accounts=tuple(_customer_accounts(found)),
        payment_intents=intents,
        payment_records=reported,
        charges=charges,
        invoices=tuple(invoice for invoice, _ in in_order),
        invoice_payments=payments,
        credit_notes=notes,
        lines=tuple(line for _, lines in in_order for line in lines),
    )


def _objects(file: StripeObject, name: str) -> Iterator[StripeObject]:
    """The objects of one list that have an id of their own."""
    seen: set[str] = set()
    for at, raw in enumerate(listed(file.value(name), file, name)):
        place = f"{name}[{at}]"
        if not isinstance(raw, Mapping):
            file.problem(place, f"must be an object, got {shown(raw)}")
            continue
        one = StripeObject(raw, str(raw.get("id")), at, file.problems)
        if not is_id(raw.get("id"), PREFIXES[name]):
            reason = f"must be {id_form(PREFIXES[name])}, got {shown(raw.get('id'))}"
            file.problem(f"{place}.id", reason)
        elif one.name in seen:
            one.problem("id", f"must be unique, but {place} has it again")
        else:
            seen.add(one.name)
            yield one


def _in_order(found: Iterator[R]) -> tuple[R, ...]:
    return tuple(sorted(found, key=attrgetter("created")))


def _by_invoice(found: Sequence[OfInvoice]) -> defaultdict[str, list[OfInvoice]]:
    grouped: defaultdict[str, list[OfInvoice]] = defaultdict(list)
    for one in found:
        grouped[one.invoice_id].append(one)
    return grouped


def _customer_accounts(
    found: Mapping[str, Sequence[StripeObject]],
) -> Iterator[tuple[str, str]]:
    for name in ("invoices", "payment_intents", "credit_notes"):
        for one in found[name]:
            account = one.text("customer_account")
            if account:
                yield one.name, account


def _is_deleted(one: StripeObject) -> bool:
    """As Stripe writes what is gone: `{"id": "cus_1", "object": "customer", "deleted": true}`."""
    return one.flag("deleted")


def _customer(one: StripeObject) -> records.Customer:
    held = _credit_balance(one)
    return records.Customer(
        id=one.name,
        created=one.created,
        livemode=one.flag("livemode"),
        name=one.text("name"),
        email=one.text("email"),
        currency=one.currency() or next((code for code, _ in held), None),
        credit_balance=held,
        metadata=one.metadata(),
    )


def _credit_balance(one: StripeObject) -> tuple[tuple[str, int], ...]:
    """What is in the customer's favour: above zero in `invoice_credit_balance`, below in `balance`.

    Source: https://docs.stripe.com/api/customers/object, 2026-09-30.preview.
    """
    held: dict[str, int] = {}
    stated = one.value("invoice_credit_balance")
    for code in stated if isinstance(stated, Mapping) else ():
        if not (len(code) == 3 and code.isascii() and code.isalpha()):
            one.problem("invoice_credit_balance", f"must be by currency, got {shown(code)}")
        else:
            amount = one.whole(f"invoice_credit_balance.{code}", least=None)
            held[code.lower()] = amount or 0
    if stated is not None and not isinstance(stated, Mapping):
        one.problem("invoice_credit_balance", f"must be an object, got {shown(stated)}")
    balance, currency = one.whole("balance", least=None), one.currency()
    if balance and currency is None:
        one.problem("currency", f"is missing: the balance {balance} must be in some currency")
    elif balance and currency and held.setdefault(currency, -balance) != -balance:
        one.problem(
            "balance",
            f"must be {-held[currency]}, the negative of invoice_credit_balance.{currency}, "
            f"got {balance}",
        )
    return tuple(sorted((code, amount) for code, amount in held.items() if amount))


def _intent(one: StripeObject) -> records.PaymentIntent:
    status = one.choice("status", NEXT) or "requires_payment_method"
    amount = one.needed_whole("amount", least=1)
    received = one.whole("amount_received")
    if received is None:
        received = amount if status == "succeeded" else 0
    return records.PaymentIntent(
        id=one.name,
        created=one.created,
        currency=one.needed_currency(),
        status=status,
        amount=amount,
        amount_received=received,
        customer_id=one.reference("customer", "cus"),
        description=one.text("description"),
        canceled_at=one.instant_of("canceled_at", implied=status == "canceled"),
        cancellation_reason=one.text("cancellation_reason"),
        livemode=one.flag("livemode"),
        metadata=one.metadata(),
    )


def _payment_record(one: StripeObject) -> records.PaymentRecord:
    """Its amount is `{currency, value}`, and who paid stands in `customer_details`."""
    return records.PaymentRecord(
        id=one.name,
        created=one.created,
        currency=one.needed_currency("amount.currency"),
        amount=one.needed_whole("amount.value", least=1),
        customer_id=one.reference("customer_details.customer", "cus"),
        description=one.text("description"),
        reference=one.text("processor_details.custom.payment_reference"),
        livemode=one.flag("livemode"),
        metadata=one.metadata(),
    )


def _charge(one: StripeObject) -> records.Charge:
    return records.Charge(
        id=one.name,
        created=one.created,
        currency=one.needed_currency(),
        amount=one.needed_whole("amount", least=1),
        customer_id=one.reference("customer", "cus"),
    )


def _payment(
    one: StripeObject, invoices: Mapping[str, StripeObject], sources: Mapping[str, Source]
) -> records.InvoicePayment:
    invoice_id = one.needed_reference("invoice", "in")
    source_type, source_id = _source(one)
    invoice, source = invoices.get(invoice_id), sources.get(source_id)
    status = one.choice("status", PAYMENT_STATUSES) or _status_by(source)
    paid, requested = one.whole("amount_paid"), one.whole("amount_requested", least=1)
    if requested is None:
        requested = _whole(source) if paid is None else paid
    return records.InvoicePayment(
        id=one.name,
        created=one.created,
        currency=one.currency() or (invoice.currency() if invoice else None) or "",
        invoice_id=invoice_id,
        status=status,
        source_type=source_type,
        source_id=source_id,
        amount_requested=requested,
        amount_paid=requested if paid is None and status == "paid" else paid,
        is_default=one.flag("is_default"),
        paid_at=one.instant_of("status_transitions.paid_at", implied=status == "paid"),
        canceled_at=one.instant_of("status_transitions.canceled_at", implied=status == "canceled"),
        livemode=one.flag("livemode"),
    )


def _source(one: StripeObject) -> tuple[str, str]:
    """What pays: the type, which the one id that is there implies, and the id."""
    stated = one.value("payment")
    if not isinstance(stated, Mapping):
        one.problem("payment", f"must be an object of a type and an id, got {shown(stated)}")
        return "", ""
    given = [name for name in SOURCE_TYPES if stated.get(name) is not None]
    kind = one.choice("payment.type", SOURCE_TYPES) or (given[0] if len(given) == 1 else "")
    if not kind:
        one.problem("payment.type", f"must be one of {', '.join(SOURCE_TYPES)}")
        return "", ""
    prefix = PREFIXES[f"{kind}s"]
    return kind, one.needed_reference(f"payment.{kind}", prefix)


def _status_by(source: Source | None) -> str:
    if isinstance(source, records.PaymentIntent) and source.status == "canceled":
        return "canceled"
    if source is None or (not isinstance(source, records.Charge) and not has_money(source)):
        return "open"
    return "paid"


def _whole(source: Source | None) -> int:
    if source is None or isinstance(source, records.Charge):
        return source.amount if source else 0
    return whole(source)
