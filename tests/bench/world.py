"""What all servers of the comparison are asked for: the data, the operations and the callers.

Fifty invoices with three payments each and their PaymentIntents, twelve scalars a level, and older
ones that events are about.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.callers.clients import entry_of
from gateway.sandbox.fixtures import write_fixtures
from tests.support.stage import Stage

INVOICES = 50
PAYMENTS = 3
EVENTS = 1000
CALLERS = 250
SCOPES = ["invoices:read", "payments:write", "events:read"]

INTENT = """id description livemode status rawStatus customerId createdAt canceledAt
  amount { minorUnits currency } amountReceived { minorUnits currency }"""
PAYMENT = f"""id invoiceId sourceId isDefault status rawStatus sourceType createdAt paidAt
  canceledAt amountRequested {{ minorUnits }} amountPaid {{ minorUnits }}
  paymentIntent {{ {INTENT} }}"""
INVOICE = f"""id number description customerName customerEmail currency livemode status
  collectionMethod createdAt amountDue {{ minorUnits }} amountPaid {{ minorUnits }}
  payments(first: {PAYMENTS}) {{ nodes {{ {PAYMENT} }} }}"""
LIST = f"query List($first: Int!) {{ invoices(first: $first) {{ nodes {{ {INVOICE} }} }} }}"
SINGLE = f"query One($id: ID!) {{ invoice(id: $id) {{ {INVOICE} }} }}"
CHANGED = f"""query ($id: ID!) {{
  invoice(id: $id) {{ {INVOICE} amountRemaining {{ minorUnits currency }} }} }}"""
ITEM = """__typename ... on StreamCheckpoint { cursor live } ... on InvoicePaymentEvent {
  cursor invoiceId type occurredAt invoice { id number status currency customerName
  amountDue { minorUnits currency } amountPaid { minorUnits currency }
  amountRemaining { minorUnits currency }
  payments { nodes { id status amountRequested { minorUnits } amountPaid { minorUnits } } } } }"""
EVERYTHING = f"subscription Everything {{ invoicePaymentEvents {{ {ITEM} }} }}"
ONE_INVOICE = f"""subscription Mine($ids: [ID!]) {{
  invoicePaymentEvents(filter: {{invoiceIds: $ids}}) {{ {ITEM} }} }}"""
DETACH = """mutation Detach($id: ID!, $intent: ID!, $key: String!) {
  detachPayment(input: {invoiceId: $id, paymentIntentId: $intent, idempotencyKey: $key}) {
  errors { message } invoice { id status payments { nodes { id status } } } } }"""


def marked(number: int) -> str:
    """The invoice that event `number` is about; the load client knows events by it."""
    return f"in_bench_{number:06}"


def intent_of(number: int) -> str:
    return f"pi_bench_{number:06}"


def token(number: int) -> str:
    return f"bench-caller-{number:03}-with-a-token-that-is-long-enough"


@dataclass(frozen=True, slots=True)
class WorldFiles:
    """The data as the gateway reads it, and the file of its callers."""

    fixtures: Path
    clients: Path


def write_world(folder: Path) -> WorldFiles:
    stage = Stage.empty()
    for number in range(EVENTS):
        _to_be_detached(stage, number)
    for _ in range(INVOICES):
        stage.paid_by(*[1000 + 10 * at for at in range(PAYMENTS)])
    files = WorldFiles(folder / "fixtures.json", write_clients(folder))
    files.fixtures.write_text(json.dumps(write_fixtures(stage.twin)))
    return files


def write_clients(folder: Path) -> Path:
    """The file of the callers."""
    path = folder / "clients.toml"
    digests = (hashlib.sha256(token(number).encode()).hexdigest() for number in range(CALLERS))
    entries = (
        entry_of(f"caller-{number}", digest, SCOPES, []) for number, digest in enumerate(digests)
    )
    path.write_text("\n".join(entries))
    return path


def _to_be_detached(stage: Stage, number: int) -> None:
    invoice_id = stage.open_invoice(1000, invoice_id=marked(number))
    intent_id = stage.intent(1000, intent_id=intent_of(number), status="succeeded")
    stage.twin.attach(invoice_id, intent_id)


def list_variables() -> dict[str, Any]:
    return {"first": INVOICES}
