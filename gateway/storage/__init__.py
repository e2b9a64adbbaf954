"""What the durable log and the write journal share: one SQLite file, or one Redis.

Knows tables of bytes and text, and neither events nor writes: those are translated where they are
kept. Imports nothing else of the gateway. A store is refused at start with a cure, or is not to be
had for the moment; both are said here.
"""

from __future__ import annotations


class StoreRefused(Exception):
    """The store cannot be used as it is; the message says what is wrong and how to mend it."""


class StoreInUse(StoreRefused):
    """Another process owns the store."""


class StoreUnavailable(OSError):
    """The store is not to be had now; it may be in a moment."""


class RecordUnreadable(OSError):
    """What the store holds was not written by this version of the gateway.

    `version` is what it says of itself; None where that is no number.
    """

    def __init__(self, message: str, *, version: object = None) -> None:
        super().__init__(message)
        self.version = version if isinstance(version, int) else None
