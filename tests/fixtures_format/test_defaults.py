"""What an object may leave out, and what it then is."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Any

import pytest

from gateway.sandbox.fixtures import load, read_fixtures
from gateway.sandbox.fixtures.objects import DEFAULT_CREATED
from schema.records import CreditNoteRefund
from tests.fixtures_format.small_file import CREDITED, State, changed, new_twin, read, small_file

THE_OTHER = {"invoice": "in_2", "id": "inpay_3"}
"""An invoice payment of in_2, which asks for 500; its payment is added by the row."""


def other_payment(payment: dict[str, str], **stated: Any) -> State:
    return read(changed("invoice_payments.2", {**THE_OTHER, "payment": payment, **stated}))


DEFAULTS = [
    pytest.param("customers.0.created", DEFAULT_CREATED, id="created_is_a_fixed_instant"),
    pytest.param("customers.1.created", DEFAULT_CREATED + 1, id="and_one_second_later_for_each"),
    pytest.param("payment_intents.0.amount_received", 700, id="succeeded_means_all_received"),
    pytest.param("payment_intents.1.status", "requires_payment_method", id="intent_status"),
    pytest.param("payment_intents.1.amount_received", 0, id="nothing_received_before"),
    pytest.param("payment_records.0.customer_id", None, id="a_record_need_not_say_who_paid"),
    pytest.param("invoices.0.status", "open", id="with_a_rest_to_pay_an_invoice_is_open"),
    pytest.param("invoices.0.subtotal", 1000, id="subtotal_is_the_total"),
    pytest.param("invoices.0.amount_due", 1000, id="amount_due_is_the_total"),
    pytest.param("invoices.0.amount_paid", 700, id="amount_paid_is_from_paid_payments"),
    pytest.param("invoices.0.amount_remaining", 300, id="amount_remaining_is_the_rest"),
    pytest.param("invoices.0.amount_overpaid", 0, id="nothing_overpaid"),
    pytest.param("invoices.0.finalized_at", DEFAULT_CREATED, id="an_open_invoice_is_finalized"),
    pytest.param("invoices.0.paid_at", None, id="but_not_paid"),
    pytest.param("invoices.0.collection_method", "charge_automatically", id="collection_method"),
    pytest.param("invoices.1.status", "draft", id="without_payments_an_invoice_is_a_draft"),
    pytest.param("invoices.1.finalized_at", None, id="a_draft_is_not_finalized"),
    pytest.param("invoice_payments.0.source_type", "payment_intent", id="type_by_the_id_given"),
    pytest.param("invoice_payments.0.status", "paid", id="paid_as_its_intent_succeeded"),
    pytest.param("invoice_payments.0.currency", "usd", id="currency_of_the_invoice"),
    pytest.param("invoice_payments.0.amount_requested", 700, id="all_of_its_source"),
    pytest.param("invoice_payments.0.amount_paid", 700, id="paid_what_was_requested"),
    pytest.param("invoice_payments.0.paid_at", DEFAULT_CREATED, id="paid_when_created"),
    pytest.param("invoice_payments.0.is_default", False, id="not_the_default_payment"),
    pytest.param("invoice_payments.1.status", "open", id="open_as_its_intent_has_no_money"),
    pytest.param("invoice_payments.1.amount_paid", None, id="an_open_payment_has_paid_nothing"),
]


@pytest.mark.parametrize(("path", "expected"), DEFAULTS)
def test_what_is_not_stated_has_stripes_default(path: str, expected: object) -> None:
    """Whoever writes a file by hand states only what matters to them."""
    name, at, attribute = path.split(".")

    record = getattr(read(small_file()), name)[int(at)]

    assert attrgetter(attribute)(record) == expected


IMPLIED = [
    pytest.param("paid", {"amount_paid": 500}, "paid_at", id="paid"),
    pytest.param("void", {}, "voided_at", id="void"),
    pytest.param("uncollectible", {}, "marked_uncollectible_at", id="uncollectible"),
    pytest.param("open", {}, "finalized_at", id="open"),
]


@pytest.mark.parametrize(("status", "stated", "attribute"), IMPLIED)
def test_a_status_implies_its_instant(status: str, stated: dict[str, Any], attribute: str) -> None:
    """A status was reached at some time: if none is stated, when the invoice was created."""
    file = small_file()
    file["invoices"][1] |= {"status": status, "created": 1_770_000_000, **stated}

    invoice = read(file).invoices[1]

    assert getattr(invoice, attribute) == 1_770_000_000


def test_an_invoice_is_paid_when_its_payments_cover_it() -> None:
    """500 due and 500 reported as paid: nobody has to say that it is paid."""
    file = changed("payment_records.0.amount.value", 500)
    file["invoice_payments"].append({**THE_OTHER, "payment": {"payment_record": "pr_1"}})

    invoice = read(file).invoices[1]

    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("paid", 500, 0)


def test_what_is_paid_beyond_the_due_is_overpaid() -> None:
    """600 came in for 500: all of it is accounted for."""
    file = changed("payment_records.0.amount.value", 600)
    file["invoice_payments"].append({**THE_OTHER, "payment": {"payment_record": "pr_1"}})

    invoice = read(file).invoices[1]

    assert (invoice.amount_paid, invoice.amount_overpaid) == (500, 100)


def test_a_payment_by_charge_is_paid() -> None:
    """Old invoice payments point at a charge, which has the money by itself."""
    fixtures = other_payment({"type": "charge", "charge": "ch_1"})

    payment = fixtures.invoice_payments[2]

    assert (payment.source_type, payment.status, payment.amount_paid) == ("charge", "paid", 400)


def test_a_payment_of_a_canceled_intent_is_canceled() -> None:
    """Nothing can come of it any more."""
    file = changed("payment_intents.1.status", "canceled")

    payment = read(file).invoice_payments[1]

    assert (payment.status, payment.canceled_at) == ("canceled", payment.created)


def test_the_lines_add_up_to_the_total() -> None:
    """An invoice with lines needs no total, and a plain list is as good as Stripe's."""
    file = small_file()
    del file["invoices"][1]["total"]
    file["invoices"][1]["lines"] = [{"amount": 400}, {"amount": 100, "quantity": 2}]

    fixtures = read(file)

    assert (fixtures.invoices[1].subtotal, fixtures.invoices[1].amount_due) == (500, 500)
    assert [line.id for line in fixtures.lines] == ["il_2_1", "il_2_2"]


