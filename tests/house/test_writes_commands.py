"""The commands for writes without an end, run on a journal that a gateway has left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.backends.journal.durable import SqliteJournalStore
from gateway.backends.journal.record_store import JournalStore
from gateway.backends.journal.records import State, WriteRecord
from gateway.sandbox.stripe_api import Sandbox, running_sandbox
from gateway.storage.sqlite_store import SqliteStore
from schema import records
from schema.ports import (
    Attached,
    AttachPayment,
    CreditNoteCreated,
    CreditNoteDraft,
    Detached,
    ReallocatePayment,
)
from tests.journal.records import COMMANDS, OUTCOMES, record
from tests.support.command_line import run_apart, run_here
from tests.support.stage import ACME, Stage

INVOICE = "in_1"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """An account with an invoice that is paid by one intent."""
    stage = Stage.empty()
    stage.open_invoice(500, invoice_id=INVOICE)
    stage.twin.attach(INVOICE, stage.succeeded(500))
    async with running_sandbox(stage.twin) as running:
        yield running


def paid_by(sandbox: Sandbox) -> records.InvoicePayment:
    payments = sandbox.twin.invoice_payments.matching("invoice_id", INVOICE)
    (paid,) = [one for one in payments if one.status == "paid"]
    return paid


class Journal:
    """The file of a gateway that has ended; opened only while a test looks at it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def left(self, **fields: Any) -> WriteRecord:
        """An attach of the intent, of which nobody knows whether it was done."""
        command = AttachPayment("in_1", "key-1", payment_intent_id="pi_1")
        given = {"operation": "attach", "command": command, "state": State.UNDECIDABLE}
        written = record(**{**given, **fields})

        async def begin(journal: JournalStore) -> None:
            assert await journal.begin(written) is None

        await self._with(begin)
        return written

    async def now(self, written: WriteRecord) -> WriteRecord:
        found: list[WriteRecord | None] = []

        async def look(journal: JournalStore) -> None:
            found.append(await journal.by_stripe_key(written.stripe_key))

        await self._with(look)
        assert found[0] is not None
        return found[0]

    async def _with(self, work: Any) -> None:
        store = await SqliteStore.open(self.folder / "gateway.sqlite3")
        try:
            await work(await SqliteJournalStore.open(store, now=lambda: 0))
        finally:
            await store.close()

    async def run(
        self, *arguments: str, url: str | None = None, command: Command = run_here
    ) -> tuple[int, str]:
        """Exit code and output of the command line."""
        environment = {
            "GATEWAY_DATA_DIR": str(self.folder),
            "STRIPE_API_KEY": "sk_test_any",
            "GATEWAY_STRIPE_API_BASE": url or "http://127.0.0.1:9",
        }
        code, told, complaints = await asyncio.to_thread(
            command, "writes", *arguments, **environment
        )
        return code, told + complaints


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


async def test_open_writes_are_listed(journal: Journal) -> None:
    """State, time, kind, invoice, and the key to go on with; what has ended is not there."""
    written = await journal.left()
    await journal.left(key="key-2", state=State.ANNOUNCED)

    code, told = await journal.run("list", command=run_apart)

    assert code == 0
    (line,) = told.splitlines()
    assert line.split() == [
        "undecidable", "2026-01-01T00:00:00Z", "attach", "in_1", written.stripe_key,
    ]  # fmt: skip


async def test_a_journal_without_open_writes_says_so(journal: Journal) -> None:
    """An empty answer would leave one wondering."""
    await journal.left(state=State.REFUSED)

    assert await journal.run("list") == (0, "No write is open.\n")


async def test_one_write_is_shown_with_what_to_look_at(journal: Journal) -> None:
    """By the beginning of its key, as one copies it by hand; without what may be personal."""
    command = replace(COMMANDS["attach of facts"], idempotency_key="key-1")
    written = await journal.left(command=command)

    code, told = await journal.run("show", written.stripe_key[:12])

    assert code == 0
    assert "undecidable" in told
    assert "look at:          the payments of in_1" in told
    assert written.stripe_key in told
    assert "transfer" not in told


async def test_what_was_done_is_what_repeats_are_answered(
    journal: Journal, sandbox: Sandbox
) -> None:
    """The id and whose it is are checked at Stripe; the gateway announces it when it runs."""
    written = await journal.left()
    payment = paid_by(sandbox)

    code, told = await journal.run(
        "resolve", written.stripe_key, "--done", payment.id, url=sandbox.url, command=run_apart
    )

    assert code == 0, told
    now = await journal.now(written)
    assert now.state is State.DONE
    assert now.outcome == Attached("in_1", payment.id, ACME, "pi_1")


