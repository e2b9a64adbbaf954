"""Each of Stripe's objects becomes its record, in the shapes of several versions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gateway.stripe_objects import reading
from gateway.stripe_objects.reading import harvest
from schema import records
from schema.ports import Deleted, ErrorCode, Failed
from tests.stripe_edge import samples
from tests.stripe_edge.samples import CREATED, Raw


def test_invoice_is_read_whole() -> None:
    """Every field that callers can ask for has a place, and comes from Stripe's."""
    raw = samples.invoice(paid=400, amount_overpaid=5, description="Work", metadata={"a": "b"})

    record = reading.invoice_record(raw)

    assert record == records.Invoice(
        id="in_1",
        created=CREATED,
        currency="usd",
        customer_id="cus_1",
        status="open",
        number="A-1",
        collection_method="send_invoice",
        description="Work",
        customer_name="Ada",
        customer_email="ada@example.com",
        account_name="Example Books",
        subtotal=1000,
        total=1000,
        amount_due=1000,
        amount_paid=400,
        amount_remaining=600,
        amount_overpaid=5,
        finalized_at=CREATED,
        hosted_invoice_url="https://pay.example.com/in_1",
        metadata=(("a", "b"),),
    )


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        pytest.param(
            {"customer": samples.customer("cus_7")}, "customer_id", "cus_7", id="expanded"
        ),
        pytest.param(
            {"customer": {"id": "cus_7", "object": "customer", "deleted": True}},
            "customer_id",
            "cus_7",
            id="deleted_customer",
        ),
        pytest.param({"customer": None}, "customer_id", None, id="no_customer"),
        pytest.param(
            {"parent": {"subscription_details": {"subscription": "sub_1"}}},
            "subscription_id",
            "sub_1",
            id="subscription_since_basil",
        ),
        pytest.param(
            {"subscription": {"id": "sub_1", "object": "subscription"}},
            "subscription_id",
            "sub_1",
            id="subscription_before_basil",
        ),
        pytest.param(
            {"parent": {"type": "quote_details", "subscription_details": None}},
            "subscription_id",
            None,
            id="parent_is_a_quote",
        ),
        pytest.param({"status": "frozen"}, "status", "frozen", id="status_of_tomorrow"),
        pytest.param({"status": None}, "status", None, id="no_status"),
        pytest.param({"collection_method": None}, "collection_method", "charge_automatically"),
        pytest.param({"status_transitions": None}, "finalized_at", None, id="no_transitions"),
        pytest.param(
            {"status_details": {"uncollectible": {"reason": "user_forgiven"}}},
            "uncollectible_reason",
            "user_forgiven",
            id="why_it_is_uncollectible",
        ),
        pytest.param(
            {"status_details": {"uncollectible": None}},
            "uncollectible_reason",
            None,
            id="not_uncollectible",
        ),
        pytest.param({"due_date": 10**20}, "due_date", None, id="date_beyond_dates"),
        pytest.param({"number": 7}, "number", None, id="number_is_no_text"),
        pytest.param({"subtotal": None}, "subtotal", 1000, id="no_subtotal"),
        pytest.param({"currency": "USD"}, "currency", "usd", id="currency_in_capitals"),
        pytest.param({"metadata": {"a": 1, "b": "c"}}, "metadata", (("b", "c"),), id="metadata"),
        pytest.param({"metadata": []}, "metadata", (), id="metadata_is_a_list"),
        pytest.param({"description": "a\ud800b"}, "description", "a?b", id="half_a_surrogate"),
        pytest.param(
            {"paid": True, "paid_out_of_band": True, "payment_intent": "pi_1", "charge": "ch_1"},
            "status",
            "open",
            id="fields_of_old_versions",
        ),
    ],
)
def test_invoice_in_another_shape(changes: Raw, field: str, expected: object) -> None:
    """What older versions, expansion and tomorrow change is understood or passed over."""
    record = reading.invoice_record(samples.invoice() | changes)

    assert getattr(record, field) == expected


@pytest.mark.parametrize("stated", ["pr_1", {"id": "pr_1", "object": "payment_record"}], ids=str)
def test_the_payment_record_of_an_intent_is_known_by_its_id(stated: object) -> None:
    record = reading.payment_intent_record(samples.intent(payment_record=stated))

    assert record.payment_record_id == "pr_1"


