"""The two ports through which invoices and payments are read and written.

The docstrings are the contract suite in prose; `tests/contract` is the same in code and runs over
every backend.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Protocol

from schema.ports.metering import Meter
from schema.ports.needs import Loaded, Needs
from schema.ports.viewer import Viewer
from schema.ports.writing import Command, Outcome


class Capability(enum.StrEnum):
    ATTACH_PAYMENT_INTENT = "ATTACH_PAYMENT_INTENT"
    ATTACH_PAYMENT_RECORD = "ATTACH_PAYMENT_RECORD"
    ATTACH_OUT_OF_BAND = "ATTACH_OUT_OF_BAND"
    DETACH = "DETACH"
    CREDIT_NOTE = "CREDIT_NOTE"
    EVENT_REPLAY = "EVENT_REPLAY"


class BackendKind(enum.StrEnum):
    STRIPE = "STRIPE"
    MEMORY = "MEMORY"


@dataclass(frozen=True, slots=True)
class BackendDescription:
    """What a deployment is. `account` names the Stripe account in keys and log entries."""

    kind: BackendKind
    account: str
    livemode: bool
    stripe_api_version: str | None
    capabilities: frozenset[Capability]


class Reads(Protocol):
    """Invoices and their payments as they are.

    Shows a viewer nothing that is not theirs: what belongs to another customer is NOT_FOUND,
    exactly like what does not exist.
    """

    def describe(self) -> BackendDescription:
        """What this deployment is and can do. Never blocks."""
        ...

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        """Answer all needs, with the fewest upstream calls it can.

        The answer has the shape of the needs. What could not be fetched is a `Failed` in its
        place and never an exception from here. Safe to repeat; two calls may see different
        states, but never one older than a write or an event that was announced before. `known`
        is an outcome's `known`: what it holds may be as old as that write, and is not asked for
        again.
        """
        ...


class Writes(Protocol):
    """What callers change. What belongs to another customer is NOT_FOUND, as for reads."""

    async def write(self, viewer: Viewer, command: Command, meter: Meter) -> Outcome:
        """Do it once.

        Raises `Refused`. Writes on one invoice end as some serial order of them. A repeat with
        the same key and input answers the first outcome with `replayed`, and changes nothing;
        with other input it is refused with IDEMPOTENCY_KEY_REUSED. A payment that is attached
        counts at once if it has already succeeded; a paid invoice reopens if detaching brings a
        balance back; a credit note first lowers the balance, the rest is settled as asked.
        """
        ...
