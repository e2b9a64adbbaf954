"""Faults that belong together, so that they meet: a doubt and a second failure, a kill in doubt,
two gateways at one write.
"""

from __future__ import annotations

import random

from tests.simulation.plan import (
    ATTACH_INTENT,
    ATTACH_RECORD,
    CREDIT_NOTE,
    DETACH,
    OUT_OF_BAND,
    REALLOCATE,
    TICK,
    VOID,
    Fault,
    Happening,
    Plan,
    Write,
)

POSTS = {
    ATTACH_INTENT: "POST attach_payment",
    ATTACH_RECORD: "POST attach_payment",
    DETACH: "POST detach_payment",
    CREDIT_NOTE: "POST credit_notes",
    VOID: "POST void",
}
DOUBTS = (
    "hang applied",
    "hang",
    "late",
    "reset after",
    "cut",
    "garbled",
    "500 applied",
    "502",
    "500",
)
SECONDS = (
    "no connection",
    "429",
    "401",
    "403",
    "lock",
    "reset before",
    "hang",
    "500",
    "502",
    "slow",
)
ALL = 40
"""More than any call is made in one history: every one of them."""


def tick(chance: random.Random, most: float) -> float:
    """A time below this one, in ticks."""
    return chance.randrange(int(most / TICK)) * TICK


