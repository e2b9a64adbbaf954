"""The key that Stripe gets: one for each attempt of each write, and never made of arguments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.journal.records import State
from gateway.backends.supplier import Found
from schema.ports import DetachPayment
from tests.journal.records import COMMANDS, DETACHED, record
from tests.support.time_and_ids import START

PRINTABLE = st.characters(exclude_categories=["C", "Z"], include_characters=" ")
KEYS = st.text(PRINTABLE, min_size=1, max_size=255)
"""What the API takes for a caller's key."""
ATTEMPTS = st.fixed_dictionaries(
    {
        "tenant": st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["a", "b"]),
        "operation": st.sampled_from(["attach", "detach", "credit_note"]),
        "key": KEYS | st.sampled_from(["a", "b"]),
        "attempt": st.integers(1, 30),
    }
)


@given(one=ATTEMPTS, other=ATTEMPTS)
@settings(print_blob=True, deadline=None)
def test_two_attempts_have_two_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Tenant, operation, the caller's key and the attempt all count."""
    keys = record(**one).stripe_key, record(**other).stripe_key

    assert (keys[0] == keys[1]) == (one == other)


@given(attempt=ATTEMPTS)
@settings(print_blob=True, deadline=None)
def test_each_part_of_an_attempt_counts(attempt: dict[str, Any]) -> None:
    """Whatever the others are, a change of one alone changes the key."""
    written = record(**attempt)
    changed = [
        replace(written, tenant=written.tenant + "x"),
        replace(written, operation=written.operation + "x"),
        replace(written, key=written.key + "x"),
        replace(written, attempt=written.attempt + 1),
        replace(written, tenant=written.tenant + "x", key=written.key[1:]),
    ]

    assert written.stripe_key not in {one.stripe_key for one in changed}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"key": "k1", "attempt": 1}, {"key": "k", "attempt": 11}, id="key, attempt"),
        pytest.param(
            {"tenant": "a", "key": "x"}, {"tenant": "ax", "key": ""}, id="key to the tenant"
        ),
        pytest.param(
            {"tenant": "a", "operation": "detach"},
            {"tenant": "ade", "operation": "tach"},
            id="tenant, operation",
        ),
        pytest.param(
            {"operation": "attach", "key": "x"}, {"operation": "attachx", "key": ""}, id="operation"
        ),
    ],
)
def test_parts_that_read_alike_when_glued_have_two_keys(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """The parts are told apart, so that no caller can choose a key that runs into another's."""
    keys = {record(**{"key": "k", **fields}).stripe_key for fields in (one, other)}

    assert len(keys) == 2


@given(attempt=ATTEMPTS)
@settings(print_blob=True, deadline=None)
def test_the_key_is_never_made_of_anything_else(attempt: dict[str, Any]) -> None:
    """Attach, detach, attach must work, and a retry must look the same after a restart."""
    written = record(**attempt)

    alike = [
        *(replace(written, command=command) for command in COMMANDS.values()),
        replace(written, command=DetachPayment("in_other", "pi_other", "key-other")),
        replace(written, input_hash="other"),
        replace(written, recorded_at=START + 1),
        replace(written, outcome=DETACHED),
        replace(written, state=State.REFUSED, version=7, found=Found(payment_id="inpay_1")),
    ]

    assert {one.stripe_key for one in alike} == {written.stripe_key}


@given(attempt=ATTEMPTS)
@settings(print_blob=True, deadline=None)
def test_the_key_is_one_that_stripe_takes_and_says_nothing(attempt: dict[str, Any]) -> None:
    """At most 255 characters in a header, always as long, and the caller's key is not in it."""
    key = record(**attempt).stripe_key

    assert key.isascii()
    assert key.replace("_", "").isalnum()
    assert len(key) == len("gw_") + 64


def test_the_key_stays_what_it_is_from_version_to_version() -> None:
    """A gateway that is updated between a write and its retry must send the same key."""
    key = record("key-1", tenant="operator", operation="detach", attempt=1).stripe_key

    assert key == "gw_fc77e81431e7c2a5243c4a100c94656e8e4503747c1116a79dfbab191a083150"
