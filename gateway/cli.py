"""The command line: serve, sdl, doctor. Each command is short; the work is done elsewhere."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from pathlib import Path
from typing import Annotated, Literal

import typer
from aiohttp import web

from gateway.settings import (
    Settings,
    SettingsRefused,
    findings,
    read_settings,
    settings_page,
)

app = typer.Typer(
    name="invoice-gateway",
    help="A GraphQL gateway over Stripe's invoices and their payments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

fixtures_app = typer.Typer(help="Work with fixtures files.", no_args_is_help=True)
app.add_typer(fixtures_app, name="fixtures")

FIRST_QUERY = (
    '{ invoice(id: "in_demo_paid_by_two") { number status amountPaid { formatted } '
    "payments { nodes { id amountPaid { formatted } paymentIntent { id status } } } } }"
)

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
) -> None:
    """Start the gateway and serve until it is told to stop."""
    from gateway.sandbox.fixtures import FixturesRefused

    settings = _settings(host=host, port=port, backend=backend, fixtures=fixtures)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(_serve(settings))
    except FixturesRefused as refused:
        raise _stop(f"{settings.fixtures} cannot be loaded:\n{refused}") from refused
    except OSError as error:
        raise _stop(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror or error}. "
            "Choose another with --port."
        ) from error


async def _serve(settings: Settings) -> None:
    from gateway.web.app import DRAIN
    from gateway.web.server import make_runner
    from gateway.wiring import make_gateway, make_web_app, web_settings

    application = make_web_app(make_gateway(settings))
    runner = make_runner(application, web_settings(settings))
    stopped = asyncio.Event()

    def stop() -> None:
        application[DRAIN].begin()
        stopped.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        _greet(settings, runner.addresses)
        await stopped.wait()
    finally:
        await runner.cleanup()


def _greet(settings: Settings, addresses: list[object]) -> None:
    port = next((one[1] for one in addresses if isinstance(one, tuple)), settings.port)
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    typer.echo(
        f"\n  Invoice payments gateway, backend: {settings.backend}\n"
        f"  Open     http://{host}:{port}/graphql\n"
        f"  Paste    {FIRST_QUERY}\n"
        "  Stop     Ctrl+C\n"
    )


@app.command(name="settings")
def print_settings() -> None:
    """Print every setting with its default and its reason, as docs/settings.md has it."""
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


@app.command()
def sdl() -> None:
    """Print the schema."""
    from schema.root import make_schema

    typer.echo(make_schema().as_str())


@app.command()
def doctor(
    host: Host = None,
    port: Port = None,
    backend: BackendName = None,
    fixtures: FixturesFile = None,
) -> None:
    """Say what would keep the gateway from starting, one line each, with its cure."""
    lines = list(_diagnosis(host=host, port=port, backend=backend, fixtures=fixtures))
    for line in lines:
        typer.echo(line)
    if lines:
        raise typer.Exit(1)
    typer.echo("Nothing is wrong.")


def _diagnosis(**given: object) -> list[str]:
    from gateway.console.pages import console_directory
    from gateway.sandbox.fixtures import check_file

    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValueError:
        try:
            read_settings(**given)
        except SettingsRefused as refused:
            return str(refused).splitlines()
        raise
    lines = [finding.sentence for finding in findings(settings)]
    if settings.fixtures is not None and settings.fixtures.is_file():
        lines += [f"{settings.fixtures}: {one}" for one in check_file(settings.fixtures)]
    if console_directory() is None:
        lines.append("The GraphiQL page is not built. Run make console.")
    if settings.port and _is_taken(settings.host, settings.port):
        lines.append(
            f"Port {settings.port} on {settings.host} is taken. Choose another with --port, or "
            "stop what listens there."
        )
    return lines


def _is_taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _settings(**given: object) -> Settings:
    try:
        return read_settings(**given)
    except SettingsRefused as refused:
        raise _stop(str(refused)) from refused


def _stop(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)


def main() -> None:
    app()
