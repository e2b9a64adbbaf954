"""What the commands share: a work that runs with the settings, the sentence that ends it, and what
they need not read.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
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


@contextmanager
def certificates_unread() -> Iterator[None]:
    """Within, aiohttp can be imported without reading the system's certificates, which takes a
    tenth of the start. It wants them for connections that bring none, and all of ours do."""
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
