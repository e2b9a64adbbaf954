"""What stands behind both ports: a supplier of objects that can change them as well."""

from __future__ import annotations

from typing import Protocol

from gateway.backends.attempt import FIRST, Attempt
from schema.ports import Command, Meter, Outcome, Reads, Viewer


class Supplier(Reads, Protocol):
    """Reads, and writes that a journal records."""

    async def write(
        self, viewer: Viewer, command: Command, meter: Meter, attempt: Attempt = FIRST
    ) -> Outcome:
        """See `schema.ports.Writes`. The command's key is upstream's, and the attempt is told of
        everything that goes out under it."""
        ...

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
        ...
