"""The command line: serve, sdl, doctor. Each command is short; the work is done elsewhere."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Coroutine, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.journal import writes_app
from gateway.cli.running import certificates_unread, stopped
from gateway.cli.stripe_account import catch_up, webhook_app
from gateway.console import console_directory
from gateway.logs import configure
from gateway.settings import (
    Settings,
    SettingsRefused,
    findings,
    parsed_settings,
    read_settings,
    without_effect,
)
from gateway.storage import StoreRefused
from schema.ports import SCOPES

log = logging.getLogger(__name__)

app = typer.Typer(
    name="invoice-gateway",
    help="A GraphQL gateway over Stripe's invoices and their payments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

fixtures_app = typer.Typer(help="Work with fixtures files.", no_args_is_help=True)
token_app = typer.Typer(help="The tokens of clients.", no_args_is_help=True)
app.add_typer(fixtures_app, name="fixtures")
app.add_typer(webhook_app, name="webhook")
app.add_typer(token_app, name="token")
app.add_typer(writes_app, name="writes")
app.command(name="catch-up")(catch_up)

_DEFAULT_SCOPES = ["invoices:read", "events:read"]
_SANDBOX_PORT = 12111

Host = Annotated[str | None, typer.Option(help="Address to listen on. Default 127.0.0.1.")]
Port = Annotated[int | None, typer.Option(help="TCP port. Default 8000.", min=0, max=65535)]
BackendName = Annotated[
    Literal["memory", "stripe"] | None,
    typer.Option(help="What supplies the answers. Default memory, which needs no key."),
]
FixturesFile = Annotated[
    Path | None, typer.Option(help="Data of the memory backend; the demo when left out.")
]


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    backend: BackendName = None,
    fixtures: FixturesFile = None,
    with_sandbox: Annotated[
        bool,
        typer.Option(
            "--with-sandbox",
            help="Serve Stripe's backend against a sandbox in this process, webhooks included: "
            "the demo that is closest to production. Needs no key.",
        ),
    ] = False,
    sandbox_port: Annotated[
        int, typer.Option(help="TCP port of that sandbox.", min=0, max=65535)
    ] = _SANDBOX_PORT,
) -> None:
    """Start the gateway and serve until it is told to stop."""
    # The sandbox posts webhooks wherever it is told to, and does need the certificates.
    with nullcontext() if with_sandbox else certificates_unread():
        from gateway.cli.serving import serve_gateway, serve_with_sandbox

    try:
        settings = read_settings(host=host, port=port, backend=backend, fixtures=fixtures)
    except SettingsRefused as refused:
        raise stopped(str(refused)) from refused
    configure(format=settings.log_format, level=settings.log_level, stream=sys.stderr)
    for sentence in without_effect(os.environ):
        log.warning(sentence)
    if with_sandbox:
        serving = serve_with_sandbox(settings, sandbox_port)
    else:
        serving = serve_gateway(settings)
    _serve(serving, settings.host, settings.port)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="TCP port.", min=0, max=65535)] = _SANDBOX_PORT,
    fixtures: FixturesFile = None,
    calls_per_second: Annotated[
        float | None,
        typer.Option(help="Answer 429 beyond so many calls, as Stripe does.", min=0.1),
    ] = None,
) -> None:
    """Serve the sandbox by itself: the ledger in Stripe's REST API, for any Stripe SDK."""
    from gateway.cli.serving import serve_sandbox

    configure(format="auto", level="info", stream=sys.stderr)
    _serve(serve_sandbox(port, fixtures, calls_per_second), "127.0.0.1", port)


def _serve(serving: Coroutine[None, None, None], host: str, port: int) -> None:
    """Until it is told to stop; what keeps it from starting is said in a sentence."""
    from gateway.callers.clients import ClientsRefused
    from gateway.execution.trusted_documents import ManifestRefused

    try:
        asyncio.run(serving)
    except (ClientsRefused, ManifestRefused, SettingsRefused, StoreRefused) as refused:
        raise stopped(str(refused)) from refused
    except OSError as error:
        raise stopped(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Choose another with "
            "--port."
        ) from error


@app.command(name="settings")
def print_settings() -> None:
    """Print every setting with its default and its reason, as docs/settings.md has it."""
    from gateway.settings.page import settings_page

    typer.echo(settings_page(), nl=False)


