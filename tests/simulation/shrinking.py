"""A failing plan made smaller, as long as it fails in the same way.

Greedy: leave something out, play again, keep what still fails. Decisions are drawn for each
boundary by itself, so what is left mostly goes as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.plan import Plan, Write

PLAYS_MAX = 200

Breaks = Callable[[Plan], list[str]]


def promises_of(found: list[str]) -> frozenset[str]:
    """The names of the broken promises."""
    return frozenset(one.split(":")[0] for one in found)


def shrunk(plan: Plan, breaks: Breaks, plays_max: int = PLAYS_MAX) -> Plan:
    """The smallest plan that was found to break one of the same promises."""
    wanted = promises_of(breaks(plan))
    plays = 0
    is_smaller = True
    while is_smaller and plays < plays_max:
        is_smaller = False
        for candidate in _smaller(plan):
            plays += 1
            if plays > plays_max:
                break
            if promises_of(breaks(candidate)) & wanted:
                plan, is_smaller = candidate, True
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans with one thing less, the greatest first."""
    for number in (one.number for one in plan.writes):
        left = tuple(one for one in plan.writes if number not in (one.number, one.of))
        if left:
            yield _consistent(replace(plan, writes=left))
    for at in range(len(plan.faults)):
        yield replace(plan, faults=plan.faults[:at] + plan.faults[at + 1 :])
    for at in range(len(plan.happenings)):
        yield replace(plan, happenings=plan.happenings[:at] + plan.happenings[at + 1 :])
    for at in range(1, len(plan.readings)):
        yield replace(plan, readings=plan.readings[:at] + plan.readings[at + 1 :])
    if plan.gateways > 1:
        yield replace(plan, gateways=plan.gateways - 1)
    for at, write in enumerate(plan.writes):
        for simpler in _simpler(write):
            yield replace(plan, writes=(*plan.writes[:at], simpler, *plan.writes[at + 1 :]))
    for at, reading in enumerate(plan.readings):
        if reading.cuts:
            fewer = replace(reading, cuts=reading.cuts[:-1])
            yield replace(plan, readings=(*plan.readings[:at], fewer, *plan.readings[at + 1 :]))
    if plan.webhooks != "prompt":
        yield replace(plan, webhooks="prompt")
    if plan.sends != ("snapshot",):
        yield replace(plan, sends=("snapshot",), unsaid_of_four=0)
    if plan.invoices > 1:
        one_invoice = tuple(replace(one, invoice=0) for one in plan.writes)
        yield replace(plan, invoices=1, writes=one_invoice)
    for at, fault in enumerate(plan.faults):
        if fault.times > 1:
            once = replace(fault, times=1)
            yield replace(plan, faults=(*plan.faults[:at], once, *plan.faults[at + 1 :]))
    if plan.heartbeat_seconds < 15:
        yield replace(plan, heartbeat_seconds=15.0)


def _consistent(plan: Plan) -> Plan:
    """Without what happens to writes that are no more."""
    numbers = {one.number for one in plan.writes}
    return replace(
        plan,
        happenings=tuple(
            one for one in plan.happenings if one.kind != "settles" or one.amount in numbers
        ),
    )


def _simpler(write: Write) -> Iterator[Write]:
    if write.tries:
        yield replace(write, tries=write.tries[:-1])
    if write.doubles is not None:
        yield replace(write, doubles=None)
    if write.cancels_after is not None:
        yield replace(write, cancels_after=None)
    if write.changes_mind:
        yield replace(write, changes_mind=False)
    if write.repeats_success:
        yield replace(write, repeats_success=False)
