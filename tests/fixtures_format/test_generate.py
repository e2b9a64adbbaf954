"""Benchmark data: lawful, varied, and the same for the same seed."""

from __future__ import annotations

import pytest

from gateway.backends.memory.twin import Twin
from gateway.ledger.invariants import violations
from gateway.sandbox.fixtures import write_fixtures
from tests.fixtures_format.small_file import new_twin
from tests.support.many_invoices import CURRENCIES, STATUSES, generate

INVOICES = 2000


@pytest.fixture(scope="module")
def many() -> Twin:
    twin = new_twin()
    generate(twin, INVOICES, seed=7)
    return twin


def test_every_generated_book_is_lawful(many: Twin) -> None:
    """A benchmark on a state that cannot be would measure nothing."""
    broken = [str(one) for invoice in many.invoices for one in violations(many.book(invoice.id))]

    assert broken == []


def test_all_but_drafts_have_one_payment_with_its_intent(many: Twin) -> None:
    """Stripe makes the default payment when an invoice is finalized, and not before."""
    for invoice in many.invoices:
        book = many.book(invoice.id)
        expected = 0 if invoice.status == "draft" else 1
        assert (len(book.payments), len(book.intents)) == (expected, expected)


def test_statuses_currencies_and_customers_are_mixed(many: Twin) -> None:
    """About one customer for every twenty invoices, and every kind of invoice."""
    assert len(many.invoices) == INVOICES
    assert len(many.customers) == INVOICES // 20
    assert {one.status for one in many.invoices} == set(STATUSES)
    assert {one.currency for one in many.invoices} == set(CURRENCIES)


def test_the_same_seed_makes_the_same_account() -> None:
    """Two runs of a benchmark can be compared."""
    first, second, other = new_twin(), new_twin(), new_twin()

    generate(first, 50, seed=1)
    generate(second, 50, seed=1)
    generate(other, 50, seed=2)

    assert write_fixtures(first) == write_fixtures(second)
    assert write_fixtures(first) != write_fixtures(other)


def test_two_seeds_can_share_a_twin() -> None:
    """Their ids differ, so that one does not overwrite the other."""
    twin = new_twin()

    generate(twin, 50, seed=1)
    generate(twin, 50, seed=2)

    assert len(twin.invoices) == 100
