"""How a store fails: refused at start with a cure, or not to be had for the moment."""

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