def test_invoice_of_an_old_version_has_the_defaults() -> None:
    """Before basil there was neither an overpaid amount nor credit notes split in two."""
    raw = samples.invoice()
    for name in ("amount_overpaid", "pre_payment_credit_notes_amount", "status_transitions"):
        del raw[name]

    record = reading.invoice_record(raw)

    assert (record.amount_overpaid, record.pre_payment_credit_notes_amount) == (0, 0)


ESSENTIAL: list[tuple[str, Callable[[object], Any], Raw, tuple[str, ...]]] = [
    (
        "invoice",
        reading.invoice_record,
        samples.invoice(),
        ("created", "currency", "total", "amount_due", "amount_paid", "amount_remaining"),
    ),
    (
        "invoice_payment",
        reading.invoice_payment_record,
        samples.payment(),
        ("created", "currency", "invoice", "status", "payment", "amount_requested"),
    ),
    (
        "payment_intent",
        reading.payment_intent_record,
        samples.intent(),
        ("created", "currency", "status", "amount"),
    ),
    (
        "payment_record",
        reading.payment_record_record,
        samples.payment_record(),
        ("created", "amount"),
    ),
    ("charge", reading.charge_record, samples.charge(), ("created", "currency", "amount")),
    (
        "credit_note",
        reading.credit_note_record,
        samples.credit_note(),
        ("created", "currency", "invoice", "amount"),
    ),
    ("customer", reading.customer_record, samples.customer(), ("created",)),
]


@pytest.mark.parametrize(
    ("read", "raw", "field"),
    [
        pytest.param(read, raw, field, id=f"{kind}_{field}")
        for kind, read, raw, fields in ESSENTIAL
        for field in fields
    ],
)
def test_object_without_an_essential_field_is_refused(
    read: Callable[[object], Any], raw: Raw, field: str
) -> None:
    """What would have to be made up is an upstream error that names the object and the field."""
    pruned = {name: value for name, value in raw.items() if name != field}

    with pytest.raises(Failed) as failed:
        read(pruned)

    assert failed.value.code is ErrorCode.UPSTREAM_ERROR
    assert failed.value.extensions["stripeObject"] == raw["id"]
    assert str(failed.value.extensions["field"]).startswith(field)
    assert raw["id"] in failed.value.message


@pytest.mark.parametrize("value", [1.0, "1000", True, [1000], {"value": 1000}])
@pytest.mark.parametrize("field", ["total", "amount_paid", "amount_overpaid"])
def test_amount_that_is_no_whole_number_is_refused(field: str, value: object) -> None:
    """Money is never rounded, parsed or guessed, and `true` is not 1."""
    with pytest.raises(Failed) as failed:
        reading.invoice_record(samples.invoice() | {field: value})

    assert failed.value.extensions["field"] == field


@pytest.mark.parametrize("value", [7, "", "in_1/../x", {"object": "customer"}, ["cus_1"]])
def test_reference_that_is_no_id_is_refused(value: object) -> None:
    """Whose an object is hangs on it, so it is never taken for nobody's."""
    with pytest.raises(Failed):
        reading.invoice_record(samples.invoice(customer=value))


@pytest.mark.parametrize("raw", [None, [], "in_1", 7, {}, {"id": 7}, {"id": "in_1?x"}])
def test_what_is_no_object_with_an_id_is_refused(raw: object) -> None:
    """Nothing is normalised by an id that it has not."""
    with pytest.raises(Failed):
        reading.invoice_record(raw)


def test_another_object_than_asked_for_is_refused() -> None:
    """A customer with an invoice's fields is somebody's mistake."""
    with pytest.raises(Failed):
        reading.invoice_record(samples.invoice(object="customer"))


