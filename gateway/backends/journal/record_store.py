"""Where the journal's records live: the port of its stores, one in memory, and records as text.

Version 2 of the text has states. What version 1 left behind is read as what it is worth: a write
without an end may have been done, as nobody noted then whether it had gone out.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol, get_args

import orjson

from gateway.backends.journal.records import Name, State, WriteRecord
from gateway.backends.supplier import Found
from gateway.storage import RecordUnreadable
from gateway.storage.record_codec import RecordCodec
from schema.changing import changed
from schema.ports import Command, CreditNoteDraft, Outcome, OutOfBandPayment, Why

log = logging.getLogger(__name__)

RECORDS_MAX = 100_000
"""A full journal refuses writes; it never forgets one early."""

KEPT_SECONDS = 30 * 24 * 3600
"""Stripe's own keys live 24 hours; the journal outlives them. What is older goes when its room is
needed, and not before: a clock that was wrong once must not empty the journal."""


class JournalStore(Protocol):
    """Where records live. Every method raises `OSError` when the store is not to be had; then it
    may have happened all the same, and a repeat tells."""

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        """Keep the record durably, unless there is one: then that one is answered instead. Raises
        `JournalFull`, but for a step of a write that was let in; only what is finished and old is
        ever forgotten to make room."""
        ...

    async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
        """Put the record durably in place of the one with this version, in one step: None where
        that was done, else the present record. Raises `RecordGone` where there is none."""
        ...

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        """The record whose write carried this key."""
        ...

    async def open_records(self) -> list[WriteRecord]:
        """Records that are open, oldest first. One that cannot be read holds up no other."""
        ...


class JournalFull(OSError):
    """No further write can be recorded."""


class RecordGone(OSError):
    """The store has lost a record that was begun."""

    def __init__(self, stripe_key: str) -> None:
        super().__init__(f"the journal no longer holds write {stripe_key}")


class MemoryJournalStore:
    """The journal of a process without a store: gone with the process."""

    def __init__(self, now: Callable[[], int], *, records_max: int = RECORDS_MAX) -> None:
        self._now = now
        self._records_max = records_max
        self._records: OrderedDict[Name, WriteRecord] = OrderedDict()
        self._by_stripe_key: dict[str, Name] = {}

    async def begin(self, record: WriteRecord) -> WriteRecord | None:
        if record.name in self._records:
            return self._records[record.name]
        if len(self._records) >= self._records_max:
            self._make_room()
        if len(self._records) >= self._records_max and record.whole is None:
            raise JournalFull("the write journal is full")
        self._put(record)
        return None

    async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
        present = self._records.get(record.name)
        if present is None:
            raise RecordGone(record.stripe_key)
        if present.version != version:
            return present
        self._put(record)
        if present.recorded_at != record.recorded_at:
            self._records.move_to_end(record.name)  # the oldest stand first; this one is young
        return None

    async def by_stripe_key(self, stripe_key: str) -> WriteRecord | None:
        name = self._by_stripe_key.get(stripe_key)
        return None if name is None else self._records[name]

    async def open_records(self) -> list[WriteRecord]:
        return [record for record in self._records.values() if record.is_open]

    def _put(self, record: WriteRecord) -> None:
        self._records[record.name] = record
        self._by_stripe_key[record.stripe_key] = record.name

    def _make_room(self) -> None:
        """Forget the oldest that is finished, if it is old enough."""
        horizon = self._now() - KEPT_SECONDS
        old = (one for one in self._records.values() if not one.is_open)
        record = next(old, None)
        if record is None or record.recorded_at >= horizon:
            return
        del self._records[record.name]
        for attempt in range(1, record.attempt + 1):
            self._by_stripe_key.pop(changed(record, attempt=attempt).stripe_key, None)


_PARTS = [Found, *get_args(Command), OutOfBandPayment, CreditNoteDraft, *get_args(Outcome), Why]
_CODEC = RecordCodec(version=2, kinds=[WriteRecord, *_PARTS])

encoded_record = _CODEC.encoded


def decoded_record(text: str | bytes) -> WriteRecord:
    """The record behind the text. Raises `RecordUnreadable`."""
    whole = text.encode() if isinstance(text, str) else text
    record: WriteRecord = _CODEC.decoded(_upgraded(whole))
    return record


def readable(texts: Iterable[str | bytes]) -> list[WriteRecord]:
    """Those of this release: one that a newer release has written, or that is damaged, is told and
    left to whoever can."""
    found = []
    for text in texts:
        try:
            found.append(decoded_record(text))
        except RecordUnreadable as unreadable:
            log.warning("an open write is passed over: %s", unreadable)
    return found


def _upgraded(text: bytes) -> bytes:
    """Our own texts begin with their version."""
    if not text.startswith(b'{"v":1,'):
        return text
    try:
        plain = orjson.loads(text)
    except ValueError:
        return text  # The codec has the words for it.
    refused, announced = plain.pop("refused", False), plain.pop("announced", False)
    if refused:
        state = State.REFUSED
    elif plain.get("outcome") is None:
        state = State.IN_DOUBT
    else:
        state = State.ANNOUNCED if announced else State.DONE
    sent_at = plain.get("recorded_at")
    return orjson.dumps({**plain, "v": 2, "state": state, "sent_at": sent_at, "tried_at": sent_at})
