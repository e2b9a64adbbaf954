"""What is there before a history begins: a customer, invoices, and what the writes will attach."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from schema import records
from schema.ports import CreditNoteDraft
from tests.simulation.plan import ATTACH_INTENT, ATTACH_RECORD, DETACH, REALLOCATE, VOID, Write

if TYPE_CHECKING:
    from tests.simulation.world import World

CUSTOMER = "cus_sim"
TOTAL = 50_000
BURST_AMOUNT = 11
PROBE_INVOICE = "in_probe"


def set_the_stage(world: World) -> None:
    """Everything that the plan's writes need."""
    twin = world.side.twin
    twin.customers.put(records.Customer(CUSTOMER, twin.now()))
    for number in range(world.plan.invoices):
        world.invoice_ids.append(_invoice(world, f"in_{number}"))
    _invoice(world, PROBE_INVOICE)
    for write in world.plan.writes:
        if write.of is None:
            world.sources[write.number] = _source(world, write)
    for write in world.plan.writes:
        if write.of is not None:
            world.sources[write.number] = world.sources[write.of]
    for one in world.plan.happenings:
        if one.kind == "paid_elsewhere":
            _of_others(world, one.amount)
        if one.kind == "closes":
            intent_id = world.sources[one.amount]
            invoice_id = world.invoice_ids[one.gateway % world.plan.invoices]
            twin.closing.setdefault(intent_id, []).append(invoice_id)
    world.history.effects.clear()
    world.history.events.clear()
    assert asyncio.get_running_loop().time() == 0.0


def _invoice(world: World, invoice_id: str) -> str:
    twin = world.side.twin
    twin.create_invoice(
        records.Invoice(
            id=invoice_id,
            created=twin.now(),
            currency="usd",
            customer_id=CUSTOMER,
            status="draft",
            subtotal=TOTAL,
            total=TOTAL,
            amount_due=TOTAL,
            amount_remaining=TOTAL,
        ),
        (),
    )
    twin.finalize(invoice_id, number=f"N-{invoice_id}")
    return invoice_id


def _source(world: World, write: Write) -> str:
    """The intent, record or note behind a write; what is to be detached is attached already."""
    twin = world.side.twin
    if write.kind == ATTACH_RECORD:
        record = records.PaymentRecord(
            id=f"pr_{write.number}",
            created=twin.now(),
            currency="usd",
            amount=write.amount,
            customer_id=CUSTOMER,
        )
        return twin.report_payment(record).id
    if write.kind == VOID:
        draft = CreditNoteDraft(
            world.invoice_ids[write.invoice], write.amount, memo=f"note-{write.number}"
        )
        return twin.credit(draft).id
    if write.kind not in (ATTACH_INTENT, DETACH, REALLOCATE):
        return ""
    intent_id = intent(world, f"pi_{write.number}", write.amount, succeeds=write.is_settled)
    if write.kind in (DETACH, REALLOCATE):
        twin.attach(world.invoice_ids[write.invoice], intent_id)
    return intent_id


def _of_others(world: World, count: int) -> None:
    """Intents that somebody else attaches later."""
    for _ in range(count):
        number = len(world.others)
        intent_id = f"pi_else{number}"
        world.others.append(intent(world, intent_id, BURST_AMOUNT + number, succeeds=True))


def intent(world: World, intent_id: str, amount: int, *, succeeds: bool) -> str:
    twin = world.side.twin
    twin.create_intent(
        records.PaymentIntent(
            id=intent_id,
            created=twin.now(),
            currency="usd",
            status="requires_payment_method",
            amount=amount,
            customer_id=CUSTOMER,
        )
    )
    if succeeds:
        twin.progress(intent_id, "succeeded")
    return intent_id
