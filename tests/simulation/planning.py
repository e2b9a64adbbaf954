"""From a seed to a plan: few writes, few faults, and these so that they meet.

Faults come in bundles: a doubt about one write, then what may go wrong with its next try; a kill in
doubt; a store that is away while something is told. The rest is chance.
"""

from __future__ import annotations

import random
from dataclasses import replace

from tests.simulation.bundles import bundle, tick
from tests.simulation.plan import (
    ATTACH_INTENT,
    DETACH,
    KINDS,
    REALLOCATE,
    TICK,
    VOID,
    Fault,
    Happening,
    Plan,
    Reading,
    Write,
)

HASTY_SECONDS_MAX = 20.0
MOVES_EVERY, MOVES_AT = 8, 5
"""Which seeds move a payment where nothing is said about it."""


def plan_of(seed: int, *, moves: bool | None = None) -> Plan:
    """The plan of this seed, always the same. `moves`: its first write moves a payment to another
    invoice; None: as the seed has it."""
    if moves is None:
        moves = seed % MOVES_EVERY == MOVES_AT
    chance = random.Random(seed)
    gateways = chance.choice((1, 1, 1, 1, 2, 2, 2, 3))
    plan = Plan(
        seed=seed,
        gateways=gateways,
        is_shared=gateways > 1 or chance.random() < 0.3,
        heartbeat_seconds=15.0,
        calls_per_second=chance.choice((100.0, 100.0, 100.0, 100.0, 3.0)),
        tempo=chance.choice((0, 1, 1, 1, 2)),
        invoices=chance.choice((1, 1, 2)),
        webhooks=chance.choice(
            ("prompt", "prompt", "prompt", "doubled", "shuffled", "withheld", "lost")
        ),
    )
    if moves:
        plan = replace(plan, invoices=chance.choice((2, 2, 3)))
    plan = replace(plan, writes=_writes(chance, plan, moves))
    plan = replace(plan, readings=_readings(chance, plan))
    parts = [bundle(chance, plan) for _ in range(chance.choice((1, 1, 2, 2, 3)))]
    if moves:
        parts.append(_closing(chance, plan))
    plan = _with_rivals(chance, plan, parts)
    faults = tuple(one for part in parts for one in part if isinstance(one, Fault))
    happenings = tuple(one for part in parts for one in part if isinstance(one, Happening))
    plan = replace(plan, faults=faults[:7], happenings=_settling(chance, plan) + happenings)
    plan = _with_thin_events(plan)
    if plan.waits_for_catch_up:
        plan = replace(plan, catch_up_seconds=120.0)
    return replace(plan, heartbeat_seconds=_heartbeat(chance, plan))


def _with_thin_events(plan: Plan) -> Plan:
    """In dice of their own, so that everything else is as it was without them. A key that may not
    ask what a thin event does not say tells its fact twice, which is said in the decisions."""
    chance = random.Random(f"thin events {plan.seed}")
    sends = chance.choice(
        (("snapshot",), ("snapshot",), ("snapshot", "thin"), ("snapshot", "thin"), ("thin",))
    )
    unsaid = chance.choice((0, 0, 1, 4))
    may_ask = all(one.kind != "403" for one in plan.faults)
    return replace(plan, sends=sends, unsaid_of_four=unsaid if may_ask else 0)


def _heartbeat(chance: random.Random, plan: Plan) -> float:
    """Short where the history is: a long one would be made of heartbeats."""
    ends = max(one.at + sum(wait for wait, _ in one.tries) for one in plan.writes)
    is_long = ends > HASTY_SECONDS_MAX or plan.waits_for_catch_up
    return 15.0 if is_long else chance.choice((0.5, 0.5, 1.0, 5.0))


def _closing(chance: random.Random, plan: Plan) -> list[Fault | Happening]:
    """Meanwhile others pay the invoice that a payment is moved to, or both."""
    moved = plan.writes[0]
    closed = chance.choice(((), (), (plan.target(moved),), (plan.target(moved), moved.invoice)))
    return [Happening("closes", 0.0, number, amount=moved.number) for number in closed]


def _writes(chance: random.Random, plan: Plan, moves: bool) -> tuple[Write, ...]:
    writes: list[Write] = []
    for number in range(chance.choice((1, 1, 1, 1, 2, 2, 2, 3, 4))):
        kind = chance.choice(KINDS)
        if moves and number == 0:
            kind = REALLOCATE
        attaches = [one for one in writes if one.kind == ATTACH_INTENT]
        of = chance.choice(attaches) if kind == DETACH and attaches else None
        if kind == VOID:
            of = next((one for one in writes if (one.kind, one.of) == (VOID, None)), None)
        tries = tuple(
            (chance.choice((0.0, TICK, 0.5, 2.0, 12.0, 35.0)), chance.randrange(plan.gateways))
            for _ in range(chance.choice((1, 2, 3, 3)))
        )
        at = tick(chance, 4)
        writes.append(
            Write(
                number=number,
                kind=kind,
                invoice=chance.randrange(plan.invoices) if of is None else of.invoice,
                amount=1000 + 37 * number,
                at=at if of is None else of.at + chance.choice((0.0, 1.0, 4.0, 16.0)),
                gateway=chance.randrange(plan.gateways),
                tries=tries,
                cancels_after=tick(chance, 2) + TICK if chance.random() < 0.1 else None,
                changes_mind=chance.random() < 0.08,
                doubles=tick(chance, 1) if chance.random() < 0.15 else None,
                of=None if of is None else of.number,
                is_settled=chance.random() < 0.8 or kind not in (ATTACH_INTENT, REALLOCATE),
                repeats_success=chance.random() < 0.2,
                reads_back=chance.random() < 0.4,
            )
        )
    return tuple(writes)


def _readings(chance: random.Random, plan: Plan) -> tuple[Reading, ...]:
    readings = []
    for number in range(chance.choice((1, 1, 1, 2))):
        cuts = tuple(
            (at, chance.randrange(plan.gateways))
            for at in sorted(tick(chance, 12) for _ in range(chance.choice((0, 0, 1, 2))))
        )
        at = 0.0 if number == 0 else chance.choice((0.0, 2.0, 5.0))
        readings.append(Reading(chance.randrange(plan.gateways), at, cuts))
    return tuple(readings)


def _settling(chance: random.Random, plan: Plan) -> tuple[Happening, ...]:
    """Intents that have not succeeded do so later."""
    return tuple(
        Happening("settles", one.at + tick(chance, 6), amount=one.number)
        for one in plan.writes
        if not one.is_settled
    )


def _with_rivals(chance: random.Random, plan: Plan, parts: list[list[Fault | Happening]]) -> Plan:
    """The writes of a gateway that stands still are tried at another as well."""
    kinds = {one.kind for part in parts for one in part if isinstance(one, Happening)}
    if not kinds & {"freeze", "skew"} or plan.gateways == 1:
        return plan
    waits = (0.0, 0.25, 1.0) if "freeze" not in kinds else (0.5, 62.0, 67.0, 70.0)
    writes = (replace(one, doubles=chance.choice(waits)) for one in plan.writes)
    return replace(plan, writes=tuple(writes))