@pytest.mark.parametrize(
    ("fields", "object_id", "outcome"),
    [
        pytest.param(
            {"operation": "detach", "command": COMMANDS["detach"]},
            "inpay_gone",
            Detached("in_1", "inpay_gone", ACME, "pi_1"),
            id="detach",
        ),
        pytest.param(
            {"operation": "credit_note", "command": COMMANDS["credit note"]},
            None,
            CreditNoteCreated("in_1", "cn_0001", ACME),
            id="credit note",
        ),
    ],
)
async def test_every_kind_of_write_can_be_resolved_as_done(
    journal: Journal, sandbox: Sandbox, fields: Any, object_id: str | None, outcome: Any
) -> None:
    """What was detached is gone from Stripe, so that only its invoice is looked up."""
    written = await journal.left(**fields)
    note = sandbox.twin.credit(CreditNoteDraft(INVOICE, 300, credit=300))

    told = await journal.run(
        "resolve", written.stripe_key, "--done", object_id or note.id, url=sandbox.url
    )

    assert told[0] == 0, told
    assert (await journal.now(written)).outcome == outcome


async def test_what_was_not_done_may_be_tried_again(journal: Journal) -> None:
    """Stripe is not asked: a person has looked."""
    written = await journal.left()

    code, told = await journal.run("resolve", written.stripe_key, "--not-done")

    assert code == 0, told
    assert (await journal.now(written)).state is State.REFUSED


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "Say either --done with an id, or --not-done.", id="neither"),
        pytest.param(["--done", "inpay_1", "--not-done"], "Say either --done", id="both"),
        pytest.param(["--done", "cn_1"], "takes an id like inpay_", id="another kind's id"),
        pytest.param(["--done", "inpay_1/../x"], "takes an id like inpay_", id="no id"),
        pytest.param(["--done", "inpay_none"], "No such", id="what Stripe does not know"),
    ],
)
async def test_a_mistake_changes_nothing(
    journal: Journal, sandbox: Sandbox, arguments: list[str], message: str
) -> None:
    """Money hangs on it, so that every mistake is told before anything is written."""
    written = await journal.left()

    code, told = await journal.run("resolve", written.stripe_key, *arguments, url=sandbox.url)

    assert code == 1
    assert message in told
    assert await journal.now(written) == written


async def test_another_invoices_payment_is_no_outcome(journal: Journal, sandbox: Sandbox) -> None:
    """A slip of the clipboard would announce what never happened."""
    written = await journal.left(
        command=AttachPayment("in_other", "key-1", payment_intent_id="pi_1")
    )
    payment = paid_by(sandbox)

    code, told = await journal.run(
        "resolve", written.stripe_key, "--done", payment.id, url=sandbox.url
    )

    assert (code, told) == (1, f"{payment.id} is not of in_other\n")
    assert await journal.now(written) == written


@pytest.mark.parametrize("state", [State.IN_DOUBT, State.SENDING, State.ANNOUNCED])
async def test_what_the_gateway_goes_on_with_is_not_for_a_person(
    journal: Journal, state: State
) -> None:
    """It may be sent this very moment."""
    written = await journal.left(state=state)

    code, told = await journal.run("resolve", written.stripe_key, "--not-done")

    assert code == 1
    assert f"is {state.value}, and only an undecidable one" in told
    assert await journal.now(written) == written


async def test_a_key_that_no_write_has_is_told(journal: Journal) -> None:
    """With the command that shows the right ones."""
    code, told = await journal.run("show", "gw_none")

    assert code == 1
    assert "no write has a key that begin with gw_none" in told


async def test_a_payment_that_was_left_free_is_listed_until_it_is_seen_to(journal: Journal) -> None:
    """It says what to do, and only that ends it."""
    written = await journal.left(
        operation="reallocate",
        command=COMMANDS["reallocation"],
        state=State.FREE,
        outcome=OUTCOMES["left free"],
    )

    _, listed = await journal.run("list")
    _, told = await journal.run("show", written.stripe_key)
    denied, why = await journal.run("resolve", written.stripe_key, "--not-done")
    claimed, why_not = await journal.run("resolve", written.stripe_key, "--done", "inpay_1")
    before = await journal.now(written)
    code, said = await journal.run("resolve", written.stripe_key, "--seen-to")

    assert listed.split()[0::2] == ["free", "reallocate", written.stripe_key]
    assert "pi_1, which pays nothing: attach it to an open invoice" in told
    assert "--seen-to" in told
    assert (denied, claimed) == (1, 1)
    assert "only an undecidable one" in why
    assert "only an undecidable one" in why_not
    assert before == written
    assert (code, said) == (0, f"{written.stripe_key}: seen to.\n")
    assert (await journal.now(written)).state is State.ANNOUNCED
    assert await journal.run("list") == (0, "No write is open.\n")


@pytest.mark.parametrize("step", ["detach", "attach"])
async def test_an_undecidable_step_is_shown_with_what_to_look_at(
    journal: Journal, step: str
) -> None:
    whole = COMMANDS["reallocation"]
    assert isinstance(whole, ReallocatePayment)
    command = whole.detaching() if step == "detach" else whole.attaching()
    written = await journal.left(operation=f"reallocate.{step}", command=command)

    code, told = await journal.run("show", written.stripe_key)

    assert code == 0
    assert f"reallocate.{step}" in told
    assert "look at:          the payments of in_" in told


async def test_an_undecidable_void_is_shown_with_what_to_look_at(journal: Journal) -> None:
    written = await journal.left(operation="void_credit_note", command=COMMANDS["void"])

    code, told = await journal.run("show", written.stripe_key)

    assert code == 0
    assert "look at:          the credit notes of in_1" in told
