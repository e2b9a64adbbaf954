"""The commands for writes without an end: what is open, what is known of one, and how a person
who has looked at Stripe ends it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.settings import Settings, SettingsRefused, read_settings

if TYPE_CHECKING:
    from gateway.backends.journal.open_writes import Resolving
    from gateway.backends.journal.records import WriteRecord
    from gateway.backends.stripe.client import StripeApi
    from schema.ports import Outcome

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
    """Print what is open, oldest first; only what is undecidable needs a person."""

    async def work(writes: Resolving) -> None:
        found = await writes.open_writes()
        if not found:
            typer.echo("No write is open.")
        for one in found:
            typer.echo(
                f"{one.state:<12} {_shown(one.recorded_at)}  {one.operation:<12} "
                f"{one.command.invoice_id}  {one.stripe_key}"
            )

    _run(work)


@writes_app.command()
def show(stripe_key: StripeKey) -> None:
    """Print what is known of one write, and what to look at."""

    async def work(writes: Resolving) -> None:
        for name, value in _facts(await writes.write(stripe_key)):
            if value is not None:
                typer.echo(f"{name + ':':<18}{value}")

    _run(work)


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
) -> None:
    """End an undecidable write, after a look at Stripe's dashboard."""
    if (done is None) != not_done:
        typer.echo("Say either --done with an id, or --not-done.", err=True)
        raise typer.Exit(1)

    async def work(writes: Resolving, api: StripeApi | None = None) -> None:
        record = await writes.write(stripe_key)
        if done is None:
            await writes.deny(record)
            typer.echo(f"{record.stripe_key}: not done. Its idempotencyKey may try again.")
            return
        await writes.confirm(record, await _outcome(record, done, api))
        typer.echo(f"{record.stripe_key}: done. A gateway that runs announces it within 30 s.")

    _run(work, work)


async def _outcome(record: WriteRecord, object_id: str, api: StripeApi | None) -> Outcome:
    """What a repeat will be answered, with the ids checked at Stripe where there is one."""
    from gateway.backends.journal.open_writes import ResolveRefused
    from schema.ports import (
        Attached,
        AttachPayment,
        CreateCreditNote,
        CreditNoteCreated,
        Detached,
    )

    command, invoice_id = record.command, record.command.invoice_id
    prefix = "cn_" if isinstance(command, CreateCreditNote) else "inpay_"
    if not object_id.startswith(prefix) or not object_id.replace("_", "").isalnum():
        raise ResolveRefused(f"--done takes an id like {prefix}... for this write")
    customer_id = record.found.customer_id
    if api is not None:
        customer_id = await _checked(api, record, object_id)
    if isinstance(command, CreateCreditNote):
        return CreditNoteCreated(invoice_id, object_id, customer_id)
    if isinstance(command, AttachPayment):
        return Attached(invoice_id, object_id, customer_id, command.payment_intent_id)
    return Detached(invoice_id, object_id, customer_id, command.payment_intent_id)


async def _checked(api: StripeApi, record: WriteRecord, object_id: str) -> str | None:
    """Whose the invoice is. What was attached or credited must be its own; what was detached is
    gone. Raises `ResolveRefused`, `Failed`."""
    from gateway.backends.journal.open_writes import ResolveRefused
    from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
    from gateway.backends.stripe.reads.intake_lookup import StripeLookup
    from schema.ports import Meter

    invoice_id = record.command.invoice_id
    if record.operation != "detach":
        noun = "credit_notes" if record.operation == "credit_note" else "invoice_payments"
        found = await api.get(f"/v1/{noun}/{object_id}", {}, Meter(SYSTEM_CALLER))
        if found.get("invoice") != invoice_id:
            raise ResolveRefused(f"{object_id} is not of {invoice_id}")
    _, customer_id = await StripeLookup(api).customer_of(invoice_id)
    return customer_id


def _facts(record: WriteRecord) -> list[tuple[str, object]]:
    """Without references and metadata, which may be personal."""
    from gateway.backends.guarded import shown_command

    found = record.found
    return [
        ("state", record.state.value),
        ("operation", record.operation),
        ("tenant", record.tenant),
        ("idempotency key", record.key),
        ("key at Stripe", record.stripe_key),
        ("attempt", record.attempt),
        ("recorded", _shown(record.recorded_at)),
        ("first sent", _shown(record.sent_at)),
        ("last sent", _shown(record.tried_at)),
        ("input", shown_command(record.command)),
        ("payment before", found.payment_id),
        ("reported as", found.payment_record_id),
        ("outcome", record.outcome),
        ("look at", _where_to_look(record)),
    ]


def _where_to_look(record: WriteRecord) -> str | None:
    from gateway.backends.journal.records import State

    if record.state is not State.UNDECIDABLE:
        return None
    invoice_id = record.command.invoice_id
    key = record.stripe_key
    return {
        "attach": f"the payments of {invoice_id}: is the payment among them, or was it since taken "
        f"off? A reported one carries {key} in its metadata",
        "detach": f"the payments of {invoice_id}: is {record.found.payment_id} gone?",
        "credit_note": f"the credit notes of {invoice_id}: does one carry {key} in its metadata?",
    }[record.operation]


def _shown(instant: int | None) -> str | None:
    if instant is None:
        return None
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Work = Callable[["Resolving"], Awaitable[None]]
WorkAtStripe = Callable[["Resolving", "StripeApi | None"], Awaitable[None]]


def _run(work: Work, at_stripe: WorkAtStripe | None = None) -> None:
    """The work, over the journal that the settings name; at Stripe too, where that is wanted."""
    from gateway.backends.journal.open_writes import ResolveRefused
    from gateway.logs import configure
    from gateway.storage import StoreRefused
    from schema.ports import Failed

    try:
        settings = _settings()
        if not settings.is_durable and settings.redis_url is None:
            raise SettingsRefused(
                "These settings keep the journal in the gateway's memory, so there is nothing to "
                "look at: set what the gateway runs with, GATEWAY_DATA_DIR or GATEWAY_REDIS_URL."
            )
        configure(format=settings.log_format, level="warning", stream=sys.stderr)
        asyncio.run(_opened(settings, work, at_stripe))
    except (SettingsRefused, StoreRefused, ResolveRefused, Failed, OSError) as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from refused


def _settings() -> Settings:
    """Those of the gateway whose journal it is: with a key for Stripe it serves Stripe."""
    settings = read_settings()
    return settings if settings.stripe_api_key is None else read_settings(backend="stripe")


async def _opened(settings: Settings, work: Work, at_stripe: WorkAtStripe | None) -> None:
    from gateway.backends.journal.open_writes import Resolving
    from gateway.clock import RandomIds, SystemClock
    from gateway.composition.callers import open_audit_trail
    from gateway.composition.gateway import stripe_api
    from gateway.composition.stores import open_stores

    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stores = await open_stores(settings, clock, RandomIds(), stack)
        trail = open_audit_trail(settings, clock, stack)
        writes = Resolving(stores.journal, trail)
        if at_stripe is None:
            await work(writes)
            return
        api = stripe_api(settings, stores.redis) if settings.backend == "stripe" else None
        if api is not None:
            stack.push_async_callback(api.close)
        await at_stripe(writes, api)