@fixtures_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A fixtures file.", exists=True, dir_okay=False)],
) -> None:
    """Say what is wrong with a fixtures file: id, field and reason, one line each."""
    from gateway.sandbox.fixtures import check_file

    lines = [str(one) for one in check_file(file)]
    for line in lines:
        typer.echo(line)
    if lines:
        raise typer.Exit(1)
    typer.echo(f"{file} is good.")


@token_app.command()
def new(
    name: Annotated[str, typer.Argument(help="The client's name: letters, digits and . _ : @ -")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"May be given several times: {', '.join(SCOPES)}. Default: reading."),
    ] = None,
    customer: Annotated[
        list[str] | None,
        typer.Option(help="A customer (cus_...) it may see; may be given several times. All."),
    ] = None,
) -> None:
    """Make a token and print the client's entry for GATEWAY_CLIENTS_FILE.

    The entry goes to standard output, to be appended to the file; the token, which is kept
    nowhere, to standard error.
    """
    from gateway.callers.clients import ClientsRefused, digest_of, entry_of, new_token

    token = new_token()
    try:
        entry = entry_of(name, digest_of(token), scope or _DEFAULT_SCOPES, customer or [])
    except ClientsRefused as refused:
        raise stopped(str(refused)) from refused
    typer.echo(entry)
    typer.echo(
        f"Token of {name}, shown only now (the entry above holds its hash):\n{token}", err=True
    )


@app.command()
def sdl(
    subgraph: Annotated[
        bool, typer.Option(help="As a subgraph of Apollo Federation 2, for a composition.")
    ] = False,
) -> None:
    """Print the schema."""
    if subgraph:
        from schema.federation import subgraph_sdl

        typer.echo(subgraph_sdl(), nl=False)
        return
    from schema.root import printed_schema

    typer.echo(printed_schema())


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="A GraphQL document.", exists=True, dir_okay=False)],
    operation: Annotated[
        str | None, typer.Option(help="Which of its operations; needed where there are several.")
    ] = None,
    variables: Annotated[str, typer.Option(help="Their values, as a JSON object.")] = "{}",
) -> None:
    """Print what an operation costs, what it needs loaded, which calls to Stripe a query makes for
    it, and the code of its compiled plan."""
    import orjson

    from gateway.cli.explain import explained

    try:
        settings = read_settings()
        typer.echo(
            explained(file.read_text(), operation, orjson.loads(variables), settings), nl=False
        )
    except (ValueError, SettingsRefused) as wrong:
        raise stopped(str(wrong)) from wrong


@app.command()
def doctor(
    host: Host = None,
    port: Port = None,
    backend: BackendName = None,
    fixtures: FixturesFile = None,
) -> None:
    """Say what would keep the gateway from starting, one line each, with its cure."""
    for note in without_effect(os.environ):
        typer.echo(note)
    try:
        settings = parsed_settings(host=host, port=port, backend=backend, fixtures=fixtures)
        lines = [*_diagnosis(settings)]
    except SettingsRefused as refused:
        lines = str(refused).splitlines()
    for line in lines:
        typer.echo(line)
    if lines:
        raise typer.Exit(1)
    typer.echo("Nothing is wrong.")


def _diagnosis(settings: Settings) -> Iterator[str]:
    from gateway.callers.clients import ClientsRefused, read_clients
    from gateway.composition.callers import problems_of_documents
    from gateway.sandbox.fixtures import check_file

    yield from findings(settings)
    if settings.clients_file is not None:
        try:
            read_clients(settings.clients_file)
        except ClientsRefused as refused:
            yield from str(refused).splitlines()
    yield from problems_of_documents(settings)
    if settings.fixtures is not None and settings.fixtures.is_file():
        yield from (f"{settings.fixtures}: {one}" for one in check_file(settings.fixtures))
    if console_directory() is None:
        yield "The console and GraphiQL are not built. Run make console."
    if settings.port and _is_taken(settings.host, settings.port):
        yield (
            f"Port {settings.port} on {settings.host} is taken. Choose another with --port, or "
            "stop what listens there."
        )


def _is_taken(host: str, port: int) -> bool:
    try:
        socket.create_server((host, port)).close()
    except OSError:
        return True
    return False
