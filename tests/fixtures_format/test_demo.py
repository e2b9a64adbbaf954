"""The demo that comes with the package: the state that the README's examples begin in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.backends.memory.twin import Twin
from gateway.sandbox.fixtures import FixturesRefused, demo_text, seed
from schema.currencies import exponent
from tests.fixtures_format.small_file import new_twin, small_file


@pytest.fixture
def demo() -> Twin:
    twin = new_twin()
    seed(twin, None)
    return twin


STORIES = [
    # status, amount due, paid, remaining, overpaid, number of live payments
    pytest.param("in_demo_draft", "draft", (4800, 0, 4800, 0), 0, id="draft"),
    pytest.param("in_demo_open", "open", (9900, 0, 9900, 0), 1, id="open"),
    pytest.param("in_demo_partly_paid", "open", (20000, 7500, 12500, 0), 2, id="partly_paid"),
    pytest.param("in_demo_paid_by_two", "paid", (12900, 12900, 0, 0), 2, id="paid_by_two"),
    pytest.param("in_demo_void", "void", (3300, 0, 3300, 0), 0, id="void"),
    pytest.param("in_demo_out_of_band", "paid", (64000, 64000, 0, 0), 1, id="out_of_band"),
    pytest.param("in_demo_overpaid", "paid", (10000, 10000, 0, 2500), 2, id="overpaid"),
    pytest.param(
        "in_demo_uncollectible", "uncollectible", (15500, 0, 15500, 0), 1, id="uncollectible"
    ),
    pytest.param("in_demo_credited", "paid", (8000, 8000, 0, 0), 1, id="credited"),
    pytest.param("in_demo_jpy_paid", "paid", (12000, 12000, 0, 0), 1, id="jpy_paid"),
    pytest.param("in_demo_kwd_open", "open", (24750, 0, 24750, 0), 1, id="kwd_open"),
    pytest.param("in_demo_twelve", "paid", (12000, 12000, 0, 0), 12, id="twelve_payments"),
    pytest.param("in_demo_detailed", "open", (31250, 0, 31250, 0), 1, id="detailed"),
]


@pytest.mark.parametrize(("invoice_id", "status", "amounts", "payments"), STORIES)
def test_each_invoice_of_the_demo_tells_its_story(
    demo: Twin, invoice_id: str, status: str, amounts: tuple[int, ...], payments: int
) -> None:
    """Whoever changes the demo changes what the README promises."""
    book = demo.book(invoice_id)
    invoice = book.invoice

    assert invoice.status == status
    assert amounts == (
        invoice.amount_due,
        invoice.amount_paid,
        invoice.amount_remaining,
        invoice.amount_overpaid,
    )
    assert sum(one.status != "canceled" for one in book.payments) == payments


def test_every_invoice_of_the_demo_has_a_row_above(demo: Twin) -> None:
    """A new one is described before it is shown."""
    assert {one.id for one in demo.invoices} == {story.values[0] for story in STORIES}


def test_the_invoice_of_the_readme_is_paid_by_two_intents(demo: Twin) -> None:
    """129.00 USD, of which 79.00 by one and 50.00 by the other."""
    paid = {
        one.id: (one.source_id, one.amount_paid)
        for one in demo.book("in_demo_paid_by_two").payments
    }

    assert demo.invoice("in_demo_paid_by_two").customer_id == "cus_demo_acme"
    assert paid == {
        "inpay_demo_two_a": ("pi_demo_two_a", 7900),
        "inpay_demo_two_b": ("pi_demo_two_b", 5000),
    }


def test_the_free_intent_can_be_attached_to_the_open_invoice(demo: Twin) -> None:
    """50.00 of 99.00: the first attach that anyone tries works, and lowers the default payment."""
    demo.attach("in_demo_open", "pi_demo_free")

    default = demo.book("in_demo_open").open_default
    assert default is not None
    assert default.amount_requested == 4900


def test_detach_and_attach_again_come_back_to_the_same_totals(demo: Twin) -> None:
    """The README's walk through detach and back can be repeated for ever."""
    before = demo.invoice("in_demo_paid_by_two")

    demo.detach("in_demo_paid_by_two", "pi_demo_two_b")
    reopened = demo.invoice("in_demo_paid_by_two")
    demo.attach("in_demo_paid_by_two", "pi_demo_two_b")
    after = demo.invoice("in_demo_paid_by_two")

    assert (reopened.status, reopened.amount_remaining) == ("open", 5000)
    assert (after.status, after.amount_paid) == (before.status, before.amount_paid)


def test_every_open_invoice_states_its_default_payment(demo: Twin) -> None:
    """Loading invents none, so the demo brings them."""
    for invoice in demo.invoices:
        if invoice.status == "open":
            assert demo.book(invoice.id).open_default is not None


def test_the_demo_shows_currencies_of_zero_two_and_three_digits(demo: Twin) -> None:
    """Amounts of three-digit currencies end in 0, as Stripe asks for."""
    assert {exponent(one.currency) for one in demo.invoices} == {0, 2, 3}
    assert all(one.amount_due % 10 == 0 for one in demo.invoices if one.currency == "kwd")


def test_the_demo_names_nobody_real() -> None:
    """Addresses are of the domain that is kept free for examples."""
    mails = [one["email"] for one in json.loads(demo_text())["customers"]]

    assert mails
    assert all(mail.endswith(".example.com") for mail in mails)


def test_a_file_takes_the_place_of_the_demo(tmp_path: Path) -> None:
    """Nothing of the demo is mixed with one's own objects."""
    path = tmp_path / "fixtures.json"
    path.write_text(json.dumps(small_file()))
    twin = new_twin()

    seed(twin, path)

    assert {one.id for one in twin.invoices} == {"in_1", "in_2"}


def test_a_refused_file_loads_nothing(tmp_path: Path) -> None:
    """Half a state would be worse than none."""
    path = tmp_path / "fixtures.json"
    path.write_text(json.dumps({"customers": [{"id": "cus_1"}, {"id": "cus_1"}]}))
    twin = new_twin()

    with pytest.raises(FixturesRefused):
        seed(twin, path)

    assert len(twin.customers) == 0
