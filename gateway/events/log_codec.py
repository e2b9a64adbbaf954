"""Log entries as text for a durable log: the one place, for all of them.

The position is not part of the text: the store gives it, and it is the entry's place there.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.events.log import LogEntry
from gateway.storage.codec import RecordCodec

_CODEC = RecordCodec(version=1, kinds=[LogEntry])


def encoded_entry(entry: LogEntry) -> str:
    return _CODEC.encoded(replace(entry, position=0))


def decoded_entry(text: str | bytes, position: int) -> LogEntry:
    """The entry at its place. Raises `RecordUnreadable`."""
    entry: LogEntry = _CODEC.decoded(text)
    return replace(entry, position=position)
