"""What every supplier of the port tells about the customer's balance and the invoices it met."""

from __future__ import annotations

import pytest

from schema.ports import ROOT, ById, Viewer
from tests.contract.staging import Stage
from tests.support.backends import Backend
from tests.support.wanting import invoice, load_one

MET = [
    pytest.param(-500, 800, ("open", 300, -500, 0), 0, id="credit_covers_a_part"),
    pytest.param(-800, 800, ("paid", 0, -800, 0), 0, id="credit_covers_just_all"),
    pytest.param(-900, 800, ("paid", 0, -900, -100), -100, id="credit_is_left"),
    pytest.param(200, 800, ("open", 1000, 200, 0), 0, id="debit_raises_what_is_due"),
    pytest.param(0, -700, ("paid", 0, 0, -700), -700, id="below_zero_becomes_credit"),
    pytest.param(300, -700, ("paid", 0, 300, -400), -400, id="below_zero_settles_a_debit_first"),
    pytest.param(-500, 0, ("paid", 0, -500, -500), -500, id="nothing_asked_for_takes_nothing"),
    pytest.param(200, 0, ("open", 200, 200, 0), 0, id="a_debit_alone_is_due"),
    pytest.param(0, 800, ("open", 800, 0, 0), 0, id="no_balance"),
    pytest.param(0, 30, ("paid", 0, 0, 30), 30, id="too_little_to_charge_is_owed"),
    pytest.param(-770, 800, ("paid", 0, -770, 30), 30, id="too_little_is_left_to_charge"),
]
"""Balance, total; status, amount_due, starting and ending balance; the balance afterwards."""


@pytest.mark.parametrize(("balance", "total", "told", "left"), MET)
async def test_finalization_applies_the_balance(
    backend: Backend,
    stage: Stage,
    operator: Viewer,
    balance: int,
    total: int,
    told: tuple[str, int, int, int],
    left: int,
) -> None:
    """Credit is below zero; what it covers wholly is paid, and by no payment at all."""
    await stage.set_balance(balance)
    invoice_id = await stage.open_invoice(total)

    shown = (await load_one(backend, operator, invoice(invoice_id))).record
    customer = (await load_one(backend, operator, (ROOT, ById("Customer", stage.acme)))).record

    assert (shown.status, shown.amount_due, shown.starting_balance, shown.ending_balance) == told
    assert shown.amount_remaining == shown.amount_due
    assert (customer.currency, dict(customer.credit_balance).get("usd", 0)) == ("usd", -left)
    assert len(await stage.payments_of(invoice_id)) == (shown.status == "open")


async def test_a_draft_foretells_what_will_be_due(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Its `starting_balance` is the current one, and there is no balance after it yet."""
    draft = await stage.draft(800)
    await stage.set_balance(-500)

    shown = (await load_one(backend, operator, invoice(draft))).record

    assert (shown.total, shown.amount_due) == (800, 300)
    assert (shown.starting_balance, shown.ending_balance) == (-500, None)


async def test_voiding_gives_the_balance_back(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """The 500 that were applied are credit again, and meet the next invoice."""
    await stage.set_balance(-500)
    voided = await stage.open_invoice(800)
    await stage.void(voided)

    customer = (await load_one(backend, operator, (ROOT, ById("Customer", stage.acme)))).record
    following = await stage.open_invoice(600)
    shown = (await load_one(backend, operator, invoice(following))).record

    assert dict(customer.credit_balance) == {"usd": 500}
    assert (shown.amount_due, shown.starting_balance, shown.ending_balance) == (100, -500, 0)
