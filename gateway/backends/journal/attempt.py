"""One try of one recorded write: every word about it is put in the record, by compare-and-set.

Whoever owns the record makes its moves here; a move that meets another owner's record is
`Overtaken`, and nothing is sent then. It decides what the record says, not what a caller is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.backends.journal.record_store import JournalStore
from gateway.backends.journal.records import Actor, Move, State, WriteRecord, may, moved
from gateway.backends.journal.refusals import not_recorded
from gateway.backends.supplier import NOTHING, Found, Overtaken
from schema.ports import Outcome

STRIPE_KEY_SECONDS = 23 * 3600
"""Stripe forgets a key after 24 hours at the earliest; with an hour to spare, a repeat is safe."""
AHEAD_SECONDS_MAX = 300
"""How far a replica's clock may be ahead of another's, for the age of a key to be known. The hour
that is spared above is more."""
CLOCK_SECONDS_MAX = 30
"""How far the clocks of replicas may differ without their leases being taken for mistakes."""
TRANSIT_SECONDS = 600
"""What was sent longer ago than this has arrived by now, or never will."""
LEASE_SECONDS = 30
"""How long a try is its owner's alone after each word of it."""
REQUEST_SECONDS = 15
"""What must be left of it for another request, which takes up to 10."""
SWAPS_MAX = 5
"""Moves of one record that may meet: its owner's, and a few of others. More is a mistake."""


class Try:
    """See `gateway.backends.supplier.Attempt`. `record` is what the store holds, as far as known.

    `may_be_recorded_as_out`: the store has been told so, whether or not it has answered. `before`
    comes before each word that something goes out, and may raise as `going_out` does.
    """

    def __init__(
        self,
        store: JournalStore,
        record: WriteRecord,
        now: Callable[[], int],
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.record = record
        self.in_doubt = record.state is State.SENDING
        self.may_be_recorded_as_out = self.in_doubt
        self._store = store
        self._now = now
        self._before = before

    @property
    def may_send(self) -> bool:
        """Whether Stripe still knows the key, if it ever saw it. A key from the future was recorded
        by a clock that was ahead, nobody knows by how much: it may be as old as any."""
        sent_at = self.record.sent_at
        if sent_at is None:
            return True
        return -AHEAD_SECONDS_MAX <= self._now() - sent_at < STRIPE_KEY_SECONDS

    @property
    def sent_at(self) -> int | None:
        return self.record.sent_at

    @property
    def may_be_in_transit(self) -> bool:
        tried_at = self.record.tried_at
        return tried_at is not None and self._now() - tried_at < TRANSIT_SECONDS

    @property
    def found(self) -> Found:
        return self.record.found

    async def going_out(self, found: Found = NOTHING) -> None:
        assert self.may_send, "a key that may be forgotten is not sent"
        if self._before is not None:
            await self._before()
        await self.noted(found)

    async def noted(self, found: Found = NOTHING) -> None:
        """The same for a write that has no key of its own at Stripe, whose steps go out."""
        kept = self.record.found if found == NOTHING else found
        if self._is_covered(kept):
            return
        now = self._now()
        out = moved(
            self.record,
            Move.GO_OUT,
            Actor.OWNER,
            found=kept,
            leased_until=now + LEASE_SECONDS,
            sent_at=now if self.record.sent_at is None else self.record.sent_at,
            tried_at=now,
        )
        self.may_be_recorded_as_out = True
        try:
            present = await self._store.swap(out, version=self.record.version)
        except OSError as trouble:
            raise not_recorded() from trouble
        if present is not None:
            raise Overtaken
        self.record = out

    def _is_covered(self, found: Found) -> bool:
        """Whether the record says already that a request with this knowledge is about to go out."""
        record = self.record
        return (
            record.state is State.SENDING
            and record.tried_at is not None
            and not self.in_doubt
            and found == record.found
            and REQUEST_SECONDS <= record.leased_until - self._now() <= LEASE_SECONDS
        )

    async def ended(self, move: Move, outcome: Outcome | None = None) -> None:
        """Say how it ended: refused, in doubt, given up, or with an outcome. Raises `OSError`, and
        `Overtaken` where another has moved the record on.

        That it was done outranks whatever others have written about this attempt meanwhile, save
        an outcome. An answer of the store may have been lost, so that the version that is met is
        this try's own: it is put until it stands.
        """
        for _ in range(SWAPS_MAX):
            wanted = moved(self.record, move, Actor.OWNER, outcome=outcome)
            present = await self._store.swap(wanted, version=self.record.version)
            if present is None or present == wanted:
                self.record = wanted
                return
            may_go_on = self._may_go_on(present, move)
            self.record = present
            if not may_go_on:
                raise Overtaken
        raise AssertionError("a record is moved by few")

    def _may_go_on(self, present: WriteRecord, move: Move) -> bool:
        is_same = present.attempt == self.record.attempt and may(present, move)
        return is_same and (move is Move.SUCCEED or present.owner == self.record.owner)
