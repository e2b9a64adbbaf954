"""Log entries as text for a durable log: the one place, for all of them.

The position is not part of the text: the store gives it, and it is the entry's place there. What
cannot be read stays a place in the log, and is told of once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from gateway.events.log import LogEntry, Logged, Unreadable
from gateway.storage import RecordUnreadable
from gateway.storage.record_codec import RecordCodec

log = logging.getLogger(__name__)

NOTED_MAX = 10_000
"""Unreadable places that are remembered as told of; what is read again after more is told again."""

_CODEC = RecordCodec(version=1, kinds=[LogEntry])


def encoded_entry(entry: LogEntry) -> str:
    return _CODEC.encoded(replace(entry, position=0))


def decoded_entry(text: str | bytes, position: int) -> LogEntry:
    """The entry at its place. Raises `RecordUnreadable`."""
    entry: LogEntry = _CODEC.decoded(text)
    return replace(entry, position=position)


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
