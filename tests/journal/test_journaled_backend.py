"""Writes through the journal: recorded, sent, recorded again, announced. Nothing twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.backends.journal.records import State
from gateway.composition.gateway import callers_of
from schema.ports import (
    EventType,
    RefusalCode,
    Refused,
)
from tests.journal.writing import (
    PARTNER,
    WRITES,
    MakeCommand,
    Writing,
    detach,
    recorded,
    refused,
)

every_write = pytest.mark.parametrize(("operation", "make"), WRITES.items(), ids=list(WRITES))


@every_write
async def test_a_write_is_recorded_sent_recorded_and_announced(
    writing: Writing, operation: str, make: MakeCommand
) -> None:
    """Before anything goes out there is a record; after it there is its outcome."""
    outcome = await writing.write(make(writing.stage))

    assert writing.steps == ["begin", "send", "sending", "done", "announce", "announced"]
    assert (await recorded(writing, operation)).outcome == outcome
    assert outcome.replayed is False


@every_write
async def test_a_write_that_is_out_stands_in_the_journal(
    writing: Writing, operation: str, make: MakeCommand
) -> None:
    """After a crash in this very moment, the record tells what may have happened."""
    command = make(writing.stage)
    writing.inner.gate.clear()
    write = asyncio.create_task(writing.write(command))
    await writing.is_out()

    record = await recorded(writing, operation)

    assert record.command == command
    assert (record.outcome, record.state, record.attempt) == (None, State.RECORDED, 1)
    assert record.recorded_at == writing.stage.clock.now()
    writing.inner.gate.set()
    await write


ANNOUNCED = {
    "attach": (EventType.ATTACHED, "gateway.invoice_payment.attached"),
    "detach": (EventType.DETACHED, "gateway.invoice_payment.detached"),
    "credit_note": (EventType.INVOICE_CHANGED, "gateway.credit_note.created"),
}


@every_write
async def test_a_write_is_announced_with_what_the_intake_needs(
    writing: Writing, operation: str, make: MakeCommand
) -> None:
    """Type and outcome for the entry, tenant and keys to recognise Stripe's own event by."""
    outcome = await writing.write(make(writing.stage))

    (announced,) = writing.announced
    command = announced.record.command
    assert (command.event_type, command.raw_type) == ANNOUNCED[operation]
    assert announced.outcome == outcome
    assert (announced.record.tenant, announced.record.key) == ("operator", "key-1")
    assert [announced.record.stripe_key] == writing.keys_sent


@every_write
async def test_a_store_that_is_down_keeps_the_write_from_going_out(
    writing: Writing, operation: str, make: MakeCommand
) -> None:
    """No record, no write: the caller may repeat it with the same key, and nothing has happened."""
    command = make(writing.stage)
    writing.store.down = {"begin"}

    with pytest.raises(Refused) as answer:
        await writing.write(command)
    refusal, sent = answer.value, list(writing.inner.sent)
    writing.store.down = set()
    outcome = await writing.write(command)

    assert (refusal.code, refusal.retryable) == (RefusalCode.UPSTREAM_UNAVAILABLE, True)
    assert sent == []
    assert outcome.replayed is False
    assert len(writing.announced) == 1


async def test_a_full_journal_keeps_the_write_from_going_out() -> None:
    """It never forgets a record early to make room for another."""
    writing = Writing.over(records_max=1)
    await writing.write(detach(writing.stage, "key-1"))

    with pytest.raises(Refused) as answer:
        await writing.write(detach(writing.stage, "key-2"))

    assert (answer.value.code, answer.value.retryable) == (RefusalCode.UPSTREAM_UNAVAILABLE, True)
    assert len(writing.inner.sent) == 1


async def test_a_full_journal_still_answers_the_writes_it_knows() -> None:
    """A retry needs no room."""
    writing = Writing.over(records_max=1)
    command = detach(writing.stage)
    await writing.write(command)

    again = await writing.write(command)

    assert again.replayed is True


async def test_a_new_attempt_that_cannot_be_recorded_does_not_go_out(writing: Writing) -> None:
    """Its Stripe key would be forgotten, and its webhook would find no caller."""
    command = detach(writing.stage)
    writing.inner.before = [refused()]
    with pytest.raises(Refused):
        await writing.write(command)
    writing.store.down = {"recorded"}

    with pytest.raises(Refused) as answer:
        await writing.write(command)

    assert (answer.value.code, answer.value.retryable) == (RefusalCode.UPSTREAM_UNAVAILABLE, True)
    assert len(writing.inner.sent) == 1


@every_write
async def test_a_repeat_is_answered_from_the_record(
    writing: Writing, operation: str, make: MakeCommand
) -> None:
    """Nothing goes out again, and nothing is announced again."""
    command = make(writing.stage)
    first = await writing.write(command)

    again = await writing.write(command)

    assert again == replace(first, replayed=True)
    assert len(writing.inner.sent) == 1
    assert len(writing.announced) == 1


