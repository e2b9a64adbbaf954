"""The commands for writes without an end: what is open, what is known of one, and how a person
who has looked at Stripe ends it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.backends.guarded import shown_command
from gateway.backends.journal.open_writes import ResolveRefused, Resolving
from gateway.backends.journal.records import Move, State, WriteRecord
from gateway.cli.running import run, shown, stopped
from gateway.clock import RandomIds, SystemClock
from gateway.settings import Settings, SettingsRefused, read_settings
from schema.ports import Meter, Outcome, Reallocated

if TYPE_CHECKING:
    from gateway.backends.stripe.client import StripeApi

writes_app = typer.Typer(
    help="Writes whose end is not known. A SQLite journal belongs to the gateway while it runs; "
    "one in Redis can be looked at any time.",
    no_args_is_help=True,
)

StripeKey = Annotated[
    str, typer.Argument(help="The write's key at Stripe, as list prints it, or how it begins.")
]


@writes_app.command(name="list")
def list_writes() -> None:
    """Print what is open, oldest first; only what is undecidable or free needs a person."""

    async def work(settings: Settings) -> None:
        async with _journal(settings) as (writes, _):
            found = await writes.open_writes()
        if not found:
            typer.echo("No write is open.")
        for one in found:
            typer.echo(
                f"{one.state:<12} {shown(one.recorded_at)}  {one.operation:<17} "
                f"{one.command.invoice_id}  {one.stripe_key}"
            )

    run(work, _settings)


@writes_app.command()
def show(stripe_key: StripeKey) -> None:
    """Print what is known of one write, and what to look at."""

    async def work(settings: Settings) -> None:
        async with _journal(settings) as (writes, _):
            record = await writes.write(stripe_key)
        for name, value in _facts(record).items():
            if value is not None:
                typer.echo(f"{name + ':':<18}{value}")

    run(work, _settings)


@writes_app.command()
def resolve(
    stripe_key: StripeKey,
    done: Annotated[
        str | None,
        typer.Option(
            help="It was done: the id of the invoice payment that was attached or detached "
            "(inpay_...), or of the credit note (cn_...)."
        ),
    ] = None,
    not_done: Annotated[
        bool, typer.Option("--not-done", help="It was not done: its idempotencyKey is free again.")
    ] = False,
    seen_to: Annotated[
        bool,
        typer.Option(
            "--seen-to", help="The payment that it left free was attached elsewhere, or given back."
        ),
    ] = False,
) -> None:
    """End an undecidable write, or one that has left a payment free, after a look at Stripe's
    dashboard."""
    if (done is not None) + not_done + seen_to != 1:
        raise stopped("Say either --done with an id, or --not-done. A free one takes --seen-to.")

    async def work(settings: Settings) -> None:
        async with _journal(settings, at_stripe=True) as (writes, api):
            record = await writes.write(stripe_key)
            if seen_to:
                await writes.seen_to(record)
                typer.echo(f"{record.stripe_key}: seen to.")
            elif done is None:
                await writes.deny(record)
                typer.echo(f"{record.stripe_key}: not done. Its idempotencyKey may try again.")
            else:
                writes.check(record, Move.CONFIRM)
                await writes.confirm(record, await _outcome(record, done, api))
                typer.echo(
                    f"{record.stripe_key}: done. A gateway that runs announces it within 30 s."
                )

    run(work, _settings)


async def _outcome(record: WriteRecord, object_id: str, api: StripeApi | None) -> Outcome:
    """What a repeat will be answered, with the ids checked at Stripe where there is one."""
    prefix = {"credit_notes": "cn_", "invoice_payments": "inpay_"}[record.command.told_by]
    if not object_id.startswith(prefix) or not object_id.replace("_", "").isalnum():
        raise ResolveRefused(f"--done takes an id like {prefix}... for this write")
    customer_id = record.found.customer_id
    if api is not None:
        customer_id = await _checked(api, record, object_id)
    return record.command.outcome(object_id, customer_id)


async def _checked(api: StripeApi, record: WriteRecord, object_id: str) -> str | None:
    """Whose the invoice is. What was attached or credited must be its own; what was detached is
    gone. Raises `ResolveRefused`, `Failed`."""
    from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
    from gateway.backends.stripe.reads.event_reads import StripeLookup

    invoice_id = record.command.invoice_id
    if record.command.operation != "detach":
        noun = record.command.told_by
        found = await api.get(f"/v1/{noun}/{object_id}", {}, Meter(SYSTEM_CALLER))
        if found.get("invoice") != invoice_id:
            raise ResolveRefused(f"{object_id} is not of {invoice_id}")
    lookup = StripeLookup(api)
    await lookup.turn(invoice_id)
    return (await lookup.invoice(invoice_id)).customers.get(invoice_id)


def _facts(record: WriteRecord) -> dict[str, object]:
    """Without references and metadata, which may be personal."""
    return {
        "state": record.state.value,
        "operation": record.operation,
        "tenant": record.tenant,
        "idempotency key": record.key,
        "key at Stripe": record.stripe_key,
        "attempt": record.attempt,
        "recorded": shown(record.recorded_at),
        "first sent": shown(record.sent_at),
        "last sent": shown(record.tried_at),
        "input": shown_command(record.command),
        "payment before": record.found.payment_id,
        "reported as": record.found.payment_record_id,
        "outcome": record.outcome,
        "look at": _where_to_look(record),
    }


def _where_to_look(record: WriteRecord) -> str | None:
    if record.state is State.FREE:
        return _what_is_free(record)
    if record.state is not State.UNDECIDABLE:
        return None
    invoice_id = record.command.invoice_id
    key = record.stripe_key
    return {
        "attach": f"the payments of {invoice_id}: is the payment among them, or was it since taken "
        f"off? A reported one carries {key} in its metadata",
        "detach": f"the payments of {invoice_id}: is {record.found.payment_id} gone?",
        "credit_note": f"the credit notes of {invoice_id}: does one carry {key} in its metadata?",
        "void_credit_note": f"the credit notes of {invoice_id}: is the note void?",
    }[record.command.operation]


def _what_is_free(record: WriteRecord) -> str:
    assert isinstance(record.outcome, Reallocated)
    return (
        f"{record.outcome.payment_intent_id}, which pays nothing: attach it to an open invoice or "
        "give it back, then say --seen-to"
    )


def _settings() -> Settings:
    """Those of the gateway whose journal it is: with a key for Stripe it serves Stripe."""
    settings = read_settings()
    if settings.stripe_api_key is not None:
        settings = read_settings(backend="stripe")
    if not settings.is_durable and settings.redis_url is None:
        raise SettingsRefused(
            "These settings keep the journal in the gateway's memory, so there is nothing to look "
            "at: set what the gateway runs with, GATEWAY_DATA_DIR or GATEWAY_REDIS_URL."
        )
    return settings


@asynccontextmanager
async def _journal(
    settings: Settings, *, at_stripe: bool = False
) -> AsyncIterator[tuple[Resolving, StripeApi | None]]:
    """The writes that these settings keep, and the account where it is wanted and there is one."""
    from gateway.composition.callers import open_audit_trail
    from gateway.composition.stores import open_stores
    from gateway.composition.upstream import connected

    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stores = await open_stores(settings, clock, RandomIds(), stack)
        writes = Resolving(stores.journal, open_audit_trail(settings, clock, stack))
        api = None
        if at_stripe and settings.backend == "stripe":
            api = await stack.enter_async_context(connected(settings, stores.redis))
        yield writes, api
