"""The read-only switch: no write goes out, reads and streams go on, and it turns while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.served import Served, serving

WRITES = {
    "attachPayment": """mutation { attachPayment(input: {invoiceId: "in_demo_open",
        payment: {paymentIntentId: "pi_demo_free"}, idempotencyKey: "k"})
        { errors { __typename code message } } }""",
    "detachPayment": """mutation { detachPayment(input: {invoiceId: "in_demo_paid_by_two",
        paymentIntentId: "pi_demo_two_a", idempotencyKey: "k"})
        { errors { __typename code message } } }""",
    "createCreditNote": """mutation { createCreditNote(input: {idempotencyKey: "k",
        creditNote: {invoiceId: "in_demo_open", amountMinorUnits: 100}})
        { errors { __typename code message } } }""",
}
READ = '{ invoice(id: "in_demo_paid_by_two") { status } }'


async def codes(served: Served, name: str) -> list[str]:
    data = await served.data(WRITES[name])
    return [error["code"] for error in data[name]["errors"]]


@pytest.mark.parametrize("name", WRITES)
async def test_every_mutation_is_refused(name: str, tmp_path: Path) -> None:
    async with serving(read_only=True, data_dir=tmp_path) as served:
        assert await codes(served, name) == ["READ_ONLY"]


async def test_reads_go_on(tmp_path: Path) -> None:
    async with serving(read_only=True, data_dir=tmp_path) as served:
        assert (await served.data(READ))["invoice"]["status"] == "PAID"


async def test_the_file_turns_it_on_and_off_while_the_gateway_runs(tmp_path: Path) -> None:
    """`touch gateway-data/read-only`, then SIGHUP."""
    flag = tmp_path / "read-only"

    async with serving(data_dir=tmp_path) as served:
        flag.touch()
        before = await codes(served, "detachPayment")
        served.gateway.rereading.again()
        while_on = await codes(served, "createCreditNote")
        flag.unlink()
        served.gateway.rereading.again()
        after = await codes(served, "createCreditNote")

    assert (before, while_on, after) == ([], ["READ_ONLY"], [])


async def test_a_key_that_was_refused_can_be_used_when_writes_are_taken_again(
    tmp_path: Path,
) -> None:
    flag = tmp_path / "switch"
    flag.touch()

    async with serving(data_dir=tmp_path, read_only_file=flag) as served:
        refused = await codes(served, "detachPayment")
        flag.unlink()
        served.gateway.rereading.again()
        done = await codes(served, "detachPayment")

    assert (refused, done) == (["READ_ONLY"], [])
