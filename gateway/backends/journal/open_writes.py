"""What becomes of writes that a crash, a lost answer or a lost log has left open, whoever had begun
them: the gateway settles them by itself, and a person what no machine can decide any more.

A write that may have been done is tried again with its own key, or looked for where that key is
too old; one that was done and not told is announced; one that never went out is closed. While no
writes are taken nothing is sent. Every step may be repeated, and be taken by two replicas at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.backends.guarded import AuditTrail
from gateway.backends.journal.record_store import JournalStore
from gateway.backends.journal.records import (
    OPEN,
    Actor,
    Move,
    Name,
    State,
    WriteRecord,
    may,
    moved,
)
from gateway.backends.journal.writes import JournaledWrites
from schema.ports import Meter, Outcome, RefusalCode, Refused

log = logging.getLogger(__name__)

SETTLED_BY = "gateway"
RESOLVED_BY = "invoice-gateway writes"
"""Who asked, in the audit trail, when nobody waits for the answer any more."""


_WITHOUT_END = frozenset({State.RECORDED, State.SENDING, State.IN_DOUBT})


def writes_are_taken() -> bool:
    """For whoever has no switch."""
    return False


@dataclass(eq=False)
class Settling:
    """One per process."""

    _writes: JournaledWrites
    _store: JournalStore
    _trail: AuditTrail
    _is_read_only: Callable[[], bool] = writes_are_taken
    _counts: Counter[State] = field(default_factory=Counter, init=False)

    def open_writes_by_state(self) -> dict[str, int]:
        """How many writes stood in which state at the last look, for metrics."""
        return {state.value: self._counts[state] for state in OPEN}

    async def settle(self) -> None:
        """Go once through all that is open; one write's trouble holds up no other. Raises
        `OSError` where the journal is not to be had."""
        found = await self._store.open_records()
        self._counts = Counter(record.state for record in found)
        left = _left_to_others(found)
        for record in found:
            if record.name in left:
                continue
            try:
                await self._settle(record)
            except OSError:
                raise
            except Exception:
                log.exception("write %s could not be settled", record.stripe_key)

    async def _settle(self, record: WriteRecord) -> None:
        if self._writes.is_at(record) or self._writes.is_held(record):
            return
        if record.state is State.FREE:
            return
        if record.outcome is not None:
            await self._writes.tell(record, record.outcome)
        elif record.state is State.RECORDED:
            expired = moved(record, Move.EXPIRE, Actor.SETTLING)
            await self._store.swap(expired, version=record.version)
        elif record.state is not State.UNDECIDABLE and not self._is_read_only():
            await self._finish(record)

    async def _finish(self, record: WriteRecord) -> None:
        meter = Meter(record.tenant)
        ended: Outcome | Refused
        try:
            ended = await self._writes.to_its_end(self._writes.finished(record, meter))
        except Refused as refused:
            log.info("write %s ended as %s", record.stripe_key, refused.code)
            ended = refused
        self._trail.record(
            tenant=record.tenant,
            caller=SETTLED_BY,
            command=record.command,
            ended=ended,
            stripe_request_ids=meter.stripe_request_ids,
        )


def _left_to_others(found: list[WriteRecord]) -> set[Name]:
    """Steps of a write that goes on by itself are taken by it; and a write that waits for a person
    to decide about one of its steps has nothing to go on with."""
    going_on = {one.name for one in found if one.state in _WITHOUT_END}
    steps = {one.name for one in found if one.whole in going_on}
    waiting = {one.whole for one in found if one.whole and one.state is State.UNDECIDABLE}
    return steps | waiting


class ResolveRefused(Exception):
    """The write cannot be resolved like this; the message says why, and what can be done."""


@dataclass(eq=False)
class Resolving:
    """The writes of one journal, for a person. It moves the record and leaves the rest to the
    gateway, which announces what was done. Whether the person is right is for whoever asks to check
    before."""

    _store: JournalStore
    _trail: AuditTrail

    async def open_writes(self) -> list[WriteRecord]:
        """Oldest first. Raises `OSError`."""
        return await self._store.open_records()

    async def write(self, stripe_key: str) -> WriteRecord:
        """The write that carried this key, or whose key begins so, where it is open. Raises
        `ResolveRefused`, `OSError`."""
        known = await self._store.by_stripe_key(stripe_key)
        if known is not None:
            return known
        like = [one for one in await self.open_writes() if one.stripe_key.startswith(stripe_key)]
        if len(like) == 1:
            return like[0]
        what = f"{len(like)} open writes have keys" if like else "no write has a key"
        raise ResolveRefused(
            f"{what} that begin with {stripe_key}: see invoice-gateway writes list"
        )

    def check(self, record: WriteRecord, move: Move) -> None:
        """Raises `ResolveRefused` where a person has nothing to say about it."""
        if may(record, move):
            return
        kind = "one that has left a payment free" if move is Move.SEE_TO else "an undecidable one"
        raise ResolveRefused(
            f"write {record.stripe_key} is {record.state}, and only {kind} is for a person to "
            "resolve like this: the gateway goes on with what is open by itself"
        )

    async def confirm(self, record: WriteRecord, outcome: Outcome) -> WriteRecord:
        """It was done: repeats answer this outcome, and the gateway announces it. Raises
        `ResolveRefused`, `OSError`."""
        return await self._resolved(record, Move.CONFIRM, outcome)

    async def deny(self, record: WriteRecord) -> WriteRecord:
        """It was not done: its idempotencyKey may try again. Raises as `confirm`."""
        return await self._resolved(record, Move.DENY, None)

    async def seen_to(self, record: WriteRecord) -> WriteRecord:
        """Somebody has seen to the payment that it has left free: it is over. Raises as
        `confirm`."""
        return await self._resolved(record, Move.SEE_TO, record.outcome)

    async def _resolved(
        self, record: WriteRecord, move: Move, outcome: Outcome | None
    ) -> WriteRecord:
        self.check(record, move)
        wanted = moved(record, move, Actor.PERSON, outcome=outcome)
        if await self._store.swap(wanted, version=record.version) is not None:
            raise ResolveRefused(
                f"write {record.stripe_key} has changed meanwhile: look at it again"
            )
        not_done = Refused(
            RefusalCode.UPSTREAM_REJECTED, "resolved_as_not_done", "resolved by a person"
        )
        self._trail.record(
            tenant=record.tenant,
            caller=RESOLVED_BY,
            command=record.command,
            ended=outcome or not_done,
        )
        return wanted
