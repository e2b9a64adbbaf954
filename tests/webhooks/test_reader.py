"""Who is believed: the signature, its time, the secrets, and what makes a body an event."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.events.event_ids import Ignored
from gateway.events.hints import Hint
from gateway.events.webhook import RefusedReason, WebhookReader, WebhookRefused
from tests.support.time_and_ids import START, ManualClock
from tests.webhooks.signing import OLD_SECRET, OTHER_SECRET, SECRET, body_of, event, signed

BODY = body_of(event())
V1 = signed(BODY, START).partition("v1=")[2]
OLD = START - 301

MISSING = RefusedReason.SIGNATURE_MISSING
MALFORMED = RefusedReason.SIGNATURE_MALFORMED
WRONG = RefusedReason.SIGNATURE_WRONG
UNTIMELY = RefusedReason.TIME_OUT_OF_TOLERANCE
NO_EVENT = RefusedReason.NOT_AN_EVENT

SIGNATURES = [
    pytest.param(None, MISSING, id="none"),
    pytest.param("", MISSING, id="empty"),
    pytest.param("garbage", MALFORMED, id="garbage"),
    pytest.param(f"v1={V1}", MALFORMED, id="no time"),
    pytest.param(f"t={START},t={START},v1={V1}", MALFORMED, id="two times"),
    pytest.param(f"t=,v1={V1}", MALFORMED, id="empty time"),
    pytest.param(f"t=-{START},v1={V1}", MALFORMED, id="negative time"),
    pytest.param(f"t={START}.0,v1={V1}", MALFORMED, id="time with a fraction"),
    pytest.param(f"t={START}=,v1={V1}", MALFORMED, id="time with more behind it"),
    pytest.param(f"t={'9' * 5000},v1={V1}", MALFORMED, id="endless time"),
    pytest.param(f"t={START},v1={V1},v1=\u00e9", MALFORMED, id="not ASCII"),
    pytest.param(f"t={START},v1=\udcff", MALFORMED, id="not even text"),
    pytest.param(f"t={START}", WRONG, id="no signature"),
    pytest.param(f"t={START},v0={V1}", WRONG, id="v0 only"),
    pytest.param(f"t={START},v1=", WRONG, id="empty signature"),
    pytest.param(f"t={START},v1={V1[:-1]}", WRONG, id="cut signature"),
    pytest.param(f"t={START},v1={V1.upper()}", WRONG, id="upper case"),
    pytest.param(f"t={START + 1},v1={V1}", WRONG, id="another time"),
    pytest.param(signed(BODY, START, OTHER_SECRET), WRONG, id="another secret"),
    pytest.param(signed(BODY, OLD), UNTIMELY, id="old"),
    pytest.param(signed(BODY, START + 301), UNTIMELY, id="future"),
    pytest.param(signed(BODY, 0), UNTIMELY, id="1970"),
    pytest.param(signed(BODY, 999_999_999_999), UNTIMELY, id="far future"),
]


@pytest.mark.parametrize(("signature", "reason"), SIGNATURES)
def test_an_untrue_signature_is_refused(
    reader: WebhookReader, signature: str | None, reason: RefusedReason
) -> None:
    """Nobody but Stripe, and not even Stripe's own words of another day."""
    with pytest.raises(WebhookRefused) as refused:
        reader.hint_from(BODY, signature)

    assert refused.value.reason is reason
    assert (reader.counts.refused, reader.counts.matched) == ({reason: 1}, [0, 0])


def test_an_old_delivery_cannot_be_dressed_up_as_new(reader: WebhookReader) -> None:
    """The SDK verifies the first time it finds, so no other one may be compared with the clock."""
    old = signed(BODY, OLD).partition(",")[2]

    with pytest.raises(WebhookRefused) as refused:
        reader.hint_from(BODY, f"t={OLD}=,t={START},{old}")

    assert refused.value.reason is MALFORMED


TRUE_SIGNATURES: list[Any] = [
    pytest.param(signed(BODY, START), [1, 0], id="now"),
    pytest.param(signed(BODY, START - 300), [1, 0], id="300 s old"),
    pytest.param(signed(BODY, START + 300), [1, 0], id="300 s ahead"),
    pytest.param(signed(BODY, START, OLD_SECRET), [0, 1], id="the old secret"),
    pytest.param(f"t={START},v1={'0' * 64},v1={V1}", [1, 0], id="several, the last one true"),
    pytest.param(f"t={START},v0={'0' * 64},v1={V1},v2=x", [1, 0], id="with other schemes"),
    pytest.param(f"v1={V1},t={START}", [1, 0], id="time last"),
]


@pytest.mark.parametrize(("signature", "matched"), TRUE_SIGNATURES)
def test_a_true_signature_is_believed_and_its_secret_counted(
    reader: WebhookReader, signature: str, matched: list[int]
) -> None:
    """Once the old secret matches no more, it can be taken out of the settings."""
    read = reader.hint_from(BODY, signature)

    assert isinstance(read, Hint)
    assert reader.counts.matched == matched


@pytest.mark.parametrize("seconds", [-301, 301])
def test_the_time_is_our_own_clocks(
    reader: WebhookReader, clock: ManualClock, seconds: int
) -> None:
    """What was timely is no more once our clock has moved, whatever the machine's clock says."""
    signature = signed(BODY, START)
    reader.hint_from(BODY, signature)

    clock.advance(seconds)

    with pytest.raises(WebhookRefused, match="time_out_of_tolerance"):
        reader.hint_from(BODY, signature)


