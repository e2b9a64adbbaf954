"""Who may call, what each may run, and what is read again while the gateway runs.

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
from pathlib import Path
from typing import TYPE_CHECKING

import strawberry

from gateway.backends.guarded import AuditTrail
from gateway.callers.budgets import Budget, OwnBudget
from gateway.callers.clients import ClientsRefused, read_clients
from gateway.callers.registry import Callers
from gateway.clock import Clock
from gateway.execution.admission import CostQuotas
from gateway.execution.documents import Documents
from gateway.execution.runner import GraphQLRunner
from gateway.execution.trusted_documents import ManifestRefused, check_manifest, read_manifest
from gateway.settings import Settings
from schema.root import make_schema, printed_schema

if TYPE_CHECKING:
    from gateway.callers.json_web_tokens import JsonWebTokens

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rereading:
    """What is read at the start, and again on SIGHUP: what cannot be read then stays as it was."""

    _parts: dict[Path, Callable[[], str]] = field(default_factory=dict)

    def start(self, path: Path, read: Callable[[], str]) -> None:
        """Read it now. `read` answers what it found, for the log; it may raise `OSError` or a
        refusal."""
        read()
        self._parts[path] = read

    def again(self) -> None:
        for path, read in self._parts.items():
            try:
                log.info("%s was read again: %s", path, read())
            except (OSError, ValueError, ClientsRefused) as trouble:
                log.error("%s could not be read again and stays as it was: %s", path, trouble)


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


def open_callers(
    settings: Settings, clock: Clock, rereading: Rereading, stack: AsyncExitStack
) -> Callers | None:
    """Who may call; None while nobody has to say who it is. Raises `ClientsRefused`."""
    if not settings.has_callers:
        return None
    callers = Callers((), _tokens(settings, clock, stack))
    path = settings.clients_file
    if path is not None:

        def read() -> str:
            clients = read_clients(path)
            callers.replace(clients)
            return f"{len(clients)} clients"

        rereading.start(path, read)
    return callers


def _tokens(settings: Settings, clock: Clock, stack: AsyncExitStack) -> JsonWebTokens | None:
    if not settings.has_tokens:
        return None
    # With PyJWT comes cryptography, which only users' tokens need.
    from gateway.callers.json_web_tokens import (
        JsonWebTokens,
        KeySet,
        KeySource,
        SharedSecret,
        fetch_json,
        key_session,
    )

    keys: KeySource
    if settings.jwt_secret is not None:
        keys = SharedSecret(settings.jwt_secret.get_secret_value())
    else:
        assert settings.jwt_jwks_url is not None
        session = key_session()
        stack.push_async_callback(session.close)
        keys = KeySet(partial(fetch_json, session, settings.jwt_jwks_url), clock.monotonic)
    return JsonWebTokens(settings, keys, clock.now, settings.jwt_algorithms)


def open_quotas(settings: Settings, stack: AsyncExitStack) -> CostQuotas:
    """What callers have to pay, out of budgets that are shared where there is a Redis."""
    monotonic = asyncio.get_running_loop().time
    budget: Budget = OwnBudget(monotonic)
    if settings.redis_url is not None:
        from gateway.callers.redis_budget import RedisBudget  # It brings redis-py along.

        budget = RedisBudget(settings.redis_url.get_secret_value(), monotonic)
        stack.push_async_callback(budget.close)
    return CostQuotas(budget, default_per_minute=settings.cost_per_minute)


def schema_of(settings: Settings) -> strawberry.Schema:
    """The plain schema, or the subgraph where the settings ask for one."""
    if not settings.federation:
        return make_schema()
    from schema.federation import make_subgraph

    return make_subgraph()


def sdl_of(settings: Settings) -> str:
    """The same, printed."""
    if not settings.federation:
        return printed_schema()
    from schema.federation import subgraph_sdl

    return subgraph_sdl()


def trust_documents(settings: Settings, runner: GraphQLRunner, rereading: Rereading) -> None:
    """Those of the manifest that the settings name. Raises `ManifestRefused`."""
    path = settings.trusted_documents_file
    if path is None:
        return

    def read() -> str:
        manifest = read_manifest(path)
        runner.trust(manifest, source=str(path))
        return f"{len(manifest)} trusted documents"

    rereading.start(path, read)


def problems_of_documents(settings: Settings) -> list[str]:
    """What keeps the trusted documents from being served, one sentence each."""
    path = settings.trusted_documents_file
    if path is None:
        return []
    documents = Documents(schema_of(settings)._schema, settings)
    try:
        check_manifest(read_manifest(path), documents, source=str(path))
    except ManifestRefused as refused:
        return str(refused).splitlines()
    return []


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
