"""A fixtures file with one of each object, and ways to change it in one place."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

from gateway.backends.memory.twin import Twin
from gateway.sandbox.fixtures import read_fixtures
from gateway.sandbox.fixtures.objects import PREFIXES
from schema import records
from tests.support.time_and_ids import CountingIds, ManualClock

File = dict[str, Any]

_FILE: File = {
    "customers": [{"id": "cus_1"}, {"id": "cus_2"}],
    "payment_intents": [
        {
            "id": "pi_1",
            "customer": "cus_1",
            "amount": 700,
            "currency": "usd",
            "status": "succeeded",
        },
        {"id": "pi_2", "customer": "cus_1", "amount": 300, "currency": "usd"},
    ],
    "payment_records": [{"id": "pr_1", "amount": {"currency": "usd", "value": 200}}],
    "charges": [{"id": "ch_1", "amount": 400, "currency": "usd"}],
    "invoices": [
        {"id": "in_1", "customer": "cus_1", "currency": "usd", "total": 1000},
        {"id": "in_2", "customer": "cus_2", "currency": "usd", "total": 500},
    ],
    "invoice_payments": [
        {"id": "inpay_1", "invoice": "in_1", "payment": {"payment_intent": "pi_1"}},
        {
            "id": "inpay_2",
            "invoice": "in_1",
            "payment": {"payment_intent": "pi_2"},
            "is_default": True,
            "amount_requested": 300,
        },
    ],
    "credit_notes": [],
}
"""in_1 asks for 1000: pi_1 has paid 700 and the default payment asks for the 300 that remain."""

CREDITED: File = {"id": "cn_1", "invoice": "in_1", "amount": 150, "type": "post_payment"}
"""A credit note for in_1, to be added where a test wants one."""


def small_file() -> File:
    return copy.deepcopy(_FILE)


def changed(path: str, value: Any) -> File:
    """The small file with another value at one place, such as `invoices.0.total`."""
    file: Any = small_file()
    *way, last = path.split(".")
    place = file
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if isinstance(place, list):
        place[int(last) :] = [value, *place[int(last) + 1 :]]
    else:
        place[last] = value
    return file  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class State:
    """The state of one account. Every list is in order of creation, ties in the file's order."""

    customers: tuple[records.Customer, ...] = ()
    deleted_customers: tuple[str, ...] = ()
    customer_accounts: tuple[tuple[str, str], ...] = ()
    """Ids of objects, each with the account that is its customer."""
    payment_intents: tuple[records.PaymentIntent, ...] = ()
    payment_records: tuple[records.PaymentRecord, ...] = ()
    charges: tuple[records.Charge, ...] = ()
    invoices: tuple[records.Invoice, ...] = ()
    invoice_payments: tuple[records.InvoicePayment, ...] = ()
    credit_notes: tuple[records.CreditNote, ...] = ()
    lines: tuple[records.InvoiceLineItem, ...] = ()

    @classmethod
    def of(cls, twin: Twin) -> State:
        held = {name: tuple(getattr(twin, name)) for name in PREFIXES}
        return cls(
            **held,
            deleted_customers=tuple(twin.deleted_customers),
            customer_accounts=tuple(twin.customer_accounts.items()),
            lines=tuple(line for one in twin.invoices for line in twin.lines.get(one.id, ())),
        )


def read(file: File) -> State:
    return State.of(read_fixtures(json.dumps(file)))


def new_twin() -> Twin:
    return Twin(now=ManualClock().now, new_id=CountingIds().new)
