"""The twin's own events on their way into the intake, without a webhook between."""

from __future__ import annotations

from gateway.sandbox.twin_events import EventDeliveries
from tests.events.door import ACCOUNT, Door
from tests.support.stage import Stage


def test_nothing_is_told_that_our_own_write_tells() -> None:
    """Whoever attaches in this process is the gateway, which announces it: the fact that Stripe has
    a thin event alone for would say it once more."""
    stage = Stage.empty()
    deliveries = EventDeliveries(Door.over(stage).intake, ACCOUNT)
    stage.twin.listeners.append(deliveries.offer)

    stage.paid_by(1000)

    happened = {one.type for one in stage.twin.events}
    assert {"invoice_payment.open", "invoice_payment.canceled"} <= happened
    assert {one.type for one in deliveries.pending} == {
        "invoice.created",
        "invoice.finalized",
        "invoice.paid",
        "invoice.updated",
        "invoice_payment.paid",
        "payment_intent.canceled",
        "payment_intent.created",
        "payment_intent.succeeded",
    }
