"""The event log: one total order of entries, append-only, with dedupe in the same step.

Cursors are opaque and carry the log's epoch: a cursor of another log is recognised as such. The
log stores facts and ids, never objects, and knows neither viewers nor subscribers.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import enum
import logging
import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from gateway.storage import RecordUnreadable
from gateway.storage.record_codec import RecordCodec
from schema.changing import changed
from schema.ports import ErrorCode, Failed

log = logging.getLogger(__name__)

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Retention:
    """By count and by age, whichever comes first; the newest entry always stays, so that the log
    knows how far it has come."""

    entries_max: int = 1_000_000
    """About 600 MB of a disk."""
    age_seconds_max: int = 30 * DAY_SECONDS
    """As far back as Stripe's own list of events reaches."""

    @property
    def names_seconds(self) -> int:
        """A fact is known for 30 days more than its entry: catch-up may bring it as late."""
        return self.age_seconds_max + 30 * DAY_SECONDS


POSITIONS_KEPT_MAX = 128
"""As they stand in cursors: each query asks for the newest, each event of a page for its own."""

AT_ONCE_MAX = 1_000
"""Entries, and names, that one step forgets at most, so that no append waits for a long one."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One fact about one invoice. `position` is 0 until the log has given it one.

    `dedupe` names the fact: an entry that shares any name with an earlier one is the same fact.
    `tenant` and `idempotency_key` are of the caller whose write caused it, if one of ours did.
    """

    type: str
    raw_type: str
    origin: str
    occurred_at: int
    account: str
    livemode: bool
    invoice_id: str
    customer_id: str | None = None
    invoice_payment_id: str | None = None
    payment_intent_id: str | None = None
    source_event_id: str | None = None
    tenant: str | None = None
    idempotency_key: str | None = field(default=None, repr=False)
    dedupe: tuple[str, ...] = ()
    position: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The place of an entry that this release cannot read, as a newer one has written it; the
    version of its text, if it has one."""

    position: int
    version: int | None = None


Logged = LogEntry | Unreadable
"""What stands at one position of a log."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a log holds: positions `first` to `last`; both 0 while it is empty. `forgotten` is the
    last position that retention has removed, 0 if none."""

    first: int
    last: int
    forgotten: int


class LogReplaced(OSError):
    """Redis no longer holds the log that this process has opened, or an older state of it."""

    def __init__(self) -> None:
        super().__init__(
            "the event log in Redis is not the one that this process opened, or has lost its "
            "newest entries: restart the gateway, so that its readers are told of the gap"
        )


class Claim(enum.Enum):
    """Who takes in a fact: nobody any more, the owner that asks, or another one just now."""

    KNOWN = "known"
    OURS = "ours"
    OTHERS = "others"


CLAIM_SECONDS = 20
"""How long a claim holds, as its owner may be gone: as long as a webhook is waited for."""


class EventLog(Protocol):
    """An append-only log with one writer order.

    `append` blocks until the entry is durable and answers it with its position, or None where
    the fact is known already; a repeat is therefore harmless. `read` answers what stands after a
    position in log order, at most `limit`. Both raise `OSError` when the store is not to be had;
    nothing is half done then. Positions are dense: where `read` leaves one out, it was removed. An
    entry that cannot be read keeps its place, and its names stay known.

    `knows` answers whether a fact with any of these names was appended; all of them are its names
    from then on, as they are after an `append` that found it known. It appends nothing.

    `claim` asks for the right to take a fact in, so that of several replicas one asks Stripe. A
    claim ends by itself, or when it is released; `append` needs none.
    """

    epoch: str

    async def append(self, entry: LogEntry) -> LogEntry | None: ...

    async def knows(self, names: Sequence[str]) -> bool: ...

    async def claim(self, names: Sequence[str], owner: str) -> Claim: ...

    async def release(self, names: Sequence[str], owner: str) -> None: ...

    async def read(self, after: int, limit: int) -> Sequence[Logged]: ...

    async def bounds(self) -> Bounds: ...


@lru_cache(maxsize=POSITIONS_KEPT_MAX)
def encode_position(epoch: str, position: int) -> str:
    return base64.urlsafe_b64encode(f"{epoch}.{position}".encode()).decode().rstrip("=")


def decode_position(cursor: str) -> tuple[str, int]:
    """Epoch and position behind a cursor. Raises `Failed` BAD_USER_INPUT."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    match = re.fullmatch(r"([A-Za-z0-9]{1,32})\.(\d{1,18})", text, re.ASCII)
    if match is None:
        raise Failed(
            ErrorCode.BAD_USER_INPUT, "after must be a cursor that this gateway has given out"
        )
    return match[1], int(match[2])