def test_a_credit_note_without_a_split_lowers_what_is_due() -> None:
    """1000 less 100 before payment: 200 remain of what was 300."""
    file = changed("credit_notes", [{"id": "cn_1", "invoice": "in_1", "amount": 100}])
    file["payment_intents"][1]["amount"] = 200
    file["invoice_payments"][1]["amount_requested"] = 200

    fixtures = read(file)
    note, invoice = fixtures.credit_notes[0], fixtures.invoices[0]

    assert (note.type, note.pre_payment_amount, note.customer_id) == ("pre_payment", 100, "cus_1")
    assert (invoice.amount_due, invoice.amount_remaining) == (900, 200)


def test_what_a_credit_note_does_not_refund_is_credited() -> None:
    """150 given back, of which 50 refunded: the customer holds 100."""
    refunds = [{"refund": "re_1", "amount_refunded": 50}]
    file = changed("credit_notes", [{**CREDITED, "refunds": refunds}])

    note = read(file).credit_notes[0]

    assert note.credit_amount == 100
    assert note.refunds == (CreditNoteRefund(50, refund_id="re_1"),)


ACCEPTED = [
    pytest.param("invoices.1.customer", {"id": "cus_2", "object": "customer"}, id="expanded"),
    pytest.param("invoices.1.currency", "USD", id="currency_in_upper_case"),
    pytest.param("invoices.1.due_date", None, id="null_is_missing"),
    pytest.param("invoices.1.auto_advance", [1.5, {}], id="a_field_of_stripe_not_known_here"),
    pytest.param("invoices.1.lines", {"data": [{"amount": 500}]}, id="lines_as_stripe_lists_them"),
    pytest.param("customers", {"data": [{"id": "cus_1"}, {"id": "cus_2"}]}, id="any_list_so"),
    pytest.param("invoices.1.subscription", "sub_1", id="subscription_as_before_basil"),
    pytest.param("invoices.1.total", 2**53 - 1, id="the_largest_amount"),
    pytest.param("invoices.1.total", -500, id="a_total_in_the_customers_favour"),
]


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_objects_as_stripe_prints_them_are_accepted(path: str, value: object) -> None:
    """What the API answers can be pasted as it is."""
    assert len(read(changed(path, value)).invoices) == 2


BALANCES = [
    pytest.param({"invoice_credit_balance": {"usd": 5, "JPY": 7}}, id="by_currency"),
    pytest.param(
        {"balance": -5, "currency": "usd", "invoice_credit_balance": {"jpy": 7}}, id="both"
    ),
    pytest.param({"invoice_credit_balance": {"usd": 5, "jpy": 7, "eur": 0}}, id="zero_is_none"),
]


@pytest.mark.parametrize("stated", BALANCES)
def test_the_credit_balance_is_what_the_customer_holds(stated: dict[str, Any]) -> None:
    """Stripe's `balance` is below zero where the customer is owed; ours is above."""
    file = small_file()
    file["customers"][0] |= stated

    assert read(file).customers[0].credit_balance == (("jpy", 7), ("usd", 5))


def test_an_open_invoice_without_a_default_payment_stays_so() -> None:
    """Invoices from before 2025 have none, and loading invents nothing."""
    file = small_file()
    del file["invoice_payments"][1]
    twin = new_twin()

    load(twin, read_fixtures(json.dumps(file)))

    assert twin.book("in_1").open_default is None
    assert len(twin.payment_intents) == 2
    assert not twin.events


def test_lists_are_in_order_of_creation() -> None:
    """The order of a file is free, as nothing depends on it but ties."""
    file = changed("customers.0.created", DEFAULT_CREATED + 60)

    assert [one.id for one in read(file).customers] == ["cus_2", "cus_1"]


def test_an_empty_file_is_an_empty_account() -> None:
    """No list has to be there."""
    assert read({}) == State()
