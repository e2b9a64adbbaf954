"""Thin events at the webhooks' door: who is believed, what is read of them, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events.event_ids import Ignored, IgnoredReason, read_event
from gateway.events.hints import Hint
from gateway.events.webhook import RefusedReason, WebhookReader, WebhookRefused
from schema.records import INSTANT_MAX
from tests.events.door import thin_hint
from tests.support.time_and_ids import START
from tests.webhooks.rig import Rig
from tests.webhooks.signing import ACCOUNT, OLD_SECRET, OTHER_SECRET, SECRET, body_of, signed
from tests.webhooks.test_ids import JSON

CREATED = "2026-01-01T00:00:00.000Z"
SECOND = 1_767_225_600


def thin(raw_type: str = "v1.invoice_payment.open", **more: Any) -> dict[str, Any]:
    """A notification as Stripe's documentation shows one, about what its type speaks of."""
    kind = raw_type.split(".")[1]
    related = {"id": f"{kind}_1", "type": kind, "url": f"/v1/{kind}s/{kind}_1"}
    return {
        "id": "evt_test_1",
        "object": "v2.core.event",
        "type": raw_type,
        "livemode": False,
        "created": CREATED,
        "context": None,
        "reason": None,
        "snapshot_event": None,
        "related_object": related,
        **more,
    }


def read(raw: object) -> Hint | Ignored | None:
    return read_event(raw, account=ACCOUNT, livemode=False)


def read_hint(raw: object) -> Hint:
    hint = read(raw)
    assert isinstance(hint, Hint), hint
    return hint


BASE = Hint("evt_test_1", "", SECOND, ACCOUNT, False)
NAMED = [
    ("v1.invoice_payment.open", {"invoice_payment_id": "invoice_payment_1"}),
    ("v1.invoice_payment.paid", {"invoice_payment_id": "invoice_payment_1"}),
    ("v1.invoice_payment.of_the_future", {"invoice_payment_id": "invoice_payment_1"}),
    ("v1.invoice.payment_failed", {"invoice_id": "invoice_1"}),
    ("v1.credit_note.voided", {"credit_note_id": "credit_note_1"}),
    ("v1.payment_intent.canceled", {"payment_intent_id": "payment_intent_1"}),
    ("v1.customer.updated", {"customer_id": "customer_1"}),
]


@pytest.mark.parametrize(("raw_type", "named"), NAMED, ids=[one for one, _ in NAMED])
def test_a_thin_event_names_its_object_and_nothing_else(
    raw_type: str, named: dict[str, Any]
) -> None:
    """Whose invoice it is the object tells, when it is read."""
    assert read(thin(raw_type)) == replace(BASE, type=raw_type, **named)


def test_a_thin_event_names_the_request_and_its_snapshot_event() -> None:
    """By the one our own writes are recognised, by the other that two events are one fact."""
    request = {"id": "req_1", "idempotency_key": "gw_1"}

    hint = read_hint(thin(reason={"type": "request", "request": request}, snapshot_event="evt_1"))

    assert (hint.request_key, hint.snapshot_event_id) == ("gw_1", "evt_1")
    assert hint.is_snapshot_unsaid is None


def test_that_there_is_no_snapshot_event_is_another_thing_than_silence() -> None:
    """One page of Stripe's has the key in a notification, and the SDK's type has not."""
    silent = thin()
    del silent["snapshot_event"]

    told, untold = read_hint(thin()), read_hint(silent)

    assert (told.is_snapshot_unsaid, untold.is_snapshot_unsaid) == (None, True)
    assert told.snapshot_event_id is untold.snapshot_event_id is None


TIMES: list[Any] = [
    pytest.param("2026-01-01T00:00:00.000Z", SECOND, id="as Stripe writes it"),
    pytest.param("2026-01-01T00:00:00.999Z", SECOND, id="cut and not rounded"),
    pytest.param("2026-01-01T00:00:00Z", SECOND, id="no fraction"),
    pytest.param("2026-01-01T00:00:00.123456789Z", SECOND, id="nanoseconds"),
    pytest.param("2026-01-01T02:00:00.000+02:00", SECOND, id="another zone"),
    pytest.param("1970-01-01T00:00:00.000Z", 0, id="the first"),
    pytest.param("9999-12-31T23:59:59.999Z", INSTANT_MAX, id="the last"),
    pytest.param("1969-12-31T23:59:59.999Z", None, id="before"),
    pytest.param("9999-12-31T23:59:59.999-12:00", None, id="after"),
    pytest.param("0001-01-01T00:00:00.000+12:00", None, id="before the calendar"),
    pytest.param("2026-02-30T00:00:00.000Z", None, id="no such day"),
    pytest.param("2026-01-01T24:00:01.000Z", None, id="no such hour"),
    pytest.param("2026-01-01", None, id="a day"),
    pytest.param("2026-01-01T00:00:00.000", None, id="no zone"),
    pytest.param("2026-W01-1T00:00:00Z", None, id="another calendar"),
    pytest.param("\uff12026-01-01T00:00:00Z", None, id="other digits"),
    pytest.param(CREATED + "\n", None, id="more behind it"),
    pytest.param("9" * 100_000, None, id="endless"),
    pytest.param(SECOND, None, id="a number"),
    pytest.param(10**5000, None, id="a huge number"),
    pytest.param(None, None, id="none"),
    pytest.param([CREATED], None, id="a list"),
]


