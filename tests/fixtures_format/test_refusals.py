"""What is refused, by which object, at which field, and why: one row per mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.ledger.invariants import Violation
from gateway.sandbox.fixtures import (
    PROBLEMS_KEPT_MAX,
    FixturesRefused,
    check_file,
    read_fixtures,
)
from tests.fixtures_format.small_file import CREDITED, changed, read, small_file


def problems(file: Any) -> list[Violation]:
    with pytest.raises(FixturesRefused) as caught:
        read(file)
    return list(caught.value.violations)


def row(name: str, path: str, value: object, where: str, field: str, reason: str) -> Any:
    return pytest.param(path, value, where, field, reason, id=name)


SUB = "invoices.1."
BARE = {"id": "in_2", "customer": "cus_2", "currency": "usd"}
ONE_MISTAKE = [
    # path, the bad value, then whose, which field and a part of the reason
    row("no_id", "customers.2", {}, "fixtures", "customers[2].id", "cus_ followed by letters"),
    row("wrong_prefix", "customers.2", {"id": "in_9"}, "fixtures", "customers[2].id", "'in_9'"),
    row("odd_id", "customers.2", {"id": "cus_1/2"}, "fixtures", "customers[2].id", "'cus_1/2'"),
    row("id_no_string", "customers.2", {"id": 7}, "fixtures", "customers[2].id", "got 7"),
    row("twice", "customers.2", {"id": "cus_1"}, "cus_1", "id", "unique, but customers[2] has it"),
    row("no_object", "customers.2", "cus_3", "fixtures", "customers[2]", "must be an object"),
    row("no_list", "charges", 7, "fixtures", "charges", "must be a list"),
    row("unknown_list", "invoces", [], "fixtures", "invoces", "must be one of customers,"),
    row("float_amount", f"{SUB}total", 12.99, "in_2", "total", "a whole number"),
    row("string_amount", f"{SUB}total", "500", "in_2", "total", "a whole number"),
    row("boolean_amount", f"{SUB}total", True, "in_2", "total", "a whole number"),
    row("giant_amount", f"{SUB}total", 2**53, "in_2", "total", "must lie between"),
    row("no_amount", f"{SUB}total", None, "in_2", "total", "state total or amount_due, or lines"),
    row("intent_of_zero", "payment_intents.1.amount", 0, "pi_2", "amount", "between 1 and"),
    row("no_currency", f"{SUB}currency", None, "in_2", "currency", "is missing"),
    row("odd_currency", f"{SUB}currency", "dollar", "in_2", "currency", "three letters"),
    row("no_customer", f"{SUB}customer", None, "in_2", "customer", "is missing"),
    row("unknown_customer", f"{SUB}customer", "cus_9", "in_2", "customer", "cus_9 is not"),
    row("customer_is_intent", f"{SUB}customer", "pi_1", "in_2", "customer", "an id of cus_"),
    row("unknown_status", f"{SUB}status", "opened", "in_2", "status", "must be one of draft,"),
    row("odd_method", f"{SUB}collection_method", "x", "in_2", "collection_method", "send_invoice"),
    row("odd_due_date", f"{SUB}due_date", "2026-05-01", "in_2", "due_date", "epoch seconds"),
    row("far_due_date", f"{SUB}due_date", 253_402_300_800, "in_2", "due_date", "epoch seconds"),
    row("odd_livemode", f"{SUB}livemode", "no", "in_2", "livemode", "true or false"),
    row("odd_text", f"{SUB}description", 7, "in_2", "description", "must be a string"),
    row("half_letter", f"{SUB}description", "\ud800", "in_2", "description", "whole Unicode"),
    row("odd_metadata", f"{SUB}metadata", {"a": 1}, "in_2", "metadata.a", "must be a string"),
    row("odd_key", f"{SUB}metadata", {"\ud800": "1"}, "in_2", r"metadata.\ud800", "a string"),
    row("odd_parent", f"{SUB}parent", "sub_1", "in_2", "parent", "must be an object"),
    row("line_sum", f"{SUB}lines", [{"amount": 400}], "in_2", "subtotal", "lines add up to 400"),
    row(
        "subtotal",
        "invoices.1",
        {**BARE, "subtotal": 500, "lines": [{"amount": 400}]},
        "in_2",
        "subtotal",
        "must be 400, the sum of the lines",
    ),
    row("line_amount", f"{SUB}lines", [{}], "in_2", "lines[0].amount", "is missing"),
    row(
        "line_currency",
        f"{SUB}lines",
        [{"amount": 500, "currency": "eur"}],
        "in_2",
        "lines[0].currency",
        "must be the invoice's usd",
    ),
    row(
        "payment_not_listed",
        f"{SUB}payments",
        {"data": [{"id": "inpay_9"}]},
        "in_2",
        "payments[0].id",
        "must be in invoice_payments too",
    ),
    row("odd_balance", "customers.0.balance", -5, "cus_1", "currency", "must be in some currency"),
    row("plain_record", "payment_records.0.amount", 200, "pr_1", "amount", "must be an object"),
    row("no_payment", "invoice_payments.1.payment", None, "inpay_2", "payment", "a type and an id"),
    row(
        "unknown_invoice",
        "invoice_payments.1.invoice",
        "in_9",
        "inpay_2",
        "invoice",
        "in_9 is not",
    ),
    row(
        "expanded_without_id",
        "invoice_payments.1.invoice",
        {"id": None},
        "inpay_2",
        "invoice",
        "an id of in_",
    ),
    row(
        "unknown_intent",
        "invoice_payments.1.payment",
        {"type": "payment_intent", "payment_intent": "pi_9"},
        "inpay_2",
        "payment.payment_intent",
        "must be in this file, but pi_9 is not",
    ),
    row(
        "type_without_its_id",
        "invoice_payments.1.payment",
        {"type": "charge", "payment_intent": "pi_2"},
        "inpay_2",
        "payment.charge",
        "is missing",
    ),
    row(
        "two_sources_no_type",
        "invoice_payments.1.payment",
        {"charge": "ch_1", "payment_intent": "pi_2"},
        "inpay_2",
        "payment.type",
        "must be one of payment_intent",
    ),
    row(
        "default_is_no_intent",
        "invoice_payments.1.payment",
        {"payment_record": "pr_1"},
        "inpay_2",
        "is_default",
        "only a PaymentIntent",
    ),
    row("paid_too_little", "invoices.0.amount_paid", 600, "in_1", "amount_paid", "add up to 700"),
    row(
        "rest", "invoices.0.amount_remaining", 301, "in_1", "amount_remaining", "must be amount_due"
    ),
    row("draft_with_payments", "invoices.0.status", "draft", "in_1", "status", "has payments"),
    row("paid_with_a_rest", "invoices.0.status", "paid", "in_1", "status", "something remains"),
    row(
        "default_out_of_step",
        "invoice_payments.1.amount_requested",
        299,
        "inpay_2",
        "amount_requested",
        "must be 300",
    ),
    row("intent_out_of_step", "payment_intents.1.amount", 301, "pi_2", "amount", "must be 300"),
    row(
        "open_but_succeeded", "invoice_payments.0.status", "open", "inpay_1", "status", "succeeded"
    ),
    row(
        "of_another_customer",
        "payment_intents.0.customer",
        "cus_2",
        "inpay_1",
        "payment",
        "another customer",
    ),
    row(
        "in_another_currency",
        "payment_intents.0.currency",
        "eur",
        "inpay_1",
        "currency",
        "must be eur, as that of pi_1",
    ),
    row(
        "more_than_the_intent_has",
        "invoice_payments.0.amount_requested",
        701,
        "pi_1",
        "amount",
        "inpay_1 take 701 of it",
    ),
    row(
        "note_of_unknown_invoice",
        "credit_notes.0",
        {**CREDITED, "invoice": "in_9"},
        "cn_1",
        "invoice",
        "in_9 is not",
    ),
    row(
        "note_does_not_add_up",
        "credit_notes.0",
        {**CREDITED, "pre_payment_amount": 0, "post_payment_amount": 149},
        "cn_1",
        "amount",
        "must be 149",
    ),
    row(
        "note_not_settled",
        "credit_notes.0",
        {**CREDITED, "credit_amount": 100},
        "cn_1",
        "post_payment_amount",
        "must be 100",
    ),
    row(
        "note_of_another_customer",
        "credit_notes.0",
        {**CREDITED, "customer": "cus_2"},
        "cn_1",
        "customer",
        "must be cus_1",
    ),
    row(
        "note_not_in_the_invoice",
        "invoices.0.post_payment_credit_notes_amount",
        1,
        "in_1",
        "post_payment_credit_notes_amount",
        "must be 0, what its credit notes add up to",
    ),
]


@pytest.mark.parametrize(("path", "value", "where", "field", "reason"), ONE_MISTAKE)
def test_one_mistake_is_named_with_object_field_and_reason(
    path: str, value: object, where: str, field: str, reason: str
) -> None:
    """Whoever made it must find it, and know what would be right."""
    found = problems(changed(path, value))

    named = [one for one in found if (one.id, one.field) == (where, field)]
    assert named, [str(one) for one in found]
    assert reason in named[0].reason


ALONE = {"float_amount", "no_currency", "unknown_status", "unknown_intent", "plain_record"}


@pytest.mark.parametrize(
    ("path", "value"),
    [pytest.param(*one.values[:2], id=one.id) for one in ONE_MISTAKE if one.id in ALONE],
)
def test_one_mistake_brings_no_others(path: str, value: object) -> None:
    """What builds on a bad object is not checked, or its every sum would be wrong as well."""
    assert len({one.id for one in problems(changed(path, value))}) == 1


def test_all_problems_are_reported_together() -> None:
    """One run of the check, and not one for each mistake."""
    file = changed("invoices.1.total", "500")
    file["customers"][0]["email"] = 7
    file["payment_intents"][1]["status"] = "paid"

    found = {(one.id, one.field) for one in problems(file)}

    assert found == {("in_2", "total"), ("cus_1", "email"), ("pi_2", "status")}


def test_the_report_is_bounded_and_counts_the_rest() -> None:
    """A file of another format is wrong in every line; a hundred are enough to see it."""
    file = small_file()
    file["customers"] += [{"id": f"cus_{number}", "name": 7} for number in range(10, 160)]

    with pytest.raises(FixturesRefused) as caught:
        read(file)

    assert (len(caught.value.violations), caught.value.count) == (PROBLEMS_KEPT_MAX, 150)
    assert str(caught.value).startswith("the fixtures have 150 problems\ncus_10: name: must be")
    assert str(caught.value).endswith("and 50 more")


NOT_FIXTURES = [
    pytest.param("", "must be JSON", id="empty"),
    pytest.param("{'customers': []}", "must be JSON: Expecting property name", id="no_json"),
    pytest.param(b"\xff\xfe\xff", "must be JSON", id="no_text"),
    pytest.param("[" * 100_000, "must be JSON", id="too_deep"),
    pytest.param("[]", "must be one object of the lists customers,", id="a_list"),
    pytest.param('{"customers": [], "customers": []}', "must stand only once", id="a_key_twice"),
]


@pytest.mark.parametrize(("text", "reason"), NOT_FIXTURES)
def test_what_is_no_fixtures_file_is_refused_with_what_is_wrong(
    text: bytes | str, reason: str
) -> None:
    """Not a traceback of the JSON parser."""
    with pytest.raises(FixturesRefused) as caught:
        read_fixtures(text)

    assert [one.id for one in caught.value.violations] == ["fixtures"]
    assert reason in str(caught.value)


def test_a_file_that_cannot_be_read_is_a_problem_of_its_own(tmp_path: Path) -> None:
    """The check answers; it does not raise."""
    found = check_file(tmp_path / "absent.json")

    assert [str(one) for one in found] == [
        f"fixtures: {tmp_path / 'absent.json'}: cannot be read: No such file or directory"
    ]


def test_a_good_file_has_no_problems(tmp_path: Path) -> None:
    """Nothing is the good answer."""
    path = tmp_path / "fixtures.json"
    path.write_text(json.dumps(small_file()), encoding="utf-8-sig")

    assert check_file(path) == []
