"""Holds a history to what the gateway promises. It knows the promises and none of its code.

Each promise is a function that yields what breaks it, in a sentence. What Stripe has done is
counted by amounts, references and sources that only one caller's key had.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from tests.simulation.checker_events import EVENT_PROMISES, is_current
from tests.simulation.checker_moves import MOVE_PROMISES
from tests.simulation.documents import effect_of, mark_of
from tests.simulation.history import GONE, LOST, OK, Call, Effect, History
from tests.simulation.plan import (
    ATTACH_RECORD,
    DETACH,
    OUT_OF_BAND,
    REALLOCATE,
    VOID,
    Plan,
    Write,
)

MUTATION_SECONDS_MAX = 75.0
"""Three calls to Stripe with their time limits and looks, behind another write on the invoice."""
STALL_SECONDS_MAX = 8.0
"""For how long a write may wait while nothing is under way for it: back-off and the rate budget."""
BUDGET_SECONDS = 15.0
"""Three calls of a write may wait for the rate budget, where it is small."""
CLOCKS_APART_MAX = 300
FORGOTTEN_AFTER = 23 * 3600
"""A key this old may be unknown at Stripe."""
SAYS_NOTHING = frozenset(
    {"UPSTREAM_OUTCOME_UNKNOWN", "IDEMPOTENCY_IN_PROGRESS", "READ_ONLY", "IDEMPOTENCY_KEY_REUSED"}
)
"""Answers that are silent on whether the write is done: these two come before any look at it."""
FOR_THIS_TRY = frozenset({"UPSTREAM_RATE_LIMITED", "UPSTREAM_UNAVAILABLE"})
"""Refusals of one try, which say nothing of an earlier one whose outcome is unknown."""

Promise = Callable[[Plan, History], Iterator[str]]


def broken(plan: Plan, history: History) -> list[str]:
    """Every promise that this history breaks: its name, and how."""
    found = [f"trouble: {one}" for one in history.trouble]
    for promise in PROMISES:
        name = promise.__name__.replace("_", " ")
        found += [f"{name}: {how}" for how in promise(plan, history)]
    return found


def calls_of(write: Write, history: History) -> list[Call]:
    return [one for one in history.calls if one.write == write.number]


def source_mark(write: Write, plan: Plan) -> str:
    origin = write if write.of is None else plan.write(write.of)
    assert origin is not None
    if write.kind == VOID:
        return f"note-{origin.number}"
    prefix = "pr" if origin.kind == ATTACH_RECORD else "pi"
    return mark_of(write, f"{prefix}_{origin.number}")


def effects_of(write: Write, plan: Plan, history: History) -> list[Effect]:
    """What Stripe has done for this write, or for others of the same kind with the same source."""
    mark, kind = source_mark(write, plan), effect_of(write.kind)
    if write.kind != OUT_OF_BAND:
        return [one for one in history.effects if one.kind == kind and one.mark == mark]
    reported = {one.object_id for one in history.effects if one.mark == mark}
    return [one for one in history.effects if one.kind == kind and one.mark in reported]


def done_at_most_once(plan: Plan, history: History) -> Iterator[str]:
    for write in plan.writes:
        alike = [
            one
            for one in plan.writes
            if effect_of(one.kind) == effect_of(write.kind)
            and source_mark(one, plan) == source_mark(write, plan)
        ]
        effects = effects_of(write, plan, history)
        if len(effects) > len(alike):
            ids = [one.object_id for one in effects]
            yield f"{write.key} ({write.kind}) was done {len(effects)} times: {ids}"
        told = [one.key for one in alike if any(c.code == OK for c in calls_of(one, history))]
        if len(told) > len(effects) and effects:
            yield f"{told} were told that they did what was done {len(effects)} times"
        if write.kind == OUT_OF_BAND:
            mark = source_mark(write, plan)
            records = [
                one.object_id
                for one in history.effects
                if one.kind == "reported" and one.mark == mark
            ]
            if len(records) > 1:
                yield f"{write.key} was reported {len(records)} times: {records}"


def success_told_is_there(plan: Plan, history: History) -> Iterator[str]:
    for write in plan.writes:
        effects = effects_of(write, plan, history)
        ids = {one.object_id for one in effects}
        told = set()
        for call in calls_of(write, history):
            if call.code != OK or call.ended is None:
                continue
            if not any(one.at <= call.ended for one in effects):
                yield f"{write.key} was told done at {call.ended:g} s, and was not"
            if call.told_id is not None:
                told.add(call.told_id)
            first = min((one.version for one in effects), default=0)
            if call.state and not is_current(history, f"in_{write.invoice}", call.state, first):
                yield f"{write.key} was told done with an older invoice: {call.state}"
            if call.told_id == "" or (call.told_id and call.told_id not in ids):
                yield f"{write.key} was told {call.told_id!r}, and it is {sorted(ids)}"
        if len(told) > 1:
            yield f"{write.key} was told of different things: {sorted(told)}"


def refusal_told_changed_nothing(plan: Plan, history: History) -> Iterator[str]:
    for write in plan.writes:
        calls = calls_of(write, history)
        for effect in effects_of(write, plan, history):
            if _of_another(write, effect, plan, history):
                continue
            for call in calls:
                how = _belied(call, effect, calls)
                if how is not None:
                    yield f"{write.key} was told {call.code}, {how}"


def _of_another(write: Write, effect: Effect, plan: Plan, history: History) -> bool:
    """Whether another key may have done it as well: then nothing can be said."""
    return any(
        one.number != write.number and effect in effects_of(one, plan, history)
        for one in plan.writes
    )


def _belied(call: Call, effect: Effect, calls: list[Call]) -> str | None:
    """How this effect gives the lie to what the call was told."""
    if call.ended is None or call.code in (OK, LOST, GONE) or call.code in SAYS_NOTHING:
        return None
    if call.code.startswith("ERROR") or call.other_input:
        return None
    others = [one for one in calls if one is not call and one.begun <= effect.at]
    if effect.at <= call.ended:
        if call.code in FOR_THIS_TRY and others:
            return None
        at_work = [one for one in others if _may_still_do(one, effect.at)]
        if call.begun <= effect.at and at_work:
            return None  # Another try at the same time may have done it.
        return f"though it was done at {effect.at:g} s"
    explained = any(_may_still_do(one, effect.at) for one in others)
    return None if explained else f"and it was done after that, at {effect.at:g} s"


def _may_still_do(call: Call, at: float) -> bool:
    """Whether what Stripe does at this time may be this try's doing."""
    if call.ended is None or at <= call.ended:
        return True
    return call.code in (LOST, GONE, OK, "UPSTREAM_OUTCOME_UNKNOWN") or call.code.startswith(
        "ERROR"
    )