@pytest.mark.parametrize(("created", "second"), TIMES)
def test_the_time_of_a_thin_event_is_a_second(created: Any, second: int | None) -> None:
    """Without a time it is no event, as without one there is no place for it in the log."""
    hint = read(thin(created=created))

    assert (None if hint is None else hint.created) == second  # type: ignore[union-attr]


def test_a_thin_events_form_is_not_a_snapshot_events() -> None:
    """Nor the other way round: a number is no time of the one, a text none of the other."""
    snapshot = {"object": "event", "id": "evt_1", "data": {"object": {"object": "invoice"}}}

    assert read({**snapshot, "type": "invoice.paid", "created": CREATED}) is None
    assert read(thin(created=SECOND)) is None


IGNORED: list[Any] = [
    pytest.param({"type": "invoice.paid"}, IgnoredReason.TYPE_NOT_FOLLOWED, id="not a thin type"),
    pytest.param(
        {"type": "v2.core.event_destination.ping", "created": None},
        IgnoredReason.TYPE_NOT_FOLLOWED,
        id="a ping",
    ),
    pytest.param({"type": "v1.invoice.upcoming"}, IgnoredReason.TYPE_NOT_FOLLOWED, id="upcoming"),
    pytest.param({"type": "v1.charge.failed"}, IgnoredReason.TYPE_NOT_FOLLOWED, id="a charge"),
    pytest.param({"type": "v1."}, IgnoredReason.TYPE_NOT_FOLLOWED, id="nothing behind v1."),
    pytest.param({"object": "event"}, IgnoredReason.TYPE_NOT_FOLLOWED, id="said to be a snapshot"),
    pytest.param({"object": "v2.x"}, IgnoredReason.TYPE_NOT_FOLLOWED, id="another object of v2"),
    pytest.param({"context": "acct_2"}, IgnoredReason.OTHER_ACCOUNT, id="another account"),
    pytest.param(
        {"context": f"{ACCOUNT}/acct_2"}, IgnoredReason.OTHER_ACCOUNT, id="an account below ours"
    ),
    pytest.param({"context": f"{ACCOUNT}/"}, IgnoredReason.OTHER_ACCOUNT, id="no account below"),
    pytest.param({"context": ["acct_2"]}, IgnoredReason.OTHER_ACCOUNT, id="a list of accounts"),
    pytest.param({"context": 7}, IgnoredReason.OTHER_ACCOUNT, id="a number for an account"),
    pytest.param({"livemode": True}, IgnoredReason.OTHER_LIVEMODE, id="other livemode"),
    pytest.param({"related_object": None}, IgnoredReason.NAMES_NOTHING, id="about nothing"),
    pytest.param({"related_object": "in_1"}, IgnoredReason.NAMES_NOTHING, id="a text for it"),
    pytest.param({"related_object": ["in_1"]}, IgnoredReason.NAMES_NOTHING, id="a list for it"),
    pytest.param(
        {"related_object": {"id": "in_1", "type": "invoice"}},
        IgnoredReason.NAMES_NOTHING,
        id="of another kind than the type",
    ),
    *(
        pytest.param(
            {"related_object": {"id": id_, "type": "invoice_payment"}},
            IgnoredReason.NAMES_NOTHING,
            id=f"id {id_!r}"[:30],
        )
        for id_ in ("../in_1", "in 1", "in_1?x", "in_é", "", "in_" + "1" * 300, 7, {"id": "in_1"})
    ),
]


@pytest.mark.parametrize(("given_", "reason"), IGNORED)
def test_what_is_none_of_ours_is_ignored(given_: dict[str, Any], reason: IgnoredReason) -> None:
    """What is no id, or of another kind, never becomes part of a URL."""
    outcome = read({**thin(), **given_})

    assert isinstance(outcome, Ignored)
    assert outcome.reason is reason


@pytest.mark.parametrize("context", [None, "", ACCOUNT, f"org_1/{ACCOUNT}"])
def test_a_context_that_ends_with_our_account_is_ours(context: Any) -> None:
    """Events of one's own account may have none; an organisation's say the way."""
    assert isinstance(read(thin(context=context)), Hint)