def test_deleted_customer_is_not_found() -> None:
    """Stripe answers 200 for it; for us it does not exist any more."""
    with pytest.raises(Failed) as failed:
        reading.customer_record({"id": "cus_1", "object": "customer", "deleted": True})

    assert failed.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    ("payment", "expected"),
    [
        pytest.param(
            {"type": "payment_intent", "payment_intent": "pi_1"},
            ("payment_intent", "pi_1"),
            id="intent",
        ),
        pytest.param(
            {"type": "payment_intent", "payment_intent": samples.intent("pi_2")},
            ("payment_intent", "pi_2"),
            id="expanded_intent",
        ),
        pytest.param(
            {"type": "payment_record", "payment_record": "pr_1", "payment_intent": None},
            ("payment_record", "pr_1"),
            id="record",
        ),
        pytest.param({"charge": "ch_1"}, ("charge", "ch_1"), id="type_left_out"),
        pytest.param({"type": "cash", "cash": "cash_1"}, ("cash", "cash_1"), id="type_of_tomorrow"),
        pytest.param({"type": "cash"}, ("cash", ""), id="type_of_tomorrow_without_id"),
    ],
)
def test_source_of_an_invoice_payment(payment: Raw, expected: tuple[str, str]) -> None:
    """What pays is a type and an id, however much of it Stripe shows."""
    record = reading.invoice_payment_record(samples.payment() | {"payment": payment})

    assert (record.source_type, record.source_id) == expected


def test_open_invoice_payment_has_paid_nothing_yet() -> None:
    """`amount_paid` is null until it is paid, and null is not zero."""
    record = reading.invoice_payment_record(samples.default_payment())

    assert (record.status, record.amount_paid, record.is_default) == ("open", None, True)


def test_payment_record_has_amount_customer_and_reference() -> None:
    """Its amounts are objects, and who paid stands in its details."""
    record = reading.payment_record_record(samples.payment_record(amount=400))

    assert (record.amount, record.currency) == (400, "usd")
    assert (record.customer_id, record.reference) == ("cus_1", "transfer 7")


def test_mark_of_the_gateway_is_not_shown() -> None:
    """By it we know our own payment records again; callers see what they gave."""
    raw = samples.payment_record(metadata={"gateway_idempotency_key": "gw_1", "theirs": "x"})

    assert reading.payment_record_record(raw).metadata == (("theirs", "x"),)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"balance": -500}, (("usd", 500),), id="balance_in_their_favour"),
        pytest.param({"balance": 500}, (("usd", -500),), id="balance_owed"),
        pytest.param(
            {"invoice_credit_balance": {"eur": 300, "usd": 0}}, (("eur", 300),), id="per_currency"
        ),
        pytest.param(
            {"balance": -500, "invoice_credit_balance": {"usd": 500, "eur": 1}},
            (("eur", 1), ("usd", 500)),
            id="both_say_the_same",
        ),
        pytest.param({"balance": -500, "currency": None}, (), id="balance_in_no_currency"),
    ],
)
def test_credit_balance_of_a_customer(changes: Raw, expected: object) -> None:
    """Above zero is in the customer's favour, whichever of two fields says so."""
    assert reading.customer_record(samples.customer() | changes).credit_balance == expected


def test_credit_note_is_split() -> None:
    """Of 700 given back 300 are refunded and 100 out of band, so 300 went to the balance."""
    record = reading.credit_note_record(samples.credit_note())

    assert (record.pre_payment_amount, record.post_payment_amount) == (200, 700)
    assert record.refunds == (records.CreditNoteRefund(300, "re_1"),)
    assert (record.out_of_band_amount, record.credit_amount) == (100, 300)


OLD = {"pre_payment_amount": None, "post_payment_amount": None, "refunds": None}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {**OLD, "type": "pre_payment", "out_of_band_amount": None},
            (900, 0, 0, ()),
            id="pre_payment",
        ),
        pytest.param(
            {**OLD, "type": "post_payment", "refund": "re_1", "customer_balance_transaction": None},
            (0, 900, 0, (records.CreditNoteRefund(800, "re_1"),)),
            id="refund_beside_out_of_band",
        ),
        pytest.param(
            {**OLD, "type": "post_payment", "out_of_band_amount": None},
            (0, 900, 900, ()),
            id="to_the_balance",
        ),
    ],
)
def test_credit_note_of_an_old_version(changes: Raw, expected: object) -> None:
    """Before 2025-05-28.basil a note was of one kind, and its one refund stated no amount."""
    record = reading.credit_note_record(samples.credit_note() | changes)

    shown = (record.pre_payment_amount, record.post_payment_amount, record.credit_amount)
    assert (*shown, record.refunds) == expected


