"""What a log line masks, what it leaves readable, and that hostile text cannot hold it up."""

from __future__ import annotations

from dataclasses import dataclass
from time import thread_time

import pytest
from hypothesis import given, settings, strategies

from gateway.logs.redaction import (
    CARD_NUMBERS,
    DEPTH_MAX,
    ITEMS_MAX,
    MASK,
    RULES,
    redact,
    redacted,
)
from tests.support.long_form import examples

CANARY = "c4n4ry" + "x" * 24
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvc2Nhci5leGFtcGxlIn0.c2lnbmF0dXJlLWM0bjRyeQ"

SECRETS = {
    "a secret key": ("sk" + "_live_" + CANARY, CANARY),
    "a restricted key in a sentence": ("no such key rk_test_" + CANARY + ", sorry", CANARY),
    "a publishable key": ("pk_test_" + CANARY, CANARY),
    "a key as Stripe shortens it": ("Invalid API Key: sk_test_********c4n4", "c4n4"),
    "a key behind an escaped line end": ("body\\nsk_test_" + CANARY, CANARY),
    "a webhook secret": ("whsec_" + CANARY + "+/=", CANARY),
    "a client secret": ('{"client_secret": "pi_123_secret_' + CANARY + '"}', CANARY),
    "a client secret by itself": ("seti_1_secret_" + CANARY, CANARY),
    "a token of a caller": ("igw_" + CANARY, CANARY),
    "a JSON web token": (f"token {JWT}", "eyJ"),
    "an Authorization header": (f"Authorization: Bearer {CANARY}", CANARY),
    "an Authorization header as bytes": (f"(b'Authorization', b'Basic {CANARY}')", CANARY),
    "a bearer token": (f"sent bearer {CANARY}", CANARY),
    "a signature header": (f"Stripe-Signature: t=1,v1={CANARY}", CANARY),
    "a signature": ("t=1798761600,v1=" + "0a" * 32, "0a0a"),
    "a cookie": (f"Cookie: a=b; session={CANARY}", CANARY),
    "a password in a URL": (f"redis://:{CANARY}@10.0.0.1:6379/0", CANARY),
    "a user in a URL": (f"rediss://user:{CANARY}/@x@host/0", CANARY),
    "a password as an argument": (f"connect(password='{CANARY}')", CANARY),
    "an e-mail address": ("paid by mary.o'neill+x@mail.example.co.uk today", "example"),
    "an e-mail address in a query string": ("?email=mary%40example.com", "mary"),
    "an e-mail address with letters of others": ("ärger@exämple.de", "rger"),
    "a card number": ("4242424242424242", "4242"),
    "a card number in groups": ("card 4242 4242 4242 4242 was declined", "4242"),
    "a card of fifteen digits": ("3782-822463-10005", "8224"),
}


@pytest.mark.parametrize(("text", "hidden"), SECRETS.values(), ids=SECRETS.keys())
def test_what_looks_like_a_secret_is_masked(text: str, hidden: str) -> None:
    """By itself, inside a sentence, and as the value of a field."""
    assert hidden not in redacted(text)
    assert hidden not in redacted(f"before\n{text}\nafter")
    assert hidden not in str(redact({"event": "x", "said": {"deep": [text]}}))


@pytest.mark.parametrize(
    "text",
    [
        "webhook evt_1MqqbKLt4dXK03v5qaIbiNCC invoice.paid: 2 entries",
        "request req_0123456789abcdef01234567 failed at ['invoice', 'payments', 0]",
        "write gw_" + "0a" * 32 + " ended as UPSTREAM_OUTCOME_UNKNOWN",
        "1798761600123-0 of 999999999999 after 0.1234567890123456 s",
        "GATEWAY_TOKENS_MAX: at most 1000 tokens in one document",
        "http://127.0.0.1:8000/graphql",
    ],
)
def test_what_helps_stays_readable(text: str) -> None:
    """Ids, instants and our own sentences are what a log is for."""
    assert redacted(text) == text


