"""What is to happen in one history, as plain data: so it can be replayed, shrunk and told.

Times are virtual seconds from the start, multiples of a sixteenth, so that things meet in one
instant again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

TICK = 1 / 16
FOREVER = 1e9

ATTACH_INTENT = "attach intent"
ATTACH_RECORD = "attach record"
OUT_OF_BAND = "attach out of band"
DETACH = "detach"
CREDIT_NOTE = "credit note"
VOID = "void credit note"
REALLOCATE = "reallocate"
KINDS = (ATTACH_INTENT, ATTACH_RECORD, OUT_OF_BAND, DETACH, CREDIT_NOTE, VOID)


@dataclass(frozen=True, slots=True)
class Write:
    """One write under one caller's key, and how its caller goes on.

    The amount is like no other's, so that what Stripe has done can be told by it. `tries` are the
    waits before each repeat, with the gateway that it is sent to; `cancels_after` makes the caller
    of the first try go away. `of` is the write whose intent is detached, or whose note is voided,
    too; None: one of its own that was there before. What is reallocated goes to the next invoice.
    `changes_mind`: the second try asks for something else. `doubles`: the first try is sent to a
    second gateway too, so many seconds later.
    """

    number: int
    kind: str
    invoice: int
    amount: int
    at: float
    gateway: int
    tries: tuple[tuple[float, int], ...] = ()
    cancels_after: float | None = None
    changes_mind: bool = False
    doubles: float | None = None
    of: int | None = None
    is_settled: bool = True
    """Whether an attached intent has succeeded already; otherwise it does later."""
    repeats_success: bool = False
    reads_back: bool = True
    """Whether the mutation asks for what has become of it, which is a read of its own."""

    @property
    def key(self) -> str:
        return f"key-{self.number}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at a boundary: with which calls (`what` begins their label), how, how often.

    `after` matching calls go well first. `at` and `until` bound it in time.
    """

    where: str
    what: str
    kind: str
    after: int = 0
    times: int = 1
    seconds: float = 0.0
    at: float = 0.0
    until: float = FOREVER
    gateway: int | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens at a time: to a gateway, or at Stripe without one.

    `kill` and `stop` (down for `seconds`), `freeze` (stands still for `seconds`), `skew` (the clock
    is off by `amount` for `seconds`), `read_only` (for `seconds`), `leap` (`seconds` pass while
    nothing runs), `settles` (the intent of write `amount` succeeds), `paid_elsewhere` (a burst of
    `amount` payments on invoice `gateway`), `taken_elsewhere` (one of those is detached), `closes`
    (others pay all that remains of invoice `gateway` in the moment in which the intent of write
    `amount` is taken off its invoice).
    """

    kind: str
    at: float
    gateway: int = 0
    seconds: float = 0.0
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """One subscriber: where it listens, since when, and when its connection is cut."""

    gateway: int
    at: float = 0.0
    cuts: tuple[tuple[float, int], ...] = ()
    slow: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One history before it happens. `tempo` scales how long calls take by themselves."""

    seed: int
    gateways: int
    is_shared: bool
    heartbeat_seconds: float
    queue_max: int = 256
    calls_per_second: float = 100.0
    tempo: int = 1
    invoices: int = 1
    webhooks: str = "prompt"
    sends: tuple[str, ...] = ("snapshot",)
    """In which forms Stripe sends events: what it is registered for."""
    unsaid_of_four: int = 0
    """How many thin webhooks do not say which snapshot event tells the same."""
    catch_up_seconds: float = 900.0
    writes: tuple[Write, ...] = ()
    faults: tuple[Fault, ...] = ()
    happenings: tuple[Happening, ...] = ()
    readings: tuple[Reading, ...] = field(default=(Reading(0),))

    def __str__(self) -> str:
        """Only what is not as ever, a line for each part."""
        return "\n".join(_lines(self))

    def target(self, write: Write) -> int:
        """The invoice that a payment is moved to."""
        return (write.invoice + 1) % self.invoices

    @property
    def waits_for_catch_up(self) -> bool:
        """Whether some events may come by it alone."""
        return self.webhooks == "lost" or "snapshot" not in self.sends

    def write(self, number: int) -> Write | None:
        """The write of this number; None for one that the plan does not have."""
        return next((one for one in self.writes if one.number == number), None)


def _lines(plan: Plan) -> Iterator[str]:
    parts = ("writes", "faults", "happenings", "readings")
    yield _brief(plan, without=parts)
    for name in parts:
        yield from (f"  {_brief(one)}" for one in getattr(plan, name))


def _brief(one: Any, without: tuple[str, ...] = ()) -> str:
    said = (
        f"{each.name}={getattr(one, each.name)!r}"
        for each in fields(one)
        if each.name not in without
        and (each.default is MISSING or getattr(one, each.name) != each.default)
    )
    return f"{type(one).__name__}({', '.join(said)})"