def unknown_ends(plan: Plan, history: History) -> Iterator[str]:
    for write in plan.writes:
        calls = [one for one in calls_of(write, history) if not one.other_input]
        asked = any(_is_for_a_person(one) for one in calls)
        if write.kind == REALLOCATE and asked and not _may_be_forgotten(plan, history):
            yield f"{write.key} had to be decided by a person, though Stripe remembers its keys"
        if not calls or ((calls[-1].ended or 0) < history.faults_end and calls[-1].code == OK):
            continue
        last = calls[-1]
        if _is_for_a_person(last):
            if not (_may_be_forgotten(plan, history) or _left_no_trace(write, plan, history)):
                yield f"{write.key} stays unknown, though Stripe remembers its key"
        elif last.retryable or last.code in (LOST, GONE, "READ_ONLY", "IDEMPOTENCY_IN_PROGRESS"):
            yield f"{write.key} has no answer in the end: {last.code}"
        elif last.code.startswith("ERROR"):
            yield f"{write.key} ends in an error of the gateway's own: {last.code}"
    if history.unfinished and not _may_be_forgotten(plan, history):
        names = [getattr(one, "key", "?") for one in history.unfinished]
        yield f"writes stay unfinished in the journal: {names}"
    if not history.drained and not history.unfinished and not history.trouble:
        yield "events or subscribers do not come to rest"


def _is_for_a_person(call: Call) -> bool:
    return call.code == "UPSTREAM_OUTCOME_UNKNOWN" and not call.retryable