def bundle(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """Faults that belong together."""
    make = chance.choices(
        (
            _doubt,
            _doubt_and_kill,
            _old_key,
            _store_away,
            _crash,
            _clock,
            _beside,
            _cache,
            _any,
            _two_at_once,
        ),
        weights=(30, 14, 8, 12, 10, 6, 8, 8, 10, 10),
    )[0]
    return make(chance, plan)


def _post(chance: random.Random, write: Write) -> str:
    if write.kind == OUT_OF_BAND:
        return chance.choice(("POST attach_payment", "POST report_payment"))
    if write.kind == REALLOCATE:
        return chance.choice(("POST attach_payment", "POST detach_payment"))
    return POSTS[write.kind]


def _doubting(chance: random.Random, write: Write) -> list[Fault]:
    """One write goes out and its outcome is unknown; mostly nothing can be read back either."""
    kind = chance.choice(DOUBTS)
    late = chance.choice((11.0, 13.0, 30.0)) if kind == "late" else 0.0
    times = 1 if kind in ("hang", "hang applied", "late", "500 applied", "500") else 3
    faults = [Fault("http", _post(chance, write), kind, times=times, seconds=late)]
    if chance.random() < 0.7:
        blind = chance.choice(("500", "502", "reset before", "no connection", "401"))
        begins = write.at + 0.25
        if kind in ("hang", "hang applied", "late"):
            begins = write.at + 9.0
        length = chance.choice((4.0, 10.0, 25.0))
        faults.append(Fault("http", "GET", blind, times=ALL, at=begins, until=begins + length))
    return faults


def _doubt(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """A doubt, and a next try that does not even get out, or is refused before it counts."""
    write = chance.choice(plan.writes)
    faults: list[Fault | Happening] = list(_doubting(chance, write))
    kind = chance.choice(SECONDS)
    first = faults[0]
    assert isinstance(first, Fault)
    faults.append(
        Fault(
            "http",
            _post(chance, write) if chance.random() < 0.8 else "GET",
            kind,
            times=chance.choice((1, 2, 3, 6)),
            seconds=chance.choice((2.0, 9.0, 12.0)) if kind == "slow" else 0.0,
        )
    )
    return faults


def _doubt_and_kill(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """A kill while nobody knows, and a start while Stripe or its events cannot be read."""
    write = chance.choice(plan.writes)
    faults: list[Fault | Happening] = [
        Fault("http", _post(chance, write), chance.choice(("crash after", "crash before")))
    ]
    if chance.random() < 0.3:
        faults = list(_doubting(chance, write))
        faults.append(
            Happening("kill", write.at + tick(chance, 14), write.gateway, chance.choice((0.5, 2.0)))
        )
    if chance.random() < 0.7:
        what = chance.choice(("GET events", "GET", "GET invoices", "POST", "GET invoice_payments"))
        kind = chance.choice(("500", "502", "no connection", "429", "401", "hang"))
        faults.append(
            Fault(
                "http", what, kind, times=ALL, at=write.at + 0.5, until=write.at + tick(chance, 30)
            )
        )
    return faults


def _old_key(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """A doubt, and a repeat when Stripe may have forgotten, or has."""
    write = chance.choice(plan.writes)
    hours = chance.choice((12.0, 22.9, 23.5, 24.1, 25.0, 49.0))
    at = write.at + chance.choice((0.5, 11.0, 14.0))
    goes_down = chance.randrange(2)
    leap = Happening("leap", at, seconds=hours * 3600, amount=goes_down)
    return [*_doubting(chance, write), leap]


def _store_away(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """A store that is away, slow or full, or that did what it did not answer."""
    where, what = chance.choice(
        (
            ("journal", ""),
            ("journal", "begin"),
            ("journal", "keep"),
            ("journal", "swap"),
            ("log", "append"),
            ("log", ""),
            ("log", "read"),
            ("tail", ""),
            ("progress", ""),
        )
    )
    kind = chance.choice(("fail before", "fail after", "fail after", "slow", "slow after", "late"))
    if where == "log" and not plan.is_shared and kind in ("fail after", "late"):
        kind = "fail before"  # a file in the process has taken an entry, or has not
    seconds = chance.choice((0.5, 2.0, 5.0)) if kind in ("slow", "slow after", "late") else 0.0
    times = chance.choice((1, 1, 2, 5))
    fault = Fault(where, what, kind, after=chance.randrange(4), times=times, seconds=seconds)
    if chance.random() < 0.3:
        begins = tick(chance, 6)
        fault = Fault(
            where, "", "away", times=ALL, at=begins, until=begins + chance.choice((1.0, 5.0, 20.0))
        )
    return [fault]


def _crash(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """kill -9 at one of the calls that a write or an event makes."""
    where = chance.choice(("journal", "journal", "log", "cache", "http"))
    kind = chance.choice(("crash before", "crash after"))
    after = chance.randrange(12 if where != "cache" else 30)
    faults: list[Fault | Happening] = [
        Fault(
            where, "" if where != "http" else chance.choice(("GET", "POST", "")), kind, after=after
        )
    ]
    if chance.random() < 0.3:
        at = tick(chance, 8)
        kind = chance.choice(("kill", "stop"))
        faults = [Happening(kind, at, chance.randrange(plan.gateways), chance.choice((0.5, 3.0)))]
    return faults


def _clock(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """A gateway's clock that jumps ahead or back for a while."""
    amount = chance.choice((-3600, -300, -60, 60, 301, 3600, 90_000, 31 * 86_400))
    return [
        Happening(
            "skew", tick(chance, 4), chance.randrange(plan.gateways), 4 + tick(chance, 30), amount
        )
    ]


def _beside(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """Much comes in from elsewhere, and its reads are slow; or writes are switched off."""
    if chance.random() < 0.3:
        return [Happening("read_only", tick(chance, 3), seconds=tick(chance, 6) + 1)]
    write = chance.choice(plan.writes)
    at = max(0.0, write.at - 2.0)
    burst = Happening("paid_elsewhere", at, write.invoice, amount=chance.choice((1, 3, 6)))
    slow = Fault(
        "http",
        "GET invoice_payments",
        chance.choice(("slow", "slow", "hang")),
        times=ALL,
        seconds=chance.choice((1.0, 2.0, 4.0)),
        until=at + 20.0,
    )
    parts: list[Fault | Happening] = [burst]
    if chance.random() < 0.8:
        parts.append(slow)
    if chance.random() < 0.4:
        parts.append(Happening("taken_elsewhere", at + tick(chance, 6)))
    return parts


def _cache(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """A cache that is slow or down while others read and drop."""
    if chance.random() < 0.5:
        return [_old_news(chance)]
    if chance.random() < 0.3:
        at = chance.choice(plan.writes).at
        ends = at + chance.choice((1.0, 3.0))
        return [Fault("cache", "set", "fail before", times=ALL, at=at, until=ends)]
    kind = chance.choice(("fail before", "fail after", "slow", "slow after", "late"))
    seconds = chance.choice((TICK, 0.25, 1.0)) if kind in ("slow", "slow after", "late") else 0.0
    what = chance.choice(("set", "get", ""))
    return [
        Fault(
            "cache",
            what,
            kind,
            after=chance.randrange(20),
            times=chance.choice((1, 2, 6)),
            seconds=seconds,
        )
    ]


def _old_news(chance: random.Random) -> Fault:
    """Reads whose answers come late, with what was true when they were asked for."""
    return Fault(
        "http",
        chance.choice(("GET invoices", "GET invoices", "GET", "GET invoice_payments")),
        "slow after",
        after=chance.randrange(6),
        times=chance.choice((1, 2, 4, 8)),
        seconds=chance.choice((0.5, 1.0, 2.0, 4.0)),
    )


def _two_at_once(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """Two gateways are at one write: the first stands still for longer than it may have it to
    itself, or the second thinks so; and the first is told no, late."""
    write = chance.choice(plan.writes)
    number = write.gateway % plan.gateways
    parts: list[Fault | Happening] = []
    if chance.random() < 0.6:
        seconds = chance.choice((30.0, 66.0, 80.0, 130.0))
        parts.append(Happening("freeze", write.at + tick(chance, 1), number, seconds))
    else:
        other = (number + 1) % plan.gateways
        ahead = chance.choice((61, 90, 290))
        parts.append(Happening("skew", max(0.0, write.at - 0.5), other, 12.0, ahead))
    kind = chance.choice(("403", "429", "no connection", "slow", "500", "reset after", "none"))
    if kind != "none":
        seconds = chance.choice((0.5, 2.0)) if kind == "slow" else 0.0
        post = _post(chance, write)
        gateway = chance.choice((number, number, None))
        times = chance.choice((1, 3))
        parts.append(
            Fault("http", post, kind, times=times, seconds=seconds, at=write.at, gateway=gateway)
        )
    return parts


def _any(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """Anything at Stripe, anywhere."""
    what = chance.choice(("GET", "POST", "GET invoices", "GET events", "GET invoice_payments"))
    kind = chance.choice((*DOUBTS, *SECONDS))
    seconds = chance.choice((1.0, 5.0, 12.0)) if kind in ("slow", "late") else 0.0
    times = chance.choice((1, 1, 3, 8))
    return [Fault("http", what, kind, after=chance.randrange(6), times=times, seconds=seconds)]
