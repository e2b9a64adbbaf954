"""What a person may do about a write that no machine can decide any more.

It moves the record and leaves the rest to the gateway, which announces what was done. Whether the
person is right is for whoever asks to check before.
"""

from __future__ import annotations

from gateway.backends.audit_trail import AuditTrail
from gateway.backends.journal.records import JournalStore, WriteRecord, may, moved
from gateway.backends.journal.states import Actor, Move
from schema.ports import Outcome, RefusalCode, Refused

RESOLVED_BY = "invoice-gateway writes"
"""Who asked, in the audit trail."""


class ResolveRefused(Exception):
    """The write cannot be resolved like this; the message says why, and what can be done."""


class Resolving:
    """The writes of one journal, for a person."""

    def __init__(self, store: JournalStore, trail: AuditTrail) -> None:
        self._store = store
        self._trail = trail

    async def open_writes(self) -> list[WriteRecord]:
        """Writes without an end, oldest first. Raises `OSError`."""
        return await self._store.open_records()

    async def write(self, stripe_key: str) -> WriteRecord:
        """The write that carried this key, or whose key begins so, where it is open.

        Raises `ResolveRefused`, `OSError`.
        """
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

    async def confirm(self, record: WriteRecord, outcome: Outcome) -> WriteRecord:
        """It was done: repeats answer this outcome, and the gateway announces it.

        Raises `ResolveRefused`, `OSError`.
        """
        return await self._resolved(record, Move.CONFIRM, outcome)

    async def deny(self, record: WriteRecord) -> WriteRecord:
        """It was not done: its idempotencyKey may try again. Raises as `confirm`."""
        return await self._resolved(record, Move.DENY, None)

    async def _resolved(
        self, record: WriteRecord, move: Move, outcome: Outcome | None
    ) -> WriteRecord:
        if not may(record, move):
            raise ResolveRefused(
                f"write {record.stripe_key} is {record.state}, and only an undecidable one is for "
                "a person to resolve: the gateway goes on with what is open by itself"
            )
        wanted = moved(record, move, Actor.PERSON, outcome=outcome)
        if await self._store.swap(wanted, version=record.version) is not None:
            raise ResolveRefused(
                f"write {record.stripe_key} has changed meanwhile: look at it again"
            )
        self._trail.record(
            tenant=record.tenant,
            caller=RESOLVED_BY,
            command=record.command,
            ended=outcome or _was_not_done(),
        )
        return wanted


def _was_not_done() -> Refused:
    return Refused(RefusalCode.UPSTREAM_REJECTED, "resolved_as_not_done", "resolved by a person")