def newer_cursor(after: str, resumed: str, epoch: str, *, end: int) -> str:
    """The one of two that its reader had last, in the log of this epoch that ends there.

    A browser's EventSource comes back to a URL with the `after` of its first visit and says in
    `Last-Event-ID` where it is. Of another log is what came first; what cannot be read is not ours.
    An `after` beyond the end was told as a gap at the first visit, and would be at every other.
    Raises `Failed` BAD_USER_INPUT for an `after` that is no cursor.
    """
    where = decode_position(after)
    try:
        there = decode_position(resumed)
    except Failed:
        return after
    if (where[0] == epoch) != (there[0] == epoch):
        return after if where[0] == epoch else resumed
    return after if where[0] == epoch and there[1] < where[1] <= end else resumed


ENTRIES_MAX = 100_000
"""About 60 MB; the oldest entries go first, and cursors before them meet a gap."""
NAMES_AN_ENTRY = 6
"""Names that are kept for each entry that may be held: more than a fact has, on the average."""


class MemoryEventLog:
    """The log of a process without a store: bounded, gone with the process."""

    def __init__(self, epoch: str, *, entries_max: int = ENTRIES_MAX) -> None:
        self.epoch = epoch
        self._entries: deque[LogEntry] = deque()
        self._names: OrderedDict[str, None] = OrderedDict()
        self._claims: dict[str, tuple[str, float]] = {}
        self._entries_max = entries_max
        self._last = 0

    async def append(self, entry: LogEntry) -> LogEntry | None:
        if await self.knows(entry.dedupe):
            return None
        self._note(entry.dedupe)
        self._last += 1
        placed = changed(entry, position=self._last)
        self._entries.append(placed)
        if len(self._entries) > self._entries_max:
            self._entries.popleft()
        return placed

    async def knows(self, names: Sequence[str]) -> bool:
        is_known = any(name in self._names for name in names)
        if is_known:
            self._note(names)
        return is_known

    async def claim(self, names: Sequence[str], owner: str) -> Claim:
        if await self.knows(names):
            return Claim.KNOWN
        now = asyncio.get_running_loop().time()
        held = (self._claims.get(name, (owner, 0.0)) for name in names)
        if any(other != owner and until > now for other, until in held):
            return Claim.OTHERS
        self._claims.update(dict.fromkeys(names, (owner, now + CLAIM_SECONDS)))
        return Claim.OURS

    async def release(self, names: Sequence[str], owner: str) -> None:
        for name in names:
            if self._claims.get(name, ("",))[0] == owner:
                del self._claims[name]

    def _note(self, names: Sequence[str]) -> None:
        for name in names:
            self._names[name] = None
        while len(self._names) > NAMES_AN_ENTRY * self._entries_max:
            self._names.popitem(last=False)

    async def read(self, after: int, limit: int) -> list[LogEntry]:
        if not self._entries:
            return []
        start = max(0, after + 1 - self._entries[0].position)
        stop = min(len(self._entries), start + limit)
        return [self._entries[at] for at in range(start, stop)]

    async def bounds(self) -> Bounds:
        first = self._entries[0].position if self._entries else 0
        return Bounds(first, self._last, first - 1 if first else 0)


NOTED_MAX = 10_000
"""Unreadable places that are remembered as told of; what is read again after more is told again."""

_CODEC = RecordCodec(version=1, kinds=[LogEntry])


def encoded_entry(entry: LogEntry) -> str:
    """The entry as text, without its position: that is its place, and the store gives it."""
    return _CODEC.encoded(changed(entry, position=0))


def decoded_entry(text: str | bytes, position: int) -> LogEntry:
    """The entry at its place. Raises `RecordUnreadable`."""
    entry: LogEntry = _CODEC.decoded(text)
    return changed(entry, position=position)


def logged(text: str | bytes, position: int) -> Logged:
    """What stands at this place, readable or not."""
    try:
        return decoded_entry(text, position)
    except RecordUnreadable as trouble:
        return Unreadable(position, trouble.version)


class UnreadableCount:
    """How many entries of a log could not be read. Each is warned of once, however many read it."""

    def __init__(self) -> None:
        self.count = 0
        self._noted: dict[int, None] = {}

    def noting(self, batch: Iterable[Logged]) -> list[Logged]:
        """The batch, its unreadable entries counted."""
        read = list(batch)
        for entry in read:
            if isinstance(entry, Unreadable) and entry.position not in self._noted:
                self._note(entry)
        return read

    def _note(self, entry: Unreadable) -> None:
        self.count += 1
        self._noted[entry.position] = None
        if len(self._noted) > NOTED_MAX:
            del self._noted[next(iter(self._noted))]
        log.warning(
            "the event log holds an entry that this release cannot read, at position %d, of "
            "version %s: readers are told of a gap",
            entry.position,
            entry.version,
        )
