"""A payment that is moved between invoices, killed at every step: always one of its legal ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from gateway.backends.guarded import AuditTrail
from gateway.backends.journal.attempt import STRIPE_KEY_SECONDS
from gateway.backends.journal.open_writes import ResolveRefused, Resolving
from gateway.backends.journal.record_store import (
    MemoryJournalStore,
    decoded_record,
    encoded_record,
    readable,
)
from gateway.backends.journal.records import State, WriteRecord
from gateway.storage import RecordUnreadable
from gateway.storage.record_codec import RecordCodec
from schema.ports import (
    Attached,
    AttachPayment,
    Detached,
    DetachPayment,
    Meter,
    Placed,
    Reallocated,
    ReallocatePayment,
    RefusalCode,
    Refused,
)
from tests.journal.mortal import OPERATOR, Account, Killed, Life, MortalStore
from tests.journal.writing import Writing

STEPS_MAX = 60
"""More than any of these has."""


@dataclass(slots=True)
class Moving:
    """A payment of 300 that is to go from an invoice of 1000 to another of 1000. As soon as it has
    left, others pay what remains of the invoices that are `closed`."""

    closed: tuple[str, ...] = ()
    account: Account = field(default_factory=Account)
    asked: ReallocatePayment = field(init=False)
    kept: Any = field(init=False)
    gone: str = field(init=False)

    def __post_init__(self) -> None:
        stage = self.account.stage
        source, (first, second) = stage.paid_by(700, 300)
        target = stage.open_invoice(1000)
        (self.kept,) = stage.twin.invoice_payments.matching("source_id", first)
        (gone,) = stage.twin.invoice_payments.matching("source_id", second)
        self.gone = gone.id
        self.asked = ReallocatePayment(second, source, target, "key-1")
        stage.twin.listeners.append(self._hear)

    def _hear(self, event: Any) -> None:
        if event.type == "invoice_payment.detached" and event.object.id == self.gone:
            ends = {"source": self.asked.from_invoice_id, "target": self.asked.to_invoice_id}
            closed, self.closed = self.closed, ()
            for name in closed:
                stage = self.account.stage
                rest = stage.twin.invoice(ends[name]).amount_remaining
                stage.twin.attach(ends[name], stage.succeeded(rest))

    @property
    def places(self) -> list[str]:
        """The invoices that the payment is on."""
        twin = self.account.stage.twin
        found = twin.invoice_payments.matching("source_id", self.asked.payment_intent_id)
        return [one.invoice_id for one in found if one.status == "paid"]

    def check_end(self, placed: Placed | None) -> None:
        """Where the payment must be, what the log must hold, and that all else is as it was; None:
        nothing was done."""
        twin, log = self.account.stage.twin, self.account.log
        where = {
            None: [self.asked.from_invoice_id],
            Placed.DONE: [self.asked.to_invoice_id],
            Placed.PUT_BACK: [self.asked.from_invoice_id],
            Placed.FREE: [],
        }[placed]
        assert self.places == where
        told = {None: [], Placed.FREE: ["DETACHED"]}.get(placed, ["DETACHED", "ATTACHED"])
        assert [(kind, key) for kind, key, _ in log] == [(kind, "key-1") for kind in told]
        assert twin.invoice_payments.get(self.kept.id) == self.kept
        for invoice_id in (self.asked.from_invoice_id, self.asked.to_invoice_id):
            book = twin.book(invoice_id)
            paid = sum(one.amount_paid or 0 for one in book.payments)
            assert book.credited == paid


ENDS = {
    Placed.DONE: (),
    Placed.PUT_BACK: ("target",),
    Placed.FREE: ("target", "source"),
}
every_end = pytest.mark.parametrize(("placed", "closed"), ENDS.items(), ids=list(ENDS))


@every_end
async def test_each_step_is_recorded_before_the_next(
    placed: Placed, closed: tuple[str, ...]
) -> None:
    """Nothing goes out before the journal says so, of the whole and of the step; and the second
    step begins when the first one is told."""
    moving, life = Moving(closed), Life()

    told = await moving.account.ask(moving.asked, life)

    again = ["begin reallocate.attach", "recorded reallocate.attach"]
    assert isinstance(told, Reallocated)
    assert told.placed is placed
    assert life.steps[:9] == [
        "begin reallocate",
        "begin reallocate.detach",
        "send detach",
        "sending reallocate",
        "sending reallocate.detach",
        "done reallocate.detach",
        "tell",
        "announced reallocate.detach",
        "begin reallocate.attach",
    ]
    rest = [one for one in life.steps[9:] if one != "sending reallocate"]
    first = ["send attach", "sending reallocate.attach"]
    done = ["done reallocate.attach", "tell", "announced reallocate.attach"]
    whole = ["done reallocate", "announced reallocate"]
    no, again = ["refused reallocate.attach"], [*again, *first]
    assert (
        rest
        == {
            Placed.DONE: [*first, *done, *whole],
            Placed.PUT_BACK: [*first, *no, *again, *done, *whole],
            Placed.FREE: [*first, *no, *again, *no, "free reallocate"],
        }[placed]
    )
    moving.check_end(placed)


@every_end
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_at_every_step_it_is_finished_by_itself(
    placed: Placed, closed: tuple[str, ...], after: bool
) -> None:
    """Nobody repeats it: either nothing has happened, or it is brought to its end."""
    for at in range(STEPS_MAX):
        moving, life = Moving(closed), Life(at, after)
        told = await moving.account.ask(moving.asked, life)
        if not isinstance(told, Killed):
            break

        await moving.account.settle(Life())

        moving.check_end(placed if moving.gone not in moving_ids(moving) else None)
        left = await moving.account.store.open_records()
        assert [one.state for one in left] == ([State.FREE] if moving.places == [] else [])
        again = await moving.account.ask(moving.asked, Life())
        assert isinstance(again, Reallocated)
        assert again.placed is placed
        moving.check_end(placed)
    else:
        raise AssertionError("it has no end")
    assert at > 12


def moving_ids(moving: Moving) -> set[str]:
    twin = moving.account.stage.twin
    found = twin.invoice_payments.matching("invoice_id", moving.asked.from_invoice_id)
    return {one.id for one in found}


@every_end
@pytest.mark.parametrize("first", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("second", ["caller", "settling"])
async def test_killed_twice_it_ends_all_the_same(
    placed: Placed, closed: tuple[str, ...], first: bool, second: str
) -> None:
    """Whoever goes on from where the first had died may die, too, at every step of its own."""
    for at in range(STEPS_MAX):
        for then in range(STEPS_MAX):
            moving = Moving(closed)
            told = await moving.account.ask(moving.asked, Life(at, first))
            if not isinstance(told, Killed):
                return
            life = Life(then, after=not first)
            if second == "caller":
                await moving.account.ask(moving.asked, life)
            else:
                await moving.account.settle(life)
            was_killed = life.is_over

            await moving.account.settle(Life())
            again = await moving.account.ask(moving.asked, Life())

            assert isinstance(again, Reallocated), (at, then, again)
            assert again.placed is placed
            moving.check_end(placed)
            if not was_killed:
                break
    raise AssertionError("it has no end")


async def test_what_never_went_out_is_not_begun_by_whoever_settles() -> None:
    """Nobody waits for it any more, and nothing has happened."""
    moving, life = Moving(), Life(4)  # before the word that the first step goes out
    await moving.account.ask(moving.asked, life)
    assert life.steps[-1] == "sending reallocate.detach"

    await moving.account.settle(Life())

    moving.check_end(None)
    assert await moving.account.store.open_records() == []


async def test_an_owner_that_stood_still_sends_nothing_once_it_was_closed() -> None:
    """It had said of the whole that it goes out, and not yet of the step. Another process closes
    both; then it wakes."""
    moving = Moving()
    account = moving.account
    stands_still, wakes = asyncio.Event(), asyncio.Event()

    class Standing(MortalStore):
        async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
            if record.operation == "reallocate.detach" and record.state is State.SENDING:
                stands_still.set()
                await wakes.wait()
            return await super().swap(record, version=version)

    first = account.process(Life())
    first.store = Standing(account.store, Life())
    call = asyncio.create_task(first.write(OPERATOR, moving.asked, Meter("operator")))
    await stands_still.wait()

    await account.settle(Life(), passes=1)
    wakes.set()
    with pytest.raises(Refused) as told:
        await call

    assert told.value.code is RefusalCode.IDEMPOTENCY_IN_PROGRESS
    moving.check_end(None)
    assert await account.store.open_records() == []


async def test_an_owner_that_stood_still_tells_what_another_has_made_of_it() -> None:
    """It was about to attach it to the other invoice. Meanwhile another process has been told that
    this will not take it, and has put it back."""
    moving = Moving(("target",))
    account = moving.account
    stands_still, wakes = asyncio.Event(), asyncio.Event()

    class Standing(MortalStore):
        async def swap(self, record: WriteRecord, *, version: int) -> WriteRecord | None:
            if record.operation == "reallocate.attach" and record.state is State.SENDING:
                stands_still.set()
                await wakes.wait()
            return await super().swap(record, version=version)

    first = account.process(Life())
    first.store = Standing(account.store, Life())
    call = asyncio.create_task(first.write(OPERATOR, moving.asked, Meter("operator")))
    await stands_still.wait()

    other = await account.ask(moving.asked, Life())
    wakes.set()
    told = await call

    assert isinstance(other, Reallocated)
    assert isinstance(told, Reallocated)
    assert (other.placed, told.placed) == (Placed.PUT_BACK, Placed.PUT_BACK)
    assert told.why == other.why
    moving.check_end(Placed.PUT_BACK)


@every_end
async def test_what_is_settled_is_one_line_of_the_audit_trail(
    placed: Placed, closed: tuple[str, ...]
) -> None:
    """That of the whole, whichever of its steps was open."""
    calm = Life()
    moving = Moving(closed)
    await moving.account.ask(moving.asked, calm)
    for at in (calm.steps.index("send detach"), calm.steps.index("send attach")):
        moving = Moving(closed)
        await moving.account.ask(moving.asked, Life(at, after=True))

        await moving.account.settle(Life())

        (line,) = [orjson.loads(one) for one in moving.account.trail]
        assert (line["operation"], line["caller"]) == ("reallocate", "gateway")
        assert line["result"]["placed"] == placed.value


async def test_a_repeat_is_told_the_same_end() -> None:
    """Why it was put back, too, after the process that knew it has died."""
    moving = Moving(("target",))
    told = await moving.account.ask(moving.asked, Life())

    again = await moving.account.ask(moving.asked, Life())

    assert isinstance(told, Reallocated)
    assert isinstance(again, Reallocated)
    assert again.replayed is True
    assert told.why is not None
    assert again.why == told.why
    assert told.why.code == RefusalCode.INVOICE_NOT_OPEN
    assert told.why.rule == "invoice_not_open"
    assert "put back onto in_0001" in told.why.message
    assert told.why.invoice_id == moving.asked.to_invoice_id


async def test_a_share_is_put_back_as_the_share_that_it_was() -> None:
    """The rest of the intent pays another invoice, and goes on doing so."""
    account = Account()
    stage = account.stage
    source, target, third = (stage.open_invoice(1000) for _ in range(3))
    intent_id = stage.succeeded(900)
    stage.twin.attach(third, intent_id, amount_requested=500)
    stage.twin.attach(source, intent_id, amount_requested=400)
    asked = ReallocatePayment(intent_id, source, target, "key-1", amount_requested=300)
    closing = [target]

    def hear(event: Any) -> None:
        if event.type == "invoice_payment.detached" and closing:
            closed = closing.pop()
            stage.twin.attach(closed, stage.succeeded(1000))

    stage.twin.listeners.append(hear)

    told = await account.ask(asked, Life())

    assert isinstance(told, Reallocated)
    assert told.placed is Placed.PUT_BACK
    found = stage.twin.invoice_payments.matching("source_id", intent_id)
    amounts = {one.invoice_id: one.amount_paid for one in found}
    assert amounts == {third: 500, source: 400}


async def test_a_free_payment_waits_for_a_person() -> None:
    """It is told what to do, stays in the list, is left alone by the gateway, and is over when
    somebody has seen to it."""
    moving = Moving(("target", "source"))
    told = await moving.account.ask(moving.asked, Life())
    resolving = resolving_of(moving.account)
    await moving.account.settle(Life())
    (open_one,) = await resolving.open_writes()

    after = await resolving.seen_to(open_one)

    assert isinstance(told, Reallocated)
    assert told.why is not None
    assert "is free and pays nothing now: attach it to an open invoice" in told.why.message
    assert (open_one.operation, open_one.state) == ("reallocate", State.FREE)
    assert after.state is State.ANNOUNCED
    assert await resolving.open_writes() == []
    again = await moving.account.ask(moving.asked, Life())
    assert isinstance(again, Reallocated)
    assert (again.placed, again.replayed) == (Placed.FREE, True)


async def test_only_a_free_one_is_seen_to() -> None:
    moving = Moving()
    await moving.account.ask(moving.asked, Life())
    resolving = resolving_of(moving.account)
    record = await whole(moving.account)

    with pytest.raises(ResolveRefused, match="only one that has left a payment free"):
        await resolving.seen_to(record)


def resolving_of(account: Account) -> Resolving:
    return Resolving(account.store, AuditTrail(account.stage.clock.now, account.trail.append))


async def whole(account: Account) -> WriteRecord:
    return account.store._records["operator", "reallocate", "key-1"]


@pytest.mark.parametrize("step", ["detach", "attach"])
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
async def test_a_step_that_only_a_person_can_decide_holds_up_the_whole(
    step: str, is_done: bool
) -> None:
    """Stripe has forgotten the step's key. It waits, is asked for once, and goes on by itself with
    what the person has found."""
    calm, moving = Life(), Moving()
    await moving.account.ask(moving.asked, calm)
    last = f"send {step}" if is_done else f"sending reallocate.{step}"
    moving = Moving()
    account, asked = moving.account, moving.asked
    await account.ask(asked, Life(calm.steps.index(last), after=True))
    account.backend._known.clear()  # as Stripe does after a day
    account.stage.clock.advance(STRIPE_KEY_SECONDS)

    await account.settle(Life())
    told = await account.ask(asked, Life())
    resolving = resolving_of(account)
    lines = len(account.trail)
    await account.settle(Life())

    assert isinstance(told, Refused)
    assert (told.code, told.retryable) == (RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, False)
    assert "goes on by itself once a person has decided" in told.message
    assert len(account.trail) == lines, "what waits for a person is not tried again and again"
    states = {one.operation: one.state for one in await resolving.open_writes()}
    assert states == {"reallocate": State.IN_DOUBT, f"reallocate.{step}": State.UNDECIDABLE}
    record = next(one for one in await resolving.open_writes() if one.whole)
    if is_done:
        found = account.stage.twin.invoice_payments.matching("source_id", asked.payment_intent_id)
        payment_id = moving.gone if step == "detach" else found[0].id
        assert isinstance(record.command, AttachPayment | DetachPayment)
        await resolving.confirm(record, record.command.outcome(payment_id, "cus_acme"))
    else:
        await resolving.deny(record)
    await account.settle(Life())
    moving.check_end(None if step == "detach" and not is_done else Placed.DONE)
    assert await resolving.open_writes() == []


async def test_a_full_journal_lets_in_the_steps_of_what_it_has_let_in() -> None:
    """Else a payment that has left one invoice could not go on to the other."""
    moving = Moving()
    account = moving.account
    account.store = MemoryJournalStore(account.stage.clock.now, records_max=1)

    told = await account.ask(moving.asked, Life())

    assert isinstance(told, Reallocated)
    moving.check_end(Placed.DONE)


async def test_nobody_hears_of_the_second_step_before_the_first() -> None:
    """The log takes no entry when the payment has left: it waits until it does, and the two entries
    stand in their order."""
    writing = Writing.over()
    stage = writing.stage
    source, (_, second) = stage.paid_by(700, 300)
    target = stage.open_invoice(1000)
    asked = ReallocatePayment(second, source, target, "key-1")
    writing.announcing = [OSError("the log is away"), OSError("the log is away")]

    with pytest.raises(Refused) as told:
        await writing.write(asked)
    attached = stage.twin.invoice(target).amount_paid
    done = await writing.write(asked)

    assert (told.value.code, told.value.retryable) == (RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, True)
    assert attached == 0
    assert isinstance(done, Reallocated)
    kinds = [one.record.command.event_type for one in writing.announced]
    assert kinds == ["DETACHED", "ATTACHED"]


@pytest.mark.parametrize(
    "trouble",
    [
        Refused(RefusalCode.UPSTREAM_RATE_LIMITED, "rate", "later", retryable=True),
        Refused(RefusalCode.UPSTREAM_UNAVAILABLE, "away", "later", retryable=True, settles=True),
        Refused(RefusalCode.UPSTREAM_REJECTED, "401", "the key has no right"),
        Refused(RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, "unknown", "lost", retryable=True),
    ],
    ids=lambda one: one.rule,
)
async def test_what_may_pass_does_not_put_it_back(trouble: Refused) -> None:
    """Only a refusal of the invoice's does, given by who holds the keys; else it goes on to where
    it was to go."""
    writing = Writing.over()
    stage = writing.stage
    source, (_, second) = stage.paid_by(700, 300)
    target = stage.open_invoice(1000)
    asked = ReallocatePayment(second, source, target, "key-1")
    writing.inner.attaching = [trouble]

    with pytest.raises(Refused) as told:
        await writing.write(asked)
    done = await writing.write(asked)

    assert (told.value.code, told.value.retryable) == (RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, True)
    assert isinstance(done, Reallocated)
    assert done.placed is Placed.DONE


async def test_an_older_release_leaves_the_whole_alone_and_can_finish_a_step() -> None:
    """It knows no such command: the record is passed over and stays. A step is an attach or a
    detach like any other, in the words that it has always had."""
    moving = Moving()
    await moving.account.ask(moving.asked, Life())
    records = list(moving.account.store._records.values())
    texts = [encoded_record(one) for one in records]
    kinds = [WriteRecord, AttachPayment, DetachPayment, Attached, Detached]
    older = RecordCodec(version=2, kinds=[*kinds, _found_of_old()])

    for record, text in zip(records, texts, strict=True):
        assert decoded_record(text) == record
        if record.whole is None:
            with pytest.raises(RecordUnreadable):
                older.decoded(text)
        else:
            assert older.decoded(text).command == record.command
    assert (
        readable(['{"v":2,"kind":"WriteRecord","command":{"kind":"Tomorrow"}}', *texts]) == records
    )


def _found_of_old() -> type:
    """What the releases before knew of what was found."""

    @dataclass(frozen=True, slots=True)
    class Found:
        customer_id: str | None = None
        payment_id: str | None = None
        payment_ids: tuple[str, ...] = ()
        payment_record_id: str | None = None

    return Found
