"""The commands that work on a Stripe account: catch-up, and what is registered for webhooks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.running import run, shown, stopped
from gateway.clock import RandomIds
from gateway.events.webhook import FOLLOWED_EVENTS, PREVIEW_EVENTS
from gateway.settings import Settings, read_settings

if TYPE_CHECKING:
    from gateway.backends.stripe.client import StripeApi
    from gateway.events.all_lists import ListRun
    from gateway.events.catch_up import Summary

webhook_app = typer.Typer(help="The webhooks that Stripe sends here.", no_args_is_help=True)

Url = Annotated[str, typer.Option(help="Address of the gateway's /webhooks/stripe, over https.")]

_of_stripe = partial(read_settings, backend="stripe")


def catch_up(
    since: Annotated[
        datetime,
        typer.Option(help="From this moment (UTC) on.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ],
) -> None:
    """Take in what Stripe lists since a moment, through the same door as webhooks."""
    run(partial(_catch_up, int(since.replace(tzinfo=UTC).timestamp())), _of_stripe)


async def _catch_up(since: int, settings: Settings) -> None:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from gateway.composition.gateway import opened_gateway

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    async with opened_gateway(settings, with_background=False) as gateway:
        assert gateway.catch_up is not None
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task("Catching up", total=1.0)

            def show(summary: Summary) -> None:
                span = max(1, summary.to - summary.from_)
                text = f"{summary.seen} events seen, {summary.taken} new"
                bar.update(task, completed=(summary.at - summary.from_) / span, description=text)

            ran = await gateway.catch_up.run(since, show)
        complete = await gateway.catch_up.last_complete()
    for name, one in ran.items():
        if one.summary is None:
            typer.echo(f"The list of {name} events was not read: {one.trouble}")
        else:
            _tell(name, one.summary)
    never = "It is not known yet that all was taken in."
    typer.echo(never if complete is None else f"All up to {shown(complete)} is taken in.")
    if any(_is_lacking(one) for one in ran.values()):
        raise typer.Exit(1)


def _tell(name: str, summary: Summary) -> None:
    typer.echo(
        f"{summary.seen} {name} events seen: {summary.taken} new, {summary.known} known, "
        f"{summary.ignored} not followed, {summary.failed} failed."
    )
    if summary.out_of_reach:
        typer.echo(
            f"What lies between {shown(summary.wanted_from)} and {shown(summary.from_)} is out "
            "of reach: Stripe lists events for 30 days."
        )


def _is_lacking(ran: ListRun) -> bool:
    """Whether another run may bring more."""
    return not ran.is_refused and (ran.summary is None or ran.summary.failed > 0)


Payload = Annotated[
    Literal["snapshot", "thin"],
    typer.Option(
        help="Which events: snapshot events, or thin ones, which tell of attached payments and "
        "canceled invoice payments as well. Stripe's word for it is event_payload."
    ),
]


@webhook_app.command()
def create(url: Url, payload: Payload = "snapshot") -> None:
    """Register for the events that are followed, and print the secret once."""
    from gateway.backends.stripe.registration import create_endpoint, create_thin_destination

    async def work(api: StripeApi) -> None:
        key = RandomIds().new("register")
        if payload == "thin":
            made = await create_thin_destination(
                api, url, events=FOLLOWED_EVENTS, idempotency_key=key
            )
            typer.echo(f"Destination {made.id}, {len(made.enabled_events)} thin events")
        else:
            made = await create_endpoint(
                api,
                url,
                events=FOLLOWED_EVENTS,
                preview_events=PREVIEW_EVENTS,
                idempotency_key=key,
            )
            typer.echo(f"Endpoint {made.id}, {len(made.enabled_events)} events, {made.api_version}")
        typer.echo(f"GATEWAY_STRIPE_WEBHOOK_SECRETS={made.secret}")
        for note in made.notes:
            typer.echo(note)

    run(partial(_at_stripe, work), _of_stripe)


@webhook_app.command()
def check(url: Url) -> None:
    """Compare what is registered at Stripe with what is needed; exit code 1 on a problem."""
    from gateway.backends.stripe.registration_check import check_registered

    async def work(api: StripeApi) -> None:
        found = await check_registered(
            api, url, events=FOLLOWED_EVENTS, preview_events=PREVIEW_EVENTS
        )
        for one in found:
            typer.echo(one.message)
        if any(one.is_problem for one in found):
            raise typer.Exit(1)
        typer.echo("What is registered is as it should be.")

    run(partial(_at_stripe, work), _of_stripe)


async def _at_stripe(work: Callable[[StripeApi], Awaitable[None]], settings: Settings) -> None:
    from gateway.backends.stripe.registration import RegistrationRefused
    from gateway.composition.upstream import connected

    async with connected(settings) as api:
        try:
            await work(api)
        except RegistrationRefused as refused:
            raise stopped(str(refused)) from refused
