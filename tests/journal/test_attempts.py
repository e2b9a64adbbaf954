"""When a write is tried again: with the same key where it may have happened, with a new one where
it has not, and not at all while it is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.backends.journal.records import State
from gateway.backends.supplier import Found
from schema.ports import (
    PRECEDENCE,
    Attached,
    AttachPayment,
    DetachPayment,
    RefusalCode,
    Refused,
    Viewer,
)
from tests.journal.writing import (
    OPERATOR,
    PARTNER,
    MakeCommand,
    Writing,
    attach,
    detach,
    recorded,
    refused,
)

UNKNOWN = RefusalCode.UPSTREAM_OUTCOME_UNKNOWN

TROUBLES: dict[str, Callable[[], Exception]] = {
    "told unknown": lambda: refused(UNKNOWN),
    "connection reset": lambda: ConnectionResetError("reset by peer"),
    "our own mistake": lambda: RuntimeError("a bug"),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
@pytest.mark.parametrize("moment", ["on_the_way", "after"])
async def test_after_an_unknown_outcome_the_same_key_goes_out_again(
    writing: Writing, moment: str, trouble: Callable[[], Exception]
) -> None:
    """Perhaps it was done: only the same key can be repeated without doing it twice, whether the
    write was lost on the way there or on the way back."""
    command = detach(writing.stage)
    getattr(writing.inner, moment).append(trouble())
    with pytest.raises(type(trouble())):
        await writing.write(command)
    record, told = await recorded(writing, "detach"), list(writing.announced)

    await writing.write(command)

    assert record.outcome is None
    assert record.state in (State.RECORDED, State.SENDING, State.IN_DOUBT)
    assert told == []
    assert len(writing.keys_sent) == 2
    assert len(set(writing.keys_sent)) == 1
    assert len(writing.announced) == 1
    assert len(detached_by(writing)) == 1


def detached_by(writing: Writing) -> list[Any]:
    """The detaches that the twin has really made."""
    return [one for one in writing.stage.twin.events if one.type == "invoice_payment.detached"]


async def test_an_unknown_outcome_does_not_free_the_key(writing: Writing) -> None:
    """Another input under it could be a second payment."""
    writing.inner.after = [refused(UNKNOWN)]
    with pytest.raises(Refused):
        await writing.write(detach(writing.stage))

    with pytest.raises(Refused) as answer:
        await writing.write(detach(writing.stage))

    assert answer.value.code is RefusalCode.IDEMPOTENCY_KEY_REUSED
    assert len(writing.inner.sent) == 1


OPEN_ENDED = (UNKNOWN, RefusalCode.IDEMPOTENCY_KEY_REUSED)


@pytest.mark.parametrize("code", [code for code in PRECEDENCE if code not in OPEN_ENDED])
async def test_after_a_refusal_a_new_key_goes_out(writing: Writing, code: RefusalCode) -> None:
    """Stripe replays what it answered to a key, so that the old one could never succeed."""
    command = detach(writing.stage)
    writing.inner.before = [refused(code), refused(code)]
    for _ in range(2):
        with pytest.raises(Refused):
            await writing.write(command)

    outcome = await writing.write(command)

    assert outcome.replayed is False
    assert len(set(writing.keys_sent)) == 3
    assert len(writing.announced) == 1
    assert (await recorded(writing, "detach")).attempt == 3


async def test_a_key_that_upstream_knows_with_other_input_stays_in_doubt(
    writing: Writing,
) -> None:
    """Our journal has lost what that was, or another release sends it otherwise: a new key could
    do it a second time."""
    command = detach(writing.stage)
    writing.inner.on_the_way = [refused(RefusalCode.IDEMPOTENCY_KEY_REUSED)]
    with pytest.raises(Refused) as answer:
        await writing.write(command)
    state = (await recorded(writing, "detach")).state

    await writing.write(command)

    assert answer.value.code is RefusalCode.IDEMPOTENCY_KEY_REUSED
    assert state is State.IN_DOUBT
    assert len(set(writing.keys_sent)) == 1


@pytest.mark.parametrize("has_reported", [False, True])
async def test_other_input_after_a_refusal_needs_a_new_key_where_something_was_reported(
    writing: Writing, has_reported: bool
) -> None:
    """A refusal frees the key, as nothing was done. A payment that was reported at Stripe before
    its attach was refused is something: the key goes on from it, or not at all."""
    writing.inner.on_the_way = [refused()]
    writing.inner.found = Found(payment_record_id="pr_1" if has_reported else None)
    with pytest.raises(Refused):
        await writing.write(attach(writing.stage))
    other = attach(writing.stage)

    if not has_reported:
        assert (await writing.write(other)).replayed is False
        return
    with pytest.raises(Refused) as answer:
        await writing.write(other)
    assert answer.value.code is RefusalCode.IDEMPOTENCY_KEY_REUSED


async def test_a_next_attempt_goes_on_from_what_was_reported(writing: Writing) -> None:
    """It would be reported once more otherwise; what a look has found is looked up again."""
    command = attach(writing.stage)
    writing.inner.on_the_way = [refused()]
    writing.inner.found = Found("cus_1", "inpay_1", ("inpay_1",), "pr_1")
    with pytest.raises(Refused):
        await writing.write(command)

    await writing.write(command)

    record = await recorded(writing, "attach")
    assert (record.attempt, record.found) == (2, Found(payment_record_id="pr_1"))


async def test_a_refused_write_is_not_announced(writing: Writing) -> None:
    """Nothing has happened."""
    writing.inner.before = [refused()]

    with pytest.raises(Refused):
        await writing.write(detach(writing.stage))

    assert writing.steps == ["begin", "send", "refused"]
    assert (await recorded(writing, "detach")).state is State.REFUSED


async def test_the_callers_own_key_never_goes_out(writing: Writing) -> None:
    """Two partners with one key would meet at Stripe, where there is but one account."""
    stage = writing.stage
    await writing.write(detach(stage, "key-1"), OPERATOR)
    await writing.write(detach(stage, "key-1"), PARTNER)

    assert len(set(writing.keys_sent)) == 2
    assert "key-1" not in writing.keys_sent


async def test_attach_detach_attach_works(writing: Writing) -> None:
    """The same attach under a new key is a new write: keys are not made of arguments."""
    invoice_id, (_, second) = writing.stage.paid_by(700, 300)

    await writing.write(DetachPayment(invoice_id, second, "key-1"))
    first = await writing.write(AttachPayment(invoice_id, "key-2", payment_intent_id=second))
    await writing.write(DetachPayment(invoice_id, second, "key-3"))
    again = await writing.write(AttachPayment(invoice_id, "key-4", payment_intent_id=second))

    assert isinstance(first, Attached)
    assert isinstance(again, Attached)
    assert again.replayed is False
    assert len(set(writing.keys_sent)) == 4


async def test_a_key_under_way_is_told_so(writing: Writing) -> None:
    """An impatient client neither waits nor writes twice; its repeat finds the outcome."""
    command = detach(writing.stage)
    writing.inner.gate.clear()
    write = asyncio.create_task(writing.write(command))
    await writing.is_out()

    with pytest.raises(Refused) as answer:
        await writing.write(command)
    writing.inner.gate.set()
    first, again = await write, await writing.write(command)

    assert answer.value.code is RefusalCode.IDEMPOTENCY_IN_PROGRESS
    assert (first.replayed, again.replayed) == (False, True)
    assert len(writing.inner.sent) == 1


async def test_a_key_under_way_with_other_input_is_a_key_reused(writing: Writing) -> None:
    """Where both rules are broken the first in precedence is named: waiting would not help."""
    writing.inner.gate.clear()
    write = asyncio.create_task(writing.write(detach(writing.stage)))
    await writing.is_out()

    with pytest.raises(Refused) as answer:
        await writing.write(detach(writing.stage))

    assert answer.value.code is RefusalCode.IDEMPOTENCY_KEY_REUSED
    writing.inner.gate.set()
    await write


@pytest.mark.parametrize(
    ("viewer", "make"),
    [
        pytest.param(PARTNER, detach, id="another tenant's"),
        pytest.param(OPERATOR, attach, id="for another operation"),
    ],
)
async def test_a_key_under_way_elsewhere_is_no_hindrance(
    writing: Writing, viewer: Viewer, make: MakeCommand
) -> None:
    """A key belongs to one tenant and one operation."""
    writing.inner.gate.clear()
    write = asyncio.create_task(writing.write(detach(writing.stage)))
    await writing.is_out()
    writing.inner.reached.clear()

    other = asyncio.create_task(writing.write(make(writing.stage), viewer))
    await writing.is_out()
    writing.inner.gate.set()

    assert (await write).replayed is False
    assert (await other).replayed is False


async def test_a_key_is_free_again_after_a_failure(writing: Writing) -> None:
    """Whatever ended the write, it is no longer under way."""
    command = detach(writing.stage)
    for trouble in TROUBLES.values():
        writing.inner.before = [trouble()]
        with pytest.raises(type(trouble())):
            await writing.write(command)

    assert (await writing.write(command)).replayed is False
