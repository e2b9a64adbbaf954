"""Payment records and credit notes: what each operation leaves."""

from __future__ import annotations

import pytest

from tests.sandbox.driving import PREVIEW, Api
from tests.support.stage import Stage
from tests.support.time_and_ids import START

REPORT = {
    "amount_requested[currency]": "usd",
    "amount_requested[value]": 500,
    "initiated_at": START,
    "payment_method_details[type]": "custom",
}


async def test_only_guaranteed_money_is_attached(stage: Stage, api: Api) -> None:
    """A payment that is under way elsewhere, or failed, has paid nothing."""
    attach = f"/v1/invoices/{stage.open_invoice(500)}/attach_payment"
    record = await api.made("/v1/payment_records/report_payment", REPORT)
    path = f"/v1/payment_records/{record['id']}"

    early = await api.post(attach, {"payment_record": record["id"]})
    await api.made(f"{path}/report_payment_attempt_guaranteed", {"guaranteed_at": START})
    invoice = await api.made(attach, {"payment_record": record["id"]})
    late = await api.post(f"{path}/report_payment_attempt_failed", {"failed_at": START})

    assert (early.status, invoice["status"], late.status) == (400, "paid", 400)


OUTCOMES = ["guaranteed", "failed", "canceled"]


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_the_outcome_of_a_record_moves_its_amount(api: Api, outcome: str) -> None:
    """One of the amounts is the whole, the others are nothing."""
    given = {**REPORT, "outcome": outcome}

    record = await api.made("/v1/payment_records/report_payment", given)

    amounts = {name: record[f"amount_{name}"]["value"] for name in OUTCOMES}
    assert amounts == {**dict.fromkeys(OUTCOMES, 0), outcome: 500}


async def test_a_record_tells_how_it_was_paid(api: Api) -> None:
    """In the words of whoever reported it."""
    given = {**REPORT, "payment_method_details[custom][display_name]": "Cheque"}

    record = await api.made("/v1/payment_records/report_payment", given)

    assert record["payment_method_details"]["custom"]["display_name"] == "Cheque"


async def test_a_refund_elsewhere_is_noted(api: Api) -> None:
    """No more than was paid."""
    record = await api.made("/v1/payment_records/report_payment", REPORT)
    path = f"/v1/payment_records/{record['id']}/report_refund"
    given = {"outcome": "refunded", "processor_details[type]": "custom", "amount[currency]": "usd"}

    first = await api.made(path, {**given, "amount[value]": 400})
    second = await api.post(path, {**given, "amount[value]": 200})

    assert first["amount_refunded"] == {"currency": "usd", "value": 400}
    assert (second.status, second.error["code"]) == (400, "amount_too_large")


async def test_facts_of_a_payment_are_attached_in_preview(stage: Stage, api: Api) -> None:
    """`payment_record_data` reports and attaches in one call, or does neither."""
    attach = f"/v1/invoices/{stage.open_invoice(500)}/attach_payment"
    facts = {
        "payment_record_data[amount]": 500,
        "payment_record_data[currency]": "usd",
        "payment_record_data[money_movement_type]": "received",
        "payment_record_data[payment_reference]": "Cheque 9",
    }

    too_much = await api.post(
        attach, {**facts, "payment_record_data[amount]": 501}, version=PREVIEW
    )
    invoice = await api.made(attach, facts, version=PREVIEW)

    records = (await api.get("/v1/payment_records")).body["data"]
    assert (too_much.status, invoice["status"]) == (400, "paid")
    assert [one["processor_details"]["custom"]["payment_reference"] for one in records] == [
        "Cheque 9"
    ]


async def test_a_preview_of_a_credit_note_changes_nothing(stage: Stage, api: Api) -> None:
    """It tells how the note would split."""
    invoice_id, _ = stage.paid_by(1000)

    note = (
        await api.get(
            "/v1/credit_notes/preview",
            {"invoice": invoice_id, "amount": 300, "refund_amount": 300},
        )
    ).body

    assert (note["type"], note["post_payment_amount"]) == ("post_payment", 300)
    assert (await api.get("/v1/credit_notes")).ids == []


async def test_the_parts_of_a_note_must_add_up(stage: Stage, api: Api) -> None:
    """What is given back has to go somewhere."""
    invoice_id, _ = stage.paid_by(1000)

    reply = await api.post("/v1/credit_notes", {"invoice": invoice_id, "amount": 300})

    assert (reply.status, reply.error["param"]) == (400, "amount")


async def test_a_note_on_a_paid_invoice_is_not_voided(stage: Stage, api: Api) -> None:
    """Money that went back cannot be called back."""
    invoice_id, _ = stage.paid_by(1000)
    given = {"invoice": invoice_id, "amount": 300, "credit_amount": 300}
    note = await api.made("/v1/credit_notes", given)

    reply = await api.post(f"/v1/credit_notes/{note['id']}/void")

    assert (reply.status, reply.error["code"]) == (400, "status_transition_invalid")


async def test_a_note_keeps_its_memo_and_metadata(stage: Stage, api: Api) -> None:
    """Both can be changed later."""
    given = {"invoice": stage.open_invoice(1000), "amount": 300, "metadata[a]": "1"}
    note = await api.made("/v1/credit_notes", given)

    changed = await api.made(
        f"/v1/credit_notes/{note['id']}", {"memo": "Sorry", "metadata[b]": "2"}
    )

    assert (changed["memo"], changed["metadata"]) == ("Sorry", {"a": "1", "b": "2"})
