"""What is read of an event: the ids it names, wherever they stand, and nothing else."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe.params import WebhookEndpointCreateParams

from gateway.events.event_ids import Ignored, read_event
from gateway.events.hints import Hint, event_type, is_followed
from gateway.events.webhook import FOLLOWED_EVENTS, PREVIEW_EVENTS
from tests.webhooks.signing import ACCOUNT, event

INTENT_OF_PAYMENT = {"type": "payment_intent", "payment_intent": "pi_1"}


def payment(**more: Any) -> dict[str, Any]:
    subject = {"object": "invoice_payment", "id": "inpay_1", "invoice": "in_1"}
    return {**subject, "payment": INTENT_OF_PAYMENT, **more}


def read(raw: object) -> Hint | Ignored | None:
    return read_event(raw, account=ACCOUNT, livemode=False)


NAMED = [
    pytest.param("invoice.paid", {"object": "invoice", "id": "in_1"}, "in_1", None, None, id="in"),
    pytest.param("invoice_payment.paid", payment(), "in_1", "inpay_1", "pi_1", id="inpay"),
    pytest.param(
        "invoice_payment.detached", payment(), "in_1", "inpay_1", "pi_1", id="in no GA list"
    ),
    pytest.param(
        "invoice.payment.overpaid", payment(), "in_1", "inpay_1", "pi_1", id="named as an invoice"
    ),
    pytest.param(
        "invoice_payment.paid",
        payment(
            invoice={"object": "invoice", "id": "in_1"},
            payment={"payment_intent": {"object": "payment_intent", "id": "pi_1"}},
        ),
        "in_1",
        "inpay_1",
        "pi_1",
        id="expanded",
    ),
    pytest.param(
        "invoice_payment.paid",
        payment(payment={"type": "charge", "charge": "ch_1"}),
        "in_1",
        "inpay_1",
        None,
        id="by a charge",
    ),
    pytest.param("invoice_payment.paid", payment(payment=None), "in_1", "inpay_1", None, id="bare"),
    pytest.param(
        "payment_intent.canceled",
        {"object": "payment_intent", "id": "pi_1", "client_secret": "not to be kept"},
        None,
        None,
        "pi_1",
        id="pi",
    ),
    pytest.param(
        "credit_note.created",
        {"object": "credit_note", "id": "cn_1", "invoice": "in_1"},
        "in_1",
        None,
        None,
        id="cn",
    ),
]


@pytest.mark.parametrize(("raw_type", "subject", "invoice_id", "payment_id", "intent_id"), NAMED)
def test_an_event_names_what_its_object_names(
    raw_type: str,
    subject: dict[str, Any],
    invoice_id: str | None,
    payment_id: str | None,
    intent_id: str | None,
) -> None:
    """By the kind of the object and not by the type, so that a new type needs no new code."""
    hint = read(event(subject, type=raw_type, created=7))

    assert hint == Hint(
        event_id="evt_1",
        type=raw_type,
        created=7,
        account=ACCOUNT,
        livemode=False,
        invoice_id=invoice_id,
        invoice_payment_id=payment_id,
        payment_intent_id=intent_id,
    )


def test_an_event_about_an_intent_names_its_customer() -> None:
    """Whose lists it may have changed; an invoice's customer is asked for instead."""
    subject = {"object": "payment_intent", "id": "pi_1", "customer": {"id": "cus_1"}}

    hint = read(event(subject, type="payment_intent.succeeded"))

    assert isinstance(hint, Hint)
    assert (hint.payment_intent_id, hint.customer_id) == ("pi_1", "cus_1")


NAMELESS: list[Any] = [
    pytest.param({"object": "charge", "id": "ch_1", "invoice": "in_1"}, id="charge"),
    pytest.param({"object": ["invoice"], "id": "in_1"}, id="no kind"),
    pytest.param({"object": "invoice"}, id="no id"),
    pytest.param({"object": "invoice", "id": "in_1/../../x"}, id="a path for an id"),
    pytest.param({"object": "invoice", "id": "in_" + "1" * 300}, id="an endless id"),
    pytest.param({"object": "invoice", "id": 1}, id="a number for an id"),
    pytest.param(payment(invoice=None), id="payment of nothing"),
    pytest.param(payment(invoice={"id": {}}), id="payment of an object without an id"),
]


@pytest.mark.parametrize("subject", NAMELESS)
def test_an_event_that_names_no_invoice_is_ignored(subject: dict[str, Any]) -> None:
    """Nobody could be shown it; what is no id never becomes part of a URL."""
    assert isinstance(read(event(subject)), Ignored)


KEYS = [
    pytest.param({"id": "req_1", "idempotency_key": "a1b2"}, "a1b2", id="key"),
    pytest.param({"id": None, "idempotency_key": None}, None, id="automatic"),
    pytest.param(None, None, id="none"),
    pytest.param("req_1", None, id="before 2017"),
    pytest.param({"idempotency_key": 5}, None, id="a number"),
    pytest.param({"idempotency_key": "\ud83d"}, None, id="no text"),
    pytest.param({"idempotency_key": "k" * 256}, None, id="endless"),
]


@pytest.mark.parametrize(("request_", "key"), KEYS)
def test_the_key_behind_an_event_is_read(request_: Any, key: str | None) -> None:
    """By it the gateway recognises its own writes; others' keys may look like anything."""
    hint = read(event(request=request_))

    assert isinstance(hint, Hint)
    assert hint.request_key == key


@pytest.mark.parametrize("account", [None, ACCOUNT])
def test_an_event_without_an_account_is_our_own(account: str | None) -> None:
    """Only events of connected accounts say whose they are."""
    assert isinstance(read(event(account=account)), Hint)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
PARTS = ["id", "type", "created", "livemode", "account", "request", "data"]
INNER = ["object", "id", "invoice", "payment"]


@given(part=st.sampled_from(PARTS), value=JSON)
def test_any_part_may_be_anything(part: str, value: Any) -> None:
    """Read, ignored or no event: never an exception."""
    raw = event(payment(), type="invoice_payment.paid")

    outcome = read({**raw, part: value})

    assert outcome is None or isinstance(outcome, Hint | Ignored)


@given(part=st.sampled_from(INNER), value=JSON)
def test_any_part_of_the_object_may_be_anything(part: str, value: Any) -> None:
    """What a hint names is an id or nothing."""
    outcome = read(event(payment(**{part: value}), type="invoice_payment.paid"))

    assert isinstance(outcome, Hint | Ignored)
    if isinstance(outcome, Hint):
        ids = (outcome.invoice_id, outcome.invoice_payment_id, outcome.payment_intent_id)
        assert all(one is None or one.replace("_", "").replace("-", "").isalnum() for one in ids)


def enabled_events() -> list[str]:
    """The names that an endpoint may list, as the SDK's annotation has them."""
    annotation = WebhookEndpointCreateParams.__annotations__["enabled_events"]
    (names,) = get_args(annotation)
    return list(get_args(names))


def test_an_endpoint_asks_for_all_that_is_followed() -> None:
    """By the SDK's own list: a name that Stripe adds shows here with the next SDK."""
    names = enabled_events()
    followed = [one for one in names if is_followed(one)]

    assert sorted(FOLLOWED_EVENTS) == sorted(followed)
    assert all(event_type(name) is not None for name in PREVIEW_EVENTS)
    assert not set(PREVIEW_EVENTS) & set(enabled_events())
