"""The whole state of a sandbox as a fixtures file, and back.

Objects are those of `write_fixtures`, with what is kept beside the ledger added to each, so that
a file saved here is read by the gateway as well. Events, webhook endpoints, idempotency keys and
items that wait for an invoice are not part of the format.
"""

from __future__ import annotations

import json
from typing import Any

from gateway.sandbox.fixtures import load, read_fixtures, write_fixtures
from gateway.sandbox.stripe_api import customers, invoices, payment_intents
from gateway.sandbox.stripe_api.account import Account

KEPT = {
    "customers": customers.KEPT,
    "invoices": invoices.KEPT,
    "payment_intents": (*payment_intents.KEPT, "last_payment_error", "next_action"),
    "payment_records": (
        "outcome",
        "customer_presence",
        "amount_refunded",
        "payment_method_details",
    ),
    "credit_notes": ("metadata", "effective_at"),
}
"""What is kept beside the ledger, by the list it is saved in."""

NOT_SAVED = ("event", "webhook_endpoint")
"""What a load leaves as it is: who listens, and what they were told."""


def save_state(account: Account) -> dict[str, list[dict[str, Any]]]:
    """The fixtures of this very state."""
    written = write_fixtures(account.twin)
    for objects in written.values():
        for one in objects:
            one.update(account.details.get(one["id"], {}))
    return written


def load_state(account: Account, text: bytes) -> None:
    """Replace everything with what the file holds. Raises `FixturesRefused`, changing nothing."""
    fixtures = read_fixtures(text)
    raw = json.loads(text)
    for name, table in account.tables.items():
        if name not in NOT_SAVED:
            for record in list(table):
                table.remove(record.id)
    account.twin.lines.clear()
    account.twin.deleted_customers.clear()
    account.twin.customer_accounts.clear()
    account.details.clear()
    account.replaced.clear()
    load(account.twin, fixtures)
    for name, kept in KEPT.items():
        for one in _members(raw.get(name)):
            account.keep(one["id"], {field: one[field] for field in kept if field in one})


def _members(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, plain or as Stripe's `{data: [...]}`."""
    members = value.get("data") if isinstance(value, dict) else value
    return members if isinstance(members, list) else []
