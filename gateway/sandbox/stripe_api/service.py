"""One call from its arrival to its answer: key, version, route, idempotency, parameters, the work.

Up to the work nothing changes and nothing is stored; from there on the answer is stored under the
key, whatever it is. It knows no sockets: it says which fault was met, and whoever has the socket
breaks it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.backends.memory.twin import Request
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.api_call import Call
from gateway.sandbox.stripe_api.api_errors import (
    IDEMPOTENCY_ERROR,
    StripeError,
    of_refusal,
    stated,
)
from gateway.sandbox.stripe_api.expansion import check, expand
from gateway.sandbox.stripe_api.faults import Fault, FaultKind
from gateway.sandbox.stripe_api.idempotency import KEY_SECONDS_IN_V2, Answer, IdempotencyKeys
from gateway.sandbox.stripe_api.parameters import Form, checked, decode, decode_json
from gateway.sandbox.stripe_api.rendering import render
from gateway.sandbox.stripe_api.routing import Operation, routed
from gateway.sandbox.stripe_api.webhooks import WebhookSender
from schema.ports import Refused

VERSION = "2026-10-28.endive"
"""The account's default version."""

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?(;.*)?", re.ASCII)
_KEY = re.compile(r"(sk|rk)_test_[A-Za-z0-9_]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One HTTP request. `headers` have names in lower case."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_v2(self) -> bool:
        return self.path.startswith("/v2/")

    def decoded(self) -> Form:
        """The parameters, still as strings. Raises `StripeError`."""
        if self.method != "POST":
            return decode(self.query)
        return decode_json(self.body) if self.is_v2 else decode(self.body)

    @property
    def idempotency_key(self) -> str | None:
        """Stripe looks at the key of a POST only, and in v2 at that of a DELETE."""
        key = self.headers.get("idempotency-key")
        is_looked_at = self.method == "POST" or (self.is_v2 and self.method == "DELETE")
        return key if is_looked_at and key else None


class Service:
    """Answers calls on one account."""

    def __init__(self, account: Account, webhooks: WebhookSender) -> None:
        self._keys = IdempotencyKeys(account.twin.now)
        self._keys_in_v2 = IdempotencyKeys(account.twin.now, KEY_SECONDS_IN_V2)
        self._account = account
        self._webhooks = webhooks

    def forget_keys(self) -> None:
        """Every idempotency key is free again."""
        self._keys.clear()
        self._keys_in_v2.clear()

    def _keys_of(self, asked: Incoming | Operation) -> IdempotencyKeys:
        return self._keys_in_v2 if asked.is_v2 else self._keys

    async def respond(
        self, incoming: Incoming, request_id: str, fault: Fault | None
    ) -> tuple[Answer, FaultKind | None]:
        """The answer to one request, gone wrong as the fault says; and the kind of the fault, None
        where it was answered before that was met."""
        try:
            early = None if fault is None else _before_idempotency(fault)
            prepared = early or self._prepare(incoming, request_id)
        except StripeError as error:
            return _error(error, request_id, is_v2=incoming.is_v2), None
        if isinstance(prepared, Answer):
            return prepared, None
        try:
            return await self._perform(*prepared, fault), None if fault is None else fault.kind
        finally:
            self._keys_of(incoming).give_up(incoming.idempotency_key)

    def _prepare(self, incoming: Incoming, request_id: str) -> tuple[Operation, Call] | Answer:
        """Everything that stands before the work, or the answer of an earlier call."""
        _authenticate(incoming.headers)
        in_preview = ".preview" in _version(incoming.headers)
        operation, ids = routed(incoming.method, incoming.path, in_preview=in_preview)
        form, key, keys = incoming.decoded(), incoming.idempotency_key, self._keys_of(incoming)
        if key is not None:
            place = f"{incoming.method} {incoming.path}"
            repeated = keys.begin(key, place, form, request_id)
            if repeated is not None:
                return repeated
        try:
            params = checked(form, operation.parameters, in_preview=in_preview)
            check(params.get("expand", ()), operation.answers, is_list=operation.is_list)
        except StripeError:
            keys.give_up(key)
            raise
        return operation, Call(ids, params, Request(request_id, key))

    async def _perform(self, operation: Operation, call: Call, fault: Fault | None) -> Answer:
        if fault is None:
            return self._work(operation, call)
        kind = fault.kind
        if kind is FaultKind.RESET_BEFORE or (kind is FaultKind.HANG and not fault.applied):
            return Answer(0, {})
        if kind is FaultKind.SERVER_ERROR:
            return self._server_error(operation, call, fault)
        if kind is FaultKind.LATENCY:
            await asyncio.sleep(fault.seconds)
        return self._work(operation, call, fault)

    def _server_error(self, operation: Operation, call: Call, fault: Fault) -> Answer:
        if fault.applied:
            self._work(operation, call)
        status = fault.status or 500
        error = StripeError("An unknown error occurred", status=status, kind="api_error")
        return self._refused(error, operation, call)

    def _work(self, operation: Operation, call: Call, fault: Fault | None = None) -> Answer:
        """Do it, print it, and store the answer: one step, without an await."""
        try:
            with self._webhooks.batch(fault):
                outcome = operation.run(self._account, call)
            shown = render(self._account, outcome)
            expand(self._account, shown, call.params.get("expand", ()), operation.answers)
            answer = Answer(200, shown)
            self._keys_of(operation).finish(call.request.idempotency_key, answer)
            return answer
        except Refused as refused:
            return self._refused(of_refusal(refused, call.ids), operation, call)
        except StripeError as error:
            return self._refused(error, operation, call)

    def _refused(self, error: StripeError, operation: Operation, call: Call) -> Answer:
        """The answer that is an error; v1 gives it to every repeat, v2 tries again."""
        answer = _error(error, call.request.id, is_v2=operation.is_v2)
        if not operation.is_v2:
            self._keys.finish(call.request.idempotency_key, answer)
        return answer


def _error(error: StripeError, request_id: str | None, *, is_v2: bool) -> Answer:
    headers = tuple(error.headers.items())
    if not is_v2:
        return Answer(error.status, error.body(request_id or ""), headers)
    status = 409 if error.kind == IDEMPOTENCY_ERROR else error.status
    return Answer(status, error.body_in_v2(), headers)


def _before_idempotency(fault: Fault) -> Answer | None:
    """What a fault answers that no key ever sees. Raises `StripeError`."""
    if fault.kind is FaultKind.ANSWER:
        return Answer(fault.status or 500, fault.body or {}, fault.headers)
    if fault.kind is FaultKind.RATE_LIMITED:
        raise replace(stated("rate_limit"), headers=dict(fault.headers))
    if fault.kind is FaultKind.LOCK_TIMEOUT:
        headers = {"Stripe-Should-Retry": "true", **dict(fault.headers)}
        raise replace(stated("lock_timeout"), status=fault.status or 429, headers=headers)
    return None


def _authenticate(headers: Mapping[str, str]) -> None:
    """Any test key will do; a live key has no business here and is never repeated."""
    key = _key_of(headers.get("authorization", ""))
    if not key:
        raise stated("no_key")
    if "_live_" in key:
        raise stated("live_key")
    if "stripe-account" in headers:
        raise StripeError("The sandbox has one account and no Connect.", status=403)
    if not _KEY.fullmatch(key):
        raise StripeError(f"Invalid API Key provided: {key[:3]}****", status=401)


def _key_of(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _version(headers: Mapping[str, str]) -> str:
    version = headers.get("stripe-version", VERSION)
    if not _VERSION.fullmatch(version):
        raise StripeError(f"Invalid Stripe API version: {version[:40]}")
    return version
