"""Idempotency keys belong to a tenant; what they give back is for who may see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.sandbox.stripe_api.faults import Fault, FaultKind
from schema.ports import (
    AttachPayment,
    Command,
    CreateCreditNote,
    CreditNoteDraft,
    DetachPayment,
    Meter,
    RefusalCode,
    Refused,
    Viewer,
    Writes,
)
from tests.support.backends import journal_of
from tests.support.stage import ACME, GLOBEX, Stage
from tests.support.upstream import stripe_through_sandbox
from tests.tenancy import account
from tests.tenancy.documents import ATTACH, DETACH
from tests.tenancy.world import BACKENDS, World

CREDIT = """mutation ($invoice: ID!, $key: String!) { createCreditNote(input: {
  creditNote: {invoiceId: $invoice, amountMinorUnits: 1, outOfBandMinorUnits: 1},
  idempotencyKey: $key}) {
  replayed creditNote { id } invoice { id } errors { code message path } } }"""
WRITES = {"attach": ATTACH, "detach": DETACH, "credit": CREDIT}


async def write(world: World, caller: str, operation: str, owner: str, key: str) -> dict[str, Any]:
    """The payload of one write on objects of the owner; the invoice to be detached from is paid."""
    owned = world.account.owned[owner]
    sent = {"invoice": owned.recorded if operation == "credit" else owned.open, "key": key}
    if operation != "credit":
        sent["intent"] = owned.free
    body = await world.ask(caller, WRITES[operation], **sent)
    (payload,) = body["data"].values()
    found: dict[str, Any] = payload
    return found


async def prepared(world: World, operation: str, *owners: tuple[str, str]) -> None:
    """What is to be detached is attached before."""
    for caller, owner in owners:
        if operation == "detach":
            assert (await write(world, caller, "attach", owner, "before"))["errors"] == []


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("backend", BACKENDS)
async def test_the_same_key_of_two_tenants_is_two_writes(
    backend: str, operation: str, tmp_path: Path
) -> None:
    """Neither is a replay of the other, nor a key that was used before."""
    both = (("acme", account.ACME), ("globex", account.GLOBEX))
    async with BACKENDS[backend](tmp_path) as world:
        await prepared(world, operation, *both)

        first = [await write(world, caller, operation, owner, "key") for caller, owner in both]
        again = [await write(world, caller, operation, owner, "key") for caller, owner in both]

    assert [(one["replayed"], one["errors"]) for one in first] == [(False, []), (False, [])]
    assert [(one["replayed"], one["errors"]) for one in again] == [(True, []), (True, [])]


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_key_that_another_tenant_used_is_not_reused(
    backend: str, operation: str, tmp_path: Path
) -> None:
    """Only within a tenant does the same key with other input give itself away."""
    async with BACKENDS[backend](tmp_path) as world:
        await prepared(world, operation, ("acme", account.ACME))
        await write(world, "acme", operation, account.ACME, "key")

        of_globex = await write(world, "globex", operation, account.ACME, "key")
        of_a_colleague = await write(world, "colleague", operation, account.INITECH, "key")

    assert codes(of_globex) == ["NOT_FOUND"]
    assert codes(of_a_colleague) == ["IDEMPOTENCY_KEY_REUSED"]


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_replay_shows_nothing_to_a_colleague_with_other_customers(
    backend: str, operation: str, tmp_path: Path
) -> None:
    """A tenant's second client repeats the first one's write, and finds no such invoice: as with
    a key that nobody has used."""
    async with BACKENDS[backend](tmp_path) as world:
        await prepared(world, operation, ("acme", account.ACME))
        done = await write(world, "acme", operation, account.ACME, "key")

        replay = await write(world, "colleague", operation, account.ACME, "key")
        unused = await write(world, "colleague", operation, account.ACME, "another key")
        own = await write(world, "acme", operation, account.ACME, "key")

    assert done["errors"] == []
    assert replay == unused
    assert codes(replay) == ["NOT_FOUND"]
    assert replay.get("detachedInvoicePaymentId") is None
    assert (own["replayed"], own["errors"]) == (True, [])


def codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["errors"]]


FIRST = Viewer("partner", customers=frozenset({ACME}), caller="first")
SECOND = Viewer("partner", customers=frozenset({GLOBEX}), caller="second")


@dataclass(frozen=True, slots=True)
class Trial:
    """One write: `looks` are the reads before it is sent, `times_done` how often it took place."""

    send: Callable[[Writes, Viewer], Awaitable[Any]]
    looks: int
    times_done: Callable[[], int]


def sending(command: Command) -> Callable[[Writes, Viewer], Awaitable[Any]]:
    return lambda writes, viewer: writes.write(viewer, command, Meter(viewer.tenant))


def credit(stage: Stage) -> Trial:
    invoice_id, _ = stage.paid_by(1000)
    command = CreateCreditNote(CreditNoteDraft(invoice_id, 100, out_of_band=100), "key")
    return Trial(
        sending(command),
        1,
        lambda: len(stage.twin.credit_notes.matching("invoice_id", invoice_id)),
    )


def attach(stage: Stage) -> Trial:
    invoice_id, intent_id = stage.open_invoice(1000), stage.succeeded(400)
    command = AttachPayment(invoice_id, "key", payment_intent_id=intent_id)
    return Trial(
        sending(command),
        2,
        lambda: len(stage.twin.invoice_payments.matching("source_id", intent_id)),
    )


def detach(stage: Stage) -> Trial:
    invoice_id, (intent_id, _) = stage.paid_by(400, 600)
    command = DetachPayment(invoice_id, intent_id, "key")
    return Trial(
        sending(command),
        1,
        lambda: 1 - len(stage.twin.invoice_payments.matching("source_id", intent_id)),
    )


@pytest.mark.parametrize("made", [credit, attach, detach], ids=["credit", "attach", "detach"])
async def test_a_colleague_does_not_end_a_write_whose_outcome_is_unknown(
    made: Callable[[Stage], Trial],
) -> None:
    """Stripe has done it, and its answer is lost. A colleague with other customers who repeats it
    finds no such invoice, and the first one's repeat still carries the key that Stripe knows."""
    stage = Stage.empty()
    trial = made(stage)
    async with stripe_through_sandbox(stage.twin) as (inner, sandbox):
        writes = journal_of(inner, stage.clock.now)
        lost = Fault(FaultKind.ANSWER, status=502, body={})
        sandbox.faults.add(FaultKind.RESET_AFTER, method="POST")
        sandbox.faults.add(lost, method="POST", times=None)
        sandbox.faults.add(lost, method="GET", times=None, after=trial.looks)
        in_doubt = await refusal(trial.send(writes, FIRST))
        sandbox.faults.clear()

        of_second = await refusal(trial.send(writes, SECOND))
        done = await trial.send(writes, FIRST)
        replayed = await trial.send(writes, FIRST)

    assert (in_doubt, of_second) == (RefusalCode.UPSTREAM_OUTCOME_UNKNOWN, RefusalCode.NOT_FOUND)
    assert trial.times_done() == 1
    assert replayed == replace(done, replayed=True)


async def refusal(write: Awaitable[Any]) -> RefusalCode:
    with pytest.raises(Refused) as caught:
        await write
    return caught.value.code