def test_names_of_secrets_mask_their_values() -> None:
    """Whatever the value looks like."""
    event = {"event": "x", "api_key": "abc", "Authorization": "x y", "token": 7, "tokens_max": 9}

    masked = redact(event)

    assert [masked["api_key"], masked["Authorization"], masked["token"]] == [MASK] * 3
    assert masked["tokens_max"] == 9


def test_objects_are_told_by_their_masked_representation() -> None:
    """A renderer would ask for the representation after the masking."""

    @dataclass
    class Customer:
        email: str

    masked = redact({"event": "x", "customer": Customer("mary@example.com")})

    assert "mary" not in masked["customer"]
    assert "Customer" in masked["customer"]


def test_numbers_may_be_card_numbers_and_be_endless() -> None:
    """An integer that prints as a card is one; Python refuses to print endless ones at all."""
    masked = redact({"event": "x", "card": 4242424242424242, "long": 7**9999, "ms": 17})

    assert (masked["card"], masked["long"], masked["ms"]) == (MASK, MASK, 17)


def test_deep_and_wide_values_are_bounded() -> None:
    """A value refers to itself; a list has a million items."""
    knot: list[object] = ["sk_test_" + CANARY]
    knot.append(knot)

    masked = redact({"event": "x", "knot": knot, "wide": ["a"] * 1_000_000})

    assert CANARY not in str(masked)
    assert str(masked["knot"]).count("[") <= 3 * DEPTH_MAX
    assert len(masked["wide"]) == ITEMS_MAX


LONG = 240_000
"""Characters: a quarter is still cut like a text that is endless."""
HOSTILE = {
    unit: unit * (LONG // len(unit))
    for unit in (
        "a", "1", "é", '"', "a.", "a@", "1 ", "-_", "%40", "://", "eyJ.", "sk_", "v1=", "4242 ",
        "token ", "token=", "_secret_", "bearer ", "authorization ", 'password"', "a@a.",
    )
}  # fmt: skip
HOSTILE |= {
    f"{head}, then {tail!r}": head + tail * LONG
    for head, tail in [
        ("://", "a"), ("authorization", " "), ("bearer", " "), ("sk_test_", "."), ("a@", "a"),
        ("a@", "a."), ("token", " "), ("x_secret", "_"),
    ]
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_takes_no_longer_than_its_length(text: str) -> None:
    """Measured against a shorter text of the same kind, as machines differ: four times the text
    may take ten times as long, where a pattern that walks it again and again takes sixteen."""
    quarter = text[: len(text) // 4]

    short, long = min(_seconds(quarter) for _ in range(2)), _seconds(text)

    assert long < 10 * short + 0.05


def _seconds(text: str) -> float:
    """Of this thread alone, whatever else the machine does."""
    begun = thread_time()
    redacted(text)
    return thread_time() - begun


SCRAPS = [
    *("sk_live_", "rk_", "whsec_", "igw_", "_secret_", "eyJ", "v1=", "v0=", "Bearer ", "BASIC "),
    *("Authorization", "set-cookie", "Stripe-Signature", "api_key", "APIKEY", "passwd", "password"),
    *("client-secret", "tokens", ": ", "=", "'", '"', ",", "://", "@", "%40", ".", "-", " ", "\n"),
    *("0a" * 16, "x" * 20, "example", "4242", "424242424242", "3782", "822463", "10005"),
    *("é", "\u017f"),
]


@settings(max_examples=examples(500))
@given(strategies.lists(strategies.sampled_from(SCRAPS), max_size=12).map("".join))
def test_what_has_no_mark_of_a_rule_has_nothing_for_it_to_mask(text: str) -> None:
    """Marks only spare time: the text is what all rules would have made of it."""
    expected = text
    for rule in (*RULES, CARD_NUMBERS):
        expected = rule.pattern.sub(rule.replacement, expected)

    assert redacted(text) == expected