def _may_be_forgotten(plan: Plan, history: History) -> bool:
    """Whether a gateway may think that Stripe has forgotten a key: by its age, or because clocks
    are further apart than they may be for telling an age."""
    off = [0, *(one.amount for one in plan.happenings if one.kind == "skew")]
    apart = max(off) - min(off)
    return sum(history.leaps) >= FORGOTTEN_AFTER or apart > CLOCKS_APART_MAX


def _left_no_trace(write: Write, plan: Plan, history: History) -> bool:
    """Whether all that named its key is gone. A payment that was open when it was attached is in no
    event of that call, and once detached it is no object any more."""
    done = {one.object_id for one in effects_of(write, plan, history) if one.kind == "attached"}
    undone = {one.object_id for one in history.effects if one.kind == "detached"}
    first: dict[str, str] = {}
    for snapshot in history.snapshots[f"in_{write.invoice}"]:
        for payment_id, status in snapshot.payments:
            first.setdefault(payment_id, status)
    return bool(done) and done <= undone and all(first.get(one) == "open" for one in done)


def money_adds_up(plan: Plan, history: History) -> Iterator[str]:
    """What is paid is the sum of what was attached and not taken off again."""
    for number in range(plan.invoices):
        invoice_id = f"in_{number}"
        snapshots = history.snapshots[invoice_id]
        paid_ids = {one for one, status in snapshots[-1].payments if status == "paid"}
        amounts = {
            one.object_id: one.amount
            for one in history.effects
            if one.kind == "attached" and one.invoice_id == invoice_id
        }
        for write in plan.writes:
            is_there = write.kind in (DETACH, REALLOCATE) and write.of is None
            if is_there and write.invoice == number:
                amounts.update(_attached_before(write, history))
        known = {one: amount for one, amount in amounts.items() if one in paid_ids}
        unknown = paid_ids - amounts.keys()
        paid = snapshots[-1].state[1] + snapshots[-1].overpaid
        if not unknown and sum(known.values()) != paid:
            yield f"{invoice_id} has {paid} paid, and {sum(known.values())} are attached"


def _attached_before(write: Write, history: History) -> dict[str, int]:
    gone = {one.object_id for one in history.effects if one.kind == "detached"}
    snapshots = history.snapshots[f"in_{write.invoice}"]
    first = {one for snapshot in snapshots for one, _ in snapshot.payments}
    known = {one.object_id for one in history.effects}
    return dict.fromkeys(first - known - gone, write.amount) if len(first - known) == 1 else {}


def nothing_waits_for_ever(plan: Plan, history: History) -> Iterator[str]:
    together = Counter(one.invoice for one in plan.writes)
    moved = [one for one in plan.writes if one.kind == REALLOCATE]
    together.update(number for one in moved for number in (one.invoice, plan.target(one)))
    frozen = sum(one.seconds for one in plan.happenings if one.kind == "freeze")
    slow_log = max((one.seconds for one in plan.faults if one.where == "log"), default=0.0)
    patience = STALL_SECONDS_MAX + slow_log * len(plan.writes)  # appends are one after the other
    patience += BUDGET_SECONDS if plan.calls_per_second < 50 else 0
    for call in history.calls:
        if call.ended is None:
            yield f"key-{call.write} at {call.gateway} was never answered"
            continue
        seconds = call.ended - call.begun
        write = plan.write(call.write)
        beside = 1 if write is None else together[write.invoice]
        if write is not None and write.kind == REALLOCATE:
            beside += together[plan.target(write)]
        if seconds > MUTATION_SECONDS_MAX * beside + frozen:
            yield f"key-{call.write} waited {seconds:g} s"
        stall = seconds - call.own_seconds - frozen
        reads_back = write is not None and write.reads_back
        # What it reads back it may wait for together with others, who then made the call.
        if reads_back or beside > 1 or call.code in (GONE, LOST):
            continue
        if stall > patience:
            yield f"key-{call.write} waited {stall:g} s while nothing was under way for it"


PROMISES: tuple[Promise, ...] = (
    done_at_most_once,
    success_told_is_there,
    refusal_told_changed_nothing,
    unknown_ends,
    money_adds_up,
    nothing_waits_for_ever,
    *MOVE_PROMISES,
    *EVENT_PROMISES,
)