TAMPERED = [
    pytest.param(BODY.replace(b"in_1", b"in_2"), id="another id"),
    pytest.param(BODY + b" ", id="a space more"),
    pytest.param(b"", id="nothing left"),
    pytest.param(b"\xff\xfe", id="not UTF-8"),
]


@pytest.mark.parametrize("body", TAMPERED)
def test_a_tampered_body_is_refused(reader: WebhookReader, body: bytes) -> None:
    """The signature is over the raw bytes, each of them."""
    with pytest.raises(WebhookRefused, match="signature_wrong"):
        reader.hint_from(body, signed(BODY, START))


NOT_EVENTS = [
    pytest.param(b"[]", id="array"),
    pytest.param(b"null", id="null"),
    pytest.param(b'"evt_1"', id="text"),
    pytest.param(b"1", id="number"),
    pytest.param(b"{}", id="empty object"),
    pytest.param(b"", id="empty body"),
    pytest.param(b'{"id": "evt_1"', id="cut"),
    pytest.param(b"[" * 100_000, id="too deep"),
    pytest.param(b'{"created": ' + b"9" * 5000 + b"}", id="endless number"),
    *(
        pytest.param(body_of({**event(), name: value}), id=f"{name} {value!r}"[:30])
        for name, value in [
            ("id", None),
            ("id", 1),
            ("id", ""),
            ("id", "evt 1"),
            ("id", "evt_\u00e9"),
            ("type", None),
            ("type", ["invoice.paid"]),
            ("type", "invoice.\n"),
            ("created", None),
            ("created", "now"),
            ("created", True),
            ("created", -1),
            ("created", 1.5),
            ("created", 10**15),
        ]
    ),
]


@pytest.mark.parametrize("body", NOT_EVENTS)
def test_a_signed_body_that_is_no_event_is_refused(reader: WebhookReader, body: bytes) -> None:
    """It is a mistake that no repeat will mend, and no failure of ours."""
    with pytest.raises(WebhookRefused) as refused:
        reader.hint_from(body, signed(body, START))

    assert refused.value.reason is NO_EVENT
    assert reader.counts.matched == [1, 0]


@pytest.mark.parametrize("version", ["2015-02-18", "2026-10-28.endive", "2031-01-01.x", None, 7])
def test_any_api_version_will_do(reader: WebhookReader, version: Any) -> None:
    """Only ids are read, and those have stood in the same places since events exist."""
    body = body_of(event(api_version=version))

    read = reader.hint_from(body, signed(body, START))

    assert isinstance(read, Hint)


def test_half_a_surrogate_pair_is_no_obstacle(reader: WebhookReader) -> None:
    """A customer may have typed it; JSON can carry it, and Stripe would repeat it for days."""
    subject = rb'{"object": "invoice", "id": "in_1", "description": "\ud83d"}'
    body = BODY.replace(body_of({"object": "invoice", "id": "in_1"}), subject)

    read = reader.hint_from(body, signed(body, START))

    assert isinstance(read, Hint)
    assert read.invoice_id == "in_1"


@pytest.mark.parametrize("secrets", [(), ("",), (SECRET, " ")], ids=["none", "empty", "blank"])
def test_a_reader_without_secrets_is_our_own_mistake(
    clock: ManualClock, secrets: tuple[str, ...]
) -> None:
    """The settings leave no room for it."""
    with pytest.raises(AssertionError):
        WebhookReader(secrets, now=clock.now, account="acct_1", livemode=False)


def test_a_reader_tells_no_secret(reader: WebhookReader) -> None:
    """Neither by itself nor by what it raises."""
    with pytest.raises(WebhookRefused) as refused:
        reader.hint_from(BODY, f"t={START},v1=wrong")

    told = repr(reader) + repr(reader.counts) + repr(refused.value) + str(refused.value.__cause__)
    assert "whsec" not in told


IGNORED: list[Any] = [
    pytest.param({"type": "customer.tax_id.updated"}, "type_not_followed", id="type"),
    pytest.param({"type": "invoice.upcoming"}, "type_not_followed", id="no invoice yet"),
    pytest.param(
        {"type": "v2.core.account[requirements].updated", "created": "2026-11-20T10:00:00Z"},
        "type_not_followed",
        id="thin event",
    ),
    pytest.param({"livemode": True}, "other_livemode", id="live"),
    pytest.param({"account": "acct_2"}, "other_account", id="connected account"),
    pytest.param({"data": {}}, "names_nothing", id="no object"),
    pytest.param({"data": None}, "names_nothing", id="no data"),
    pytest.param({"type": "payment_intent.canceled"}, "names_nothing", id="no intent"),
]


@pytest.mark.parametrize(("given", "reason"), IGNORED)
def test_what_is_none_of_ours_is_counted_by_reason(
    reader: WebhookReader, given: dict[str, Any], reason: str
) -> None:
    """It is true all the same, so it is acknowledged."""
    body = body_of({**event(), **given})

    read = reader.hint_from(body, signed(body, START))

    assert isinstance(read, Ignored)
    assert (read.reason, reader.counts.ignored) == (reason, {reason: 1})
