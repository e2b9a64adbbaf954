"""The state of a sandbox as a fixtures file: saved, loaded, and refused as a whole."""

from __future__ import annotations

import orjson

from gateway.sandbox.fixtures import demo_text, read_fixtures
from gateway.sandbox.stripe_api import running_sandbox
from tests.sandbox.driving import Api, api_of
from tests.sandbox.test_shapes import a_busy_account
from tests.support.stage import ACME, Stage


async def test_a_saved_state_is_a_fixtures_file(stage: Stage, api: Api) -> None:
    """The gateway's memory backend can be started with it."""
    await a_busy_account(stage, api)

    saved = (await api.control("GET", "/state")).body

    fixtures = read_fixtures(orjson.dumps(saved))
    assert [*fixtures.invoices] == [*stage.twin.invoices]
    assert [*fixtures.invoice_payments] == [*stage.twin.invoice_payments]


async def test_a_loaded_state_is_the_one_that_was_saved(stage: Stage, api: Api) -> None:
    """Every object is printed as before, with what the ledger does not know."""
    invoice_id = await a_busy_account(stage, api)
    saved = (await api.control("GET", "/state")).body
    paths = ("/v1/payment_intents", "/v1/credit_notes", "/v1/payment_records", "/v1/customers")
    before = [(await api.get(path, {"limit": 100})).body for path in paths]

    async with running_sandbox(Stage.empty().twin) as other, api_of(other) as there:
        loaded = await there.control("PUT", "/state", saved)
        after = [(await there.get(path, {"limit": 100})).body for path in paths]
        invoice = (await there.get(f"/v1/invoices/{invoice_id}")).body

    assert (loaded.body, after) == ({"loaded": True}, before)
    assert invoice["amount_paid"] == stage.twin.invoice(invoice_id).amount_paid


async def test_loading_replaces_everything(stage: Stage, api: Api) -> None:
    """What was there before is gone."""
    gone = stage.open_invoice(1000)

    await api.control("PUT", "/state", orjson.loads(demo_text()))

    assert (await api.get(f"/v1/invoices/{gone}")).status == 404
    assert (await api.get("/v1/invoices/in_demo_paid_by_two")).status == 200
    assert (await api.get(f"/v1/customers/{ACME}")).status == 404


async def test_loading_frees_the_keys(stage: Stage, api: Api) -> None:
    """An answer from another state would be about objects that are not there."""
    await api.made("/v1/customers", {"name": "Pebble"}, idempotency_key="once")

    await api.control("PUT", "/state", {"customers": []})
    await api.made("/v1/customers", {"name": "Moss"}, idempotency_key="once")

    assert [one.name for one in stage.twin.customers] == ["Moss"]


async def test_a_state_that_contradicts_itself_changes_nothing(stage: Stage, api: Api) -> None:
    """The problems are named, the account stays as it was."""
    invoice_id = stage.open_invoice(1000)

    reply = await api.control("PUT", "/state", {"invoices": [{"id": "in_1"}]})

    assert reply.status == 400
    assert "in_1: currency: is missing" in reply.body["error"]["message"]
    assert (await api.get(f"/v1/invoices/{invoice_id}")).status == 200


async def test_a_draft_is_made_in_one_call(api: Api) -> None:
    """For tests that are not about how a draft comes to be."""
    reply = await api.control("POST", "/invoices", {"customer": ACME, "amount": 1299})

    invoice = await api.made(f"/v1/invoices/{reply.body['id']}/finalize")
    assert (invoice["status"], invoice["amount_due"]) == ("open", 1299)
    assert [line["amount"] for line in invoice["lines"]["data"]] == [1299]


async def test_a_bad_draft_leaves_nothing(stage: Stage, api: Api) -> None:
    """The amount is looked at before the invoice is made."""
    reply = await api.control("POST", "/invoices", {"customer": ACME, "amount": "many"})

    assert (reply.status, len(stage.twin.invoices)) == (400, 0)


async def test_settling_needs_a_known_outcome(stage: Stage, api: Api) -> None:
    """And an intent that is under way."""
    intent_id = stage.intent(500, status="processing")
    path = f"/payment_intents/{intent_id}/settle"

    unknown = await api.control("POST", path, {"outcome": "perhaps"})
    settled = await api.control("POST", path)
    again = await api.control("POST", path)

    assert (unknown.status, settled.body["status"], again.status) == (400, "succeeded", 400)
