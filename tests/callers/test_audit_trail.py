"""The audit trail: who wrote what under which key, what came of it, and Stripe's request id."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.callers.desk import Desk, ask, guarded

DETACH = """mutation ($key: String!) { detachPayment(input: {idempotencyKey: $key,
    invoiceId: "in_demo_paid_by_two", paymentIntentId: "pi_demo_two_a"}) { errors { code } } }"""
MOVE = """mutation { reallocatePayment(input: {idempotencyKey: "key-1",
    paymentIntentId: "pi_demo_two_a", fromInvoiceId: "in_demo_paid_by_two",
    toInvoiceId: "in_demo_open"}) { errors { code } } }"""
OUT_OF_BAND = """mutation { attachPayment(input: {invoiceId: "in_demo_open", idempotencyKey: "k",
    payment: {outOfBand: {amountMinorUnits: 100, currency: USD, paidAt: "2026-12-01T00:00:00Z",
      reference: "cheque of Ada Lovelace"}}}) { errors { code } } }"""


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_write_is_told_whole(desk: Desk, tmp_path: Path) -> None:
    token, path = desk.admit("acme", tenant="acme-group"), tmp_path / "audit.jsonl"

    async with guarded(desk, audit_file=path) as served:
        _, _, headers = await ask(served, token, DETACH, key="key-1")

    (line,) = lines(path)
    result = line.pop("result")
    assert line == {
        "at": served.clock.now(),
        "request_id": headers["X-Request-Id"],
        "tenant": "acme-group",
        "caller": "acme",
        "operation": "detach",
        "idempotency_key": "key-1",
        "input": {"invoice_id": "in_demo_paid_by_two", "payment_intent_id": "pi_demo_two_a"},
        "outcome": "DONE",
        "stripe_request_ids": [],
    }
    assert result["customer_id"] == "cus_demo_acme"
    assert result["new_default_payment_id"].startswith("inpay_")


async def test_a_payment_that_is_moved_is_one_line(desk: Desk, tmp_path: Path) -> None:
    """With what became of it on both invoices; its steps have none of their own."""
    token, path = desk.admit("acme"), tmp_path / "audit.jsonl"

    async with guarded(desk, audit_file=path) as served:
        await ask(served, token, MOVE)

    (line,) = lines(path)
    assert (line["operation"], line["idempotency_key"], line["outcome"]) == (
        "reallocate",
        "key-1",
        "DONE",
    )
    assert line["input"] == {
        "payment_intent_id": "pi_demo_two_a",
        "from_invoice_id": "in_demo_paid_by_two",
        "to_invoice_id": "in_demo_open",
    }
    new = line["result"].pop("invoice_payment_id")
    assert new.startswith("inpay_")
    assert line["result"] == {
        "from_invoice_id": "in_demo_paid_by_two",
        "to_invoice_id": "in_demo_open",
        "detached_payment_id": "inpay_demo_two_a",
        "customer_id": "cus_demo_acme",
        "payment_intent_id": "pi_demo_two_a",
        "placed": "DONE",
    }


async def test_every_outcome_has_its_line(desk: Desk, tmp_path: Path) -> None:
    """Done, repeated, refused by a rule, and refused for want of a scope."""
    token, path = desk.admit("acme"), tmp_path / "audit.jsonl"
    reader = desk.admit("reader", scopes=["invoices:read"])

    async with guarded(desk, audit_file=path) as served:
        await ask(served, token, DETACH, key="key-1")
        await ask(served, token, DETACH, key="key-1")
        await ask(served, token, DETACH, key="key-2")
        await ask(served, reader, DETACH, key="key-3")

    assert [(line["caller"], line["outcome"], line.get("rule")) for line in lines(path)] == [
        ("acme", "DONE", None),
        ("acme", "REPLAYED", None),
        ("acme", "PAYMENT_NOT_ATTACHED", "payment_not_attached"),
        ("reader", "FORBIDDEN", "scope_missing"),
    ]


async def test_reads_leave_no_line(desk: Desk, tmp_path: Path) -> None:
    token, path = desk.admit("acme"), tmp_path / "audit.jsonl"

    async with guarded(desk, audit_file=path) as served:
        await ask(served, token)

    assert lines(path) == []


async def test_what_may_be_personal_is_left_out(desk: Desk, tmp_path: Path) -> None:
    token, path = desk.admit("acme"), tmp_path / "audit.jsonl"

    async with guarded(desk, audit_file=path) as served:
        _, body, _ = await ask(served, token, OUT_OF_BAND)

    assert body["data"]["attachPayment"]["errors"] == []
    assert "Ada" not in path.read_text()
    assert lines(path)[0]["input"]["out_of_band"]["amount"] == 100


async def test_a_file_that_was_moved_away_is_followed_by_a_new_one(
    desk: Desk, tmp_path: Path
) -> None:
    """As logrotate does it, and nobody has to tell the gateway."""
    token, path = desk.admit("acme"), tmp_path / "audit.jsonl"

    async with guarded(desk, audit_file=path) as served:
        await ask(served, token, DETACH, key="key-1")
        path.rename(tmp_path / "audit.jsonl.1")
        await ask(served, token, DETACH, key="key-2")

    assert [line["idempotency_key"] for line in lines(tmp_path / "audit.jsonl.1")] == ["key-1"]
    assert [line["idempotency_key"] for line in lines(path)] == ["key-2"]


async def test_a_file_that_cannot_be_opened_anew_is_told_with_the_line(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No line is lost, and no write fails for it."""
    token, folder = desk.admit("acme"), tmp_path / "audit"
    path = folder / "audit.jsonl"

    async with guarded(desk, audit_file=path) as served:
        path.rename(tmp_path / "audit.jsonl.1")
        folder.rmdir()
        _, body, _ = await ask(served, token, DETACH, key="key-1")

    assert body["data"]["detachPayment"]["errors"] == []
    (told,) = [one.getMessage() for one in caplog.records if one.name == "gateway.audit"]
    assert "the audit file takes nothing" in told
    assert "key-1" in told


async def test_without_a_file_the_trail_is_part_of_the_log(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    token = desk.admit("acme")

    with caplog.at_level(logging.INFO, "gateway.audit"):
        async with guarded(desk) as served:
            await ask(served, token, DETACH, key="key-1")

    (record,) = [one for one in caplog.records if one.name == "gateway.audit"]
    assert json.loads(record.getMessage())["outcome"] == "DONE"
