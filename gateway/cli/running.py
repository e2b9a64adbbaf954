"""What the commands share: a work that runs with the settings, and the sentence that ends it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime

import typer

from gateway.backends.journal.open_writes import ResolveRefused
from gateway.logs import configure
from gateway.settings import Settings, SettingsRefused
from gateway.storage import StoreRefused
from schema.ports import Failed


def stopped(message: str) -> typer.Exit:
    """Exit code 1, with what is wrong on standard error."""
    typer.echo(message, err=True)
    return typer.Exit(1)


def run(
    work: Callable[[Settings], Coroutine[None, None, None]], read: Callable[[], Settings]
) -> None:
    """Do it with the settings, and say in a sentence what it was refused for.

    The log is open: nothing may write to standard error around its redaction.
    """
    try:
        settings = read()
        configure(format=settings.log_format, level="warning", stream=sys.stderr)
        asyncio.run(work(settings))
    except (SettingsRefused, StoreRefused, ResolveRefused, Failed, OSError) as refused:
        raise stopped(str(refused)) from refused


def shown(instant: int | None) -> str | None:
    """An instant as people read it, in UTC."""
    if instant is None:
        return None
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
