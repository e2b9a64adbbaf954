"""The promises about payments that are moved between invoices: a legal end, which is told,
and one movement in the log.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.history import OK, Effect, History
from tests.simulation.plan import REALLOCATE, Plan, Write


def _moved(plan: Plan) -> list[Write]:
    return [one for one in plan.writes if one.kind == REALLOCATE]


def _ends(plan: Plan, write: Write) -> dict[str, str]:
    """Where the payment is, by the word for it."""
    return {"DONE": f"in_{plan.target(write)}", "PUT_BACK": f"in_{write.invoice}"}


def _done(history: History, write: Write, kind: str) -> list[Effect]:
    mark = f"pi_{write.number}"
    return [one for one in history.effects if (one.kind, one.mark) == (kind, mark)]


def a_legal_end(plan: Plan, history: History) -> Iterator[str]:
    """Off one invoice means on the other, or back, or free because others have paid both."""
    closed = {(one.amount, one.gateway) for one in plan.happenings if one.kind == "closes"}
    for write in _moved(plan):
        gone, came = _done(history, write, "detached"), _done(history, write, "attached")
        if len(gone) > 1 or len(came) > len(gone):
            yield f"{write.key} was taken off {len(gone)} times and attached {len(came)} times"
        if any(one.invoice_id not in _ends(plan, write).values() for one in came):
            yield f"{write.key} is on an invoice that nobody has named: {came}"
        may_be_free = {(write.number, write.invoice), (write.number, plan.target(write))} <= closed
        if gone and not came and not may_be_free:
            yield f"{write.key} is free, though an invoice would take it"


def its_end_is_told(plan: Plan, history: History) -> Iterator[str]:
    """Whoever is answered is told where the payment is, and always the same."""
    for write in _moved(plan):
        gone, came = _done(history, write, "detached"), _done(history, write, "attached")
        calls = [one for one in history.calls if one.write == write.number and one.code == OK]
        for call in calls:
            wanted = _ends(plan, write).get(call.placed or "")
            is_there = any(one.invoice_id == wanted for one in came)
            if not (gone and not came if call.placed == "FREE" else is_there):
                yield f"{write.key} was told {call.placed}, and it is {came or 'free'}"
            ids = {one.object_id for one in came}
            if call.moved_to_id is not None and call.moved_to_id not in ids:
                yield f"{write.key} was told {call.moved_to_id}, and it is {sorted(ids)}"
        if len({one.placed for one in calls}) > 1:
            yield f"{write.key} was told of several ends: {[one.placed for one in calls]}"
        if gone and not calls and not history.unfinished:
            yield f"{write.key} was taken off, and its caller was never told"


def one_movement_in_the_log(plan: Plan, history: History) -> Iterator[str]:
    """DETACHED, then ATTACHED, both with the caller's key."""
    for write in _moved(plan):
        mine = [one for one in history.log if one.key == write.key]
        told = [one.type for one in mine if one.type in ("DETACHED", "ATTACHED")]
        came = _done(history, write, "attached")
        wanted = ["DETACHED"] * len(_done(history, write, "detached")) + ["ATTACHED"] * len(came)
        if told != wanted:
            yield f"{write.key} is in the log as {told}, and it was {wanted}"


MOVE_PROMISES = (a_legal_end, its_end_is_told, one_movement_in_the_log)