@given(
    part=st.sampled_from(sorted(thin())),
    value=JSON | st.integers(min_value=10**300, max_value=10**301),
)
def test_any_part_may_be_anything(part: str, value: Any) -> None:
    """Read, ignored or no event: never an exception, and what is named is an id or nothing."""
    outcome = read({**thin(), part: value})

    if isinstance(outcome, Hint):
        named = (outcome.invoice_payment_id, outcome.snapshot_event_id)
        assert all(one is None or one.replace("_", "").replace("-", "").isalnum() for one in named)
    else:
        assert outcome is None or isinstance(outcome, Ignored)


@given(value=JSON)
def test_any_part_of_the_reason_may_be_anything(value: Any) -> None:
    """A key that is none is no key."""
    request = {"type": "request", "request": {"id": "req_1", "idempotency_key": value}}

    keys = [read_hint(thin(reason=one)).request_key for one in (value, request)]

    assert all(key is None or isinstance(key, str) for key in keys)


BODY = body_of(thin())
SIGNATURES: list[Any] = [
    pytest.param(None, RefusedReason.SIGNATURE_MISSING, id="none"),
    pytest.param("garbage", RefusedReason.SIGNATURE_MALFORMED, id="garbage"),
    pytest.param(signed(BODY, START, OTHER_SECRET), RefusedReason.SIGNATURE_WRONG, id="another's"),
    pytest.param(signed(BODY + b" ", START), RefusedReason.SIGNATURE_WRONG, id="another body"),
    pytest.param(signed(BODY, START - 301), RefusedReason.TIME_OUT_OF_TOLERANCE, id="old"),
    pytest.param(signed(BODY, START + 301), RefusedReason.TIME_OUT_OF_TOLERANCE, id="future"),
]


@pytest.mark.parametrize(("signature", "reason"), SIGNATURES)
def test_a_thin_event_is_believed_as_any_other(
    reader: WebhookReader, signature: str | None, reason: RefusedReason
) -> None:
    """By the same header, the same secrets and our own clock."""
    with pytest.raises(WebhookRefused) as refused:
        reader.hint_from(BODY, signature)

    assert refused.value.reason is reason


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_a_thin_event_with_a_true_signature_is_read(reader: WebhookReader, secret: str) -> None:
    """A destination of thin events has a secret of its own, which is one more in the setting."""
    assert isinstance(reader.hint_from(BODY, signed(BODY, START, secret)), Hint)


async def printed(rig: Rig, raw_type: str) -> bytes:
    """The last thin event of this type, as the sandbox prints it."""
    return [one.body for one in rig.sandbox.account.thin_events if one.type == raw_type][-1]


async def test_an_attach_by_stripes_sdk_is_told(rig: Rig) -> None:
    """By the dashboard or another integration: signed, over HTTP, into the log, with one call."""
    invoice_id, intent_id = rig.stage.open_invoice(500), rig.stage.intent(500)
    await rig.sdk.v1.invoices.attach_payment_async(invoice_id, {"payment_intent": intent_id})
    body = await printed(rig, "v1.invoice_payment.open")
    rig.sandbox.requests.clear()

    answers = [await rig.post(body) for _ in range(2)]

    (entry,) = await rig.held()
    assert answers == [(200, {"received": True})] * 2
    assert (entry.type, entry.origin, entry.customer_id) == ("ATTACHED", "WEBHOOK", "cus_acme")
    assert (entry.invoice_id, entry.payment_intent_id) == (invoice_id, intent_id)
    assert rig.published == [entry]
    assert len(rig.sandbox.requests) == 1


async def test_both_events_of_a_fact_are_acknowledged_and_told_once(rig: Rig) -> None:
    """A destination of each kind is registered, or two while one moves from one to the other."""
    rig.stage.paid_by(500)
    bodies = [
        rig.bodies("invoice_payment.paid")[-1],
        await printed(rig, "v1.invoice_payment.paid"),
    ]
    rig.sandbox.requests.clear()

    answers = [(await rig.post(body))[0] for body in bodies + bodies[::-1]]

    assert answers == [200] * 4
    assert [one.type for one in rig.published] == ["PAID"]
    assert (rig.reader.counts.taken, rig.reader.counts.known) == (1, 3)
    assert len(rig.sandbox.requests) == 1


async def test_a_signed_body_that_is_no_thin_event_is_refused(rig: Rig) -> None:
    """A repeat would not mend it."""
    status, _ = await rig.post(body_of(thin(created="yesterday")))

    assert status == 400
    assert rig.reader.counts.refused == {RefusedReason.NOT_AN_EVENT: 1}


def test_the_sandbox_prints_what_is_read(rig: Rig) -> None:
    """Every thin event of a payment's life is read by the same code as Stripe's."""
    rig.stage.paid_by(500)

    hints = [thin_hint(event) for event in rig.stage.twin.events if "payment" in event.type]

    assert {hint.is_thin for hint in hints} == {True}