async def test_the_same_key_with_other_input_is_refused(writing: Writing) -> None:
    """A key stands for one attempt, and the caller is told before anything goes out."""
    await writing.write(detach(writing.stage))

    with pytest.raises(Refused) as answer:
        await writing.write(detach(writing.stage))

    assert answer.value.code is RefusalCode.IDEMPOTENCY_KEY_REUSED
    assert len(writing.inner.sent) == 1


async def test_trouble_while_announcing_leaves_the_success_standing(
    writing: Writing, caplog: pytest.LogCaptureFixture
) -> None:
    """Stripe has done it: an answer that says otherwise would make the caller do it again."""
    command = detach(writing.stage)
    writing.announcing = [ConnectionError("the log is down")]

    outcome = await writing.write(command)
    again = await writing.write(command)

    assert (outcome.replayed, again.replayed) == (False, True)
    assert (await recorded(writing, "detach")).outcome == outcome
    assert "could not be announced" in caplog.text


async def test_trouble_while_recording_the_outcome_leaves_the_success_standing(
    writing: Writing, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is answered and the world is told, although the journal does not know."""
    writing.store.down = {"done"}

    outcome = await writing.write(detach(writing.stage))

    assert outcome.replayed is False
    assert [announced.outcome for announced in writing.announced] == [outcome]
    assert "could not be recorded" in caplog.text


async def test_after_an_unrecorded_outcome_a_repeat_changes_nothing(writing: Writing) -> None:
    """The journal takes it for unknown and sends the same key, which Stripe answers from memory;
    what is announced again bears the same key, so that the intake takes it for the same fact."""
    command = detach(writing.stage)
    writing.store.down = {"done"}
    first = await writing.write(command)
    writing.store.down = set()

    again = await writing.write(command)

    assert again == replace(first, replayed=True)
    assert len(set(writing.keys_sent)) == 1
    assert {announced.record.stripe_key for announced in writing.announced} == set(
        writing.keys_sent
    )


async def test_a_refusal_before_anything_went_out_needs_no_record(writing: Writing) -> None:
    """The caller learns the rule that was broken: what has not gone out is sent by nobody else."""
    writing.inner.before = [refused()]
    writing.store.down = {"refused"}

    with pytest.raises(Refused) as answer:
        await writing.write(detach(writing.stage))

    assert answer.value.code is RefusalCode.INVOICE_NOT_OPEN
    assert writing.announced == []


async def test_a_refusal_after_it_went_out_is_told_only_if_it_is_recorded(
    writing: Writing,
) -> None:
    """The record says that it is out, so that it will be sent again: told as refused, it could be
    done after all."""
    writing.inner.after = [refused()]
    writing.store.down = {"refused"}

    with pytest.raises(Refused) as answer:
        await writing.write(detach(writing.stage))

    told = answer.value
    assert (told.code, told.retryable) == (RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, True)
    assert "upstream says no" in told.message


@every_write
async def test_a_write_goes_on_when_its_caller_goes_away(
    writing: Writing, operation: str, make: MakeCommand
) -> None:
    """A closed tab must not leave a payment half attached, nor the others untold."""
    command = make(writing.stage)
    writing.inner.gate.clear()
    caller = asyncio.create_task(writing.write(command))
    await writing.is_out()

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    unfinished = list(writing.announced)
    writing.inner.gate.set()
    await writing.backend.close()

    assert unfinished == []
    assert len(writing.announced) == 1
    assert (await recorded(writing, operation)).outcome is not None
    assert (await writing.write(command)).replayed is True


async def test_closing_waits_for_the_writes_that_are_out(writing: Writing) -> None:
    """A stop of the process ends no write in the middle."""
    writing.inner.gate.clear()
    write = asyncio.create_task(writing.write(detach(writing.stage)))
    await writing.is_out()

    closing = asyncio.create_task(writing.backend.close())
    writing.inner.gate.set()
    await closing

    assert writing.steps == ["begin", "send", "sending", "done", "announce", "announced"]
    assert (await write).replayed is False


async def test_closing_survives_a_write_that_fails(writing: Writing) -> None:
    """The refusal belongs to the caller."""
    writing.inner.gate.clear()
    writing.inner.before = [refused()]
    write = asyncio.create_task(writing.write(detach(writing.stage)))
    await writing.is_out()

    closing = asyncio.create_task(writing.backend.close())
    writing.inner.gate.set()
    await closing

    assert writing.steps[-1] == "refused"
    with pytest.raises(Refused):
        await write


async def test_the_caller_is_found_by_the_key_that_went_out(writing: Writing) -> None:
    """A webhook that overtakes our own answer names the key; it already leads to the caller."""
    writing.inner.gate.clear()
    write = asyncio.create_task(writing.write(detach(writing.stage), PARTNER))
    await writing.is_out()

    while_out = await callers_of(writing.store)(writing.keys_sent[0])
    writing.inner.gate.set()
    await write

    assert while_out == ("partner", "key-1")
    assert await callers_of(writing.store)(writing.keys_sent[0]) == ("partner", "key-1")
    assert await callers_of(writing.store)(f"{writing.keys_sent[0]}-attach") == while_out
    assert await callers_of(writing.store)("key-1") is None
