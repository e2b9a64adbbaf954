"""Records as text: nothing is lost, what was written once is read for ever, the rest is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.journal.record_store import decoded_record, encoded_record
from gateway.backends.journal.records import State, WriteRecord
from gateway.backends.supplier import Found
from gateway.events.log import LogEntry, decoded_entry, encoded_entry
from schema.ports import (
    AttachPayment,
    CreateCreditNote,
    CreditNoteDraft,
    DetachPayment,
    Outcome,
    OutOfBandPayment,
    VoidCreditNote,
)
from tests.events.entries import entry
from tests.journal.records import DETACHED, record

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
MAYBE = st.none() | TEXT
AMOUNT = st.integers(-(2**53), 2**53)
MAYBE_AMOUNT = st.none() | AMOUNT
ENTRIES = st.builds(
    LogEntry,
    customer_id=MAYBE,
    invoice_payment_id=MAYBE,
    payment_intent_id=MAYBE,
    source_event_id=MAYBE,
    tenant=MAYBE,
    idempotency_key=MAYBE,
    dedupe=st.lists(TEXT, max_size=3).map(tuple),
    occurred_at=AMOUNT,
    type=TEXT,
    position=st.integers(0, 10**15),
)
FACTS = st.builds(
    OutOfBandPayment,
    amount=AMOUNT,
    paid_at=AMOUNT,
    reference=MAYBE,
    metadata=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)
COMMANDS = st.one_of(
    st.builds(
        AttachPayment,
        payment_intent_id=MAYBE,
        out_of_band=st.none() | FACTS,
        amount_requested=MAYBE_AMOUNT,
    ),
    st.builds(DetachPayment, if_amount_paid=MAYBE_AMOUNT),
    st.builds(
        CreateCreditNote,
        draft=st.builds(CreditNoteDraft, amount=AMOUNT, memo=MAYBE, refund=MAYBE_AMOUNT),
    ),
    st.builds(VoidCreditNote),
)
OUTCOMES = st.one_of(st.none(), *(st.builds(outcome) for outcome in get_args(Outcome)))
RECORDS = st.builds(
    WriteRecord,
    tenant=TEXT,
    key=TEXT,
    command=COMMANDS,
    outcome=OUTCOMES,
    recorded_at=AMOUNT,
    attempt=st.integers(1, 9),
    state=st.sampled_from(State),
    found=st.builds(Found, payment_id=MAYBE, payment_ids=st.lists(TEXT, max_size=3).map(tuple)),
    sent_at=MAYBE_AMOUNT,
    customers=st.none() | st.lists(TEXT, max_size=3).map(tuple),
)


@given(written=ENTRIES)
@settings(print_blob=True, deadline=None)
def test_an_entry_is_read_back_as_it_was(written: LogEntry) -> None:
    """Whatever a field holds, and at the position that the log says."""
    assert decoded_entry(encoded_entry(written), written.position) == written


@given(written=RECORDS)
@settings(print_blob=True, deadline=None)
def test_a_write_is_read_back_as_it_was(written: WriteRecord) -> None:
    """After a restart the write is sent again from its record: every field of every command."""
    read = decoded_record(encoded_record(written))

    assert read == written
    assert type(read.outcome) is type(written.outcome)


def test_an_entry_of_version_1_is_read_by_every_later_version() -> None:
    """An update must not lose the log: if this fails, raise the version and read both."""
    text = (
        '{"v":1,"kind":"LogEntry","type":"INVOICE_CHANGED","raw_type":"invoice.updated",'
        '"origin":"WEBHOOK","occurred_at":1767225600,"account":"acct_1","livemode":false,'
        '"invoice_id":"in_1","customer_id":"cus_acme","dedupe":["event:1"],"position":0}'
    )

    expected = replace(entry("event:1"), customer_id="cus_acme", position=7)
    assert decoded_entry(text, 7) == expected


def test_a_write_of_version_1_is_read_by_every_later_version() -> None:
    """An update between a write and its retry must not lose the record."""
    text = (
        '{"v":1,"kind":"WriteRecord","tenant":"operator","operation":"detach","key":"key-1",'
        '"input_hash":"hash-1","command":{"kind":"DetachPayment","invoice_id":"in_1",'
        '"payment_intent_id":"pi_1","idempotency_key":"key-1"},"recorded_at":1767225600,'
        '"attempt":1,"outcome":{"kind":"Detached","invoice_id":"in_1",'
        '"invoice_payment_id":"inpay_1","customer_id":"cus_1","payment_intent_id":"pi_1",'
        '"replayed":false},"refused":false,"announced":false}'
    )

    assert decoded_record(text) == record(
        state=State.DONE, outcome=DETACHED, sent_at=1767225600, tried_at=1767225600
    )


def test_a_write_of_version_2_is_read_by_every_later_version() -> None:
    """An update between a write and its retry must not lose the record."""
    text = (
        '{"v":2,"kind":"WriteRecord","tenant":"operator","operation":"detach","key":"key-1",'
        '"input_hash":"hash-1","command":{"kind":"DetachPayment","invoice_id":"in_1",'
        '"payment_intent_id":"pi_1","idempotency_key":"key-1"},"recorded_at":1767225600,'
        '"attempt":1,"state":"sending","version":3,"owner":"owner_1","leased_until":1767225660,'
        '"sent_at":1767225600,"tried_at":1767225601,"found":{"kind":"Found",'
        '"customer_id":"cus_1","payment_id":"inpay_1","payment_ids":["inpay_1"]}}'
    )

    assert decoded_record(text) == record(
        state=State.SENDING,
        version=3,
        owner="owner_1",
        leased_until=1767225660,
        sent_at=1767225600,
        tried_at=1767225601,
        found=Found("cus_1", "inpay_1", ("inpay_1",)),
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("7", id="a number"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="no version"),
        pytest.param('{"v":1}', id="no kind"),
        pytest.param('{"v":1,"kind":"Path"}', id="a foreign kind"),
        pytest.param('{"v":1,"kind":"LogEntry","wings":2}', id="a foreign field"),
        pytest.param('{"v":1,"kind":"LogEntry","type":"PAID"}', id="without what it must have"),
        pytest.param('{"v":2,"kind":"LogEntry"}', id="a newer version"),
        pytest.param(b"\x80\x04N.", id="a pickle"),
    ],
)
def test_a_foreign_text_is_refused(text: str | bytes) -> None:
    """The store is not to be had then, and nobody is shown half a record."""
    with pytest.raises(OSError, match="the store holds a record"):
        decoded_entry(text, 1)
