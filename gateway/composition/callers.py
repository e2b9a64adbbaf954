"""Who may call and what is read again while the gateway runs, from the settings.

Part of the composition root: it knows classes and no rules.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from logging.handlers import WatchedFileHandler

from aiohttp import ClientSession

from gateway.backends.guarded import AuditTrail
from gateway.callers.budgets import Budget, MemoryBudget, RedisBudget
from gateway.callers.clients import ClientsRefused, read_clients
from gateway.callers.json_web_keys import KeySet, KeySource, SharedSecret, fetch_json
from gateway.callers.json_web_tokens import JsonWebTokens
from gateway.callers.registry import Callers
from gateway.clock import Clock
from gateway.settings import Settings

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rereading:
    """What is read again on SIGHUP. What cannot be read stays as it was."""

    _parts: list[tuple[str, Callable[[], str]]] = field(default_factory=list)

    def add(self, name: str, read: Callable[[], str]) -> None:
        """`read` answers what it found, for the log; it may raise `OSError` or a refusal."""
        self._parts.append((name, read))

    def again(self) -> None:
        for name, read in self._parts:
            try:
                log.info("%s was read again: %s", name, read())
            except (OSError, ValueError, ClientsRefused) as trouble:
                log.error("%s could not be read again and stays as it was: %s", name, trouble)


@dataclass(slots=True)
class ReadOnlySwitch:
    """Whether writes are refused now: by the setting, or while a file is there."""

    settings: Settings
    is_on: bool = False

    def look(self) -> str:
        self.is_on = self.settings.read_only or self.settings.read_only_flag.exists()
        return "read-only" if self.is_on else "writes are taken"

    def __call__(self) -> bool:
        return self.is_on


async def open_callers(
    settings: Settings, clock: Clock, rereading: Rereading, stack: AsyncExitStack
) -> Callers | None:
    """Who may call; None while nobody has to say who it is. Raises `ClientsRefused`."""
    if not settings.has_callers:
        return None
    path = settings.clients_file
    callers = Callers(() if path is None else read_clients(path), _tokens(settings, clock, stack))
    if path is not None:

        def read() -> str:
            clients = read_clients(path)
            callers.replace(clients)
            return f"{len(clients)} clients"

        rereading.add(str(path), read)
    return callers


def _tokens(settings: Settings, clock: Clock, stack: AsyncExitStack) -> JsonWebTokens | None:
    if not settings.has_tokens:
        return None
    keys: KeySource
    if settings.jwt_secret is not None:
        keys = SharedSecret(settings.jwt_secret.get_secret_value())
    else:
        assert settings.jwt_jwks_url is not None
        session = ClientSession()
        stack.push_async_callback(session.close)
        keys = KeySet(partial(fetch_json, session, settings.jwt_jwks_url), clock.monotonic)
    return JsonWebTokens(settings, keys, clock.now, settings.jwt_algorithms)


def open_budget(settings: Settings, stack: AsyncExitStack) -> Budget:
    """The callers' budgets, shared where there is a Redis."""
    if settings.redis_url is None:
        return MemoryBudget()
    monotonic = asyncio.get_running_loop().time
    budget = RedisBudget(settings.redis_url.get_secret_value(), monotonic)
    stack.push_async_callback(budget.close)
    return budget


class _AuditFile(WatchedFileHandler):
    """A line at a time, in a new file once the old one was moved away. Raises `OSError`."""

    def write(self, line: str) -> None:
        self.handle(logging.makeLogRecord({"msg": line}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name.
        raise  # It is called while the error is handled.


def open_audit_trail(settings: Settings, clock: Clock, stack: AsyncExitStack) -> AuditTrail:
    """The trail of writes, in its own file where the settings give one. Raises `OSError`."""
    if settings.audit_file is None:
        return AuditTrail(clock.now)
    settings.audit_file.parent.mkdir(parents=True, exist_ok=True)
    file = _AuditFile(settings.audit_file, encoding="utf-8")
    stack.callback(file.close)
    return AuditTrail(clock.now, file.write)