def test_refund_to_a_payment_record_is_read() -> None:
    """What was paid outside Stripe is refunded there too."""
    part = {
        "amount_refunded": 300,
        "refund": None,
        "payment_record_refund": {"payment_record": "pr_1", "refund_group": "g"},
        "type": "payment_record_refund",
    }

    record = reading.credit_note_record(samples.credit_note(refunds=[part]))

    assert record.refunds == (records.CreditNoteRefund(300, None, "pr_1"),)


def test_lines_belong_to_the_invoice_that_shows_them() -> None:
    """Older versions print no invoice on a line, and some none but its id."""
    lines = reading.line_item_records(samples.listed([samples.line(invoice="in_7")]), "in_1")

    assert lines == [
        records.InvoiceLineItem(
            id="il_1",
            invoice_id="in_1",
            amount=1000,
            currency="usd",
            description="One thing",
            quantity="2",
            period_start=CREATED,
            period_end=CREATED + 60,
        )
    ]


def test_confirmation_secret_is_read_and_not_shown() -> None:
    """It is there when it was asked for, and never in a representation."""
    raw = samples.invoice(confirmation_secret={"client_secret": "hush", "type": "payment_intent"})

    secret = reading.confirmation_secret(raw)

    assert secret == records.ConfirmationSecret("hush")
    assert "hush" not in repr(secret)
    assert reading.confirmation_secret(samples.invoice()) is None


def test_embedded_list_says_whether_there_is_more() -> None:
    """A first page is not the list."""
    assert reading.embedded_list(samples.listed([1, 2], has_more=True)) == ([1, 2], True)
    assert reading.embedded_list({"data": []}) == ([], False)


@pytest.mark.parametrize("raw", [None, [], {}, {"data": None}, {"data": {}}])
def test_list_without_members_is_refused(raw: object) -> None:
    """No list is not an empty list."""
    with pytest.raises(Failed):
        reading.embedded_list(raw)


def test_harvest_finds_every_full_object() -> None:
    """One response fills the pool, however deep the objects stand in it."""
    paid = samples.payment("inpay_1", samples.intent("pi_1"))
    raw = samples.listed(
        [
            samples.invoice(
                customer=samples.customer(),
                payments=samples.listed([paid, samples.payment("inpay_2")]),
            )
        ]
    )

    found = [record.id for record in harvest(raw)]

    assert sorted(found) == ["cus_1", "il_1", "in_1", "inpay_1", "inpay_2", "pi_1"]
    assert found[0] == "in_1"


def test_harvest_keeps_each_object_once() -> None:
    """An intent that pays twice is expanded twice."""
    both = [samples.payment(one, samples.intent()) for one in ("inpay_1", "inpay_2")]

    found = [record.id for record in harvest(samples.listed(both))]

    assert found.count("pi_1") == 1


def test_harvest_leaves_out_events() -> None:
    """A snapshot in an event is old."""
    event = {"id": "evt_1", "object": "event", "data": {"object": samples.intent()}}

    assert harvest([event]) == []


@pytest.mark.parametrize("said", [{"object": "customer"}, {}], ids=["in full", "by its id"])
def test_harvest_tells_what_is_deleted(said: dict[str, str]) -> None:
    """Not read yet and gone are two things: the one is asked for, the other never again."""
    (gone,) = harvest([{"id": "cus_1", **said, "deleted": True}])

    assert isinstance(gone, Deleted)
    assert (gone.kind, gone.id) == ("Customer", "cus_1")


def test_harvest_leaves_out_what_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    """One bad object takes nothing else with it, and is told to the log."""
    bad = samples.payment("inpay_1")
    del bad["status"]

    found = harvest(samples.listed([bad, samples.payment("inpay_2")]))

    assert [record.id for record in found] == ["inpay_2"]
    assert "inpay_1" in caplog.text


def test_harvest_reads_and_changes_nothing() -> None:
    """The response is the caller's still."""
    raw = samples.invoice_with(samples.payment())
    before = copy.deepcopy(raw)

    harvest(raw)

    assert raw == before
