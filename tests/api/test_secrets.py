"""The confirmation secret reaches the payer's page and nothing else."""

from __future__ import annotations

from schema.ports import SCOPES, Viewer
from tests.support.running import Running
from tests.support.served import Served

SECRET = "query ($id: ID!) { invoice(id: $id) { id confirmationSecret { clientSecret type } } }"


async def test_open_invoice_has_a_confirmation_secret() -> None:
    """The Payment Element confirms the default payment with it."""
    running = Running()
    invoice_id = running.stage.open_invoice()

    body = await running.ask(SECRET, id=invoice_id)

    secret = body["data"]["invoice"]["confirmationSecret"]
    assert secret["type"] == "payment_intent"
    assert "_secret_" in secret["clientSecret"]


async def test_paid_invoice_has_nothing_to_confirm() -> None:
    """Null without an error."""
    running = Running()
    invoice_id, _ = running.stage.paid_by(500)

    body = await running.ask(SECRET, id=invoice_id)

    assert body == {"data": {"invoice": {"id": invoice_id, "confirmationSecret": None}}}


async def test_secret_needs_the_scope_of_writes() -> None:
    """A caller who may only read gets the invoice, and one error in the secret's place."""
    running = Running()
    invoice_id = running.stage.open_invoice()
    reader = Viewer("reader", scopes=frozenset(SCOPES) - {"payments:write"})

    body = await running.ask(SECRET, reader, id=invoice_id)

    assert body["data"]["invoice"] == {"id": invoice_id, "confirmationSecret": None}
    assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_secret_is_never_part_of_a_page_of_events(served: Served) -> None:
    """Events are kept and passed on; a secret must not be among them."""
    (error,) = await served.errors(
        "{ invoicePaymentEvents { nodes { invoice { confirmationSecret { type } } } } }"
    )

    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "confirmationSecret" in error["message"]


async def test_secret_is_never_part_of_a_stream(served: Served) -> None:
    """Nor below another object of the event."""
    query = (
        "subscription { invoicePaymentEvents { ... on InvoicePaymentEvent { invoicePayment { "
        "invoice { confirmationSecret { clientSecret } } } } } }"
    )

    async with served.session.post(
        served.url / "graphql", json={"query": query}, headers={"Accept": "text/event-stream"}
    ) as response:
        text = (await response.read()).decode()

    assert "BAD_USER_INPUT" in text
    assert "_secret_" not in text
