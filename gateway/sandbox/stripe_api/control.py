"""The sandbox's own calls, under `/_sandbox/`: faults, the requests it served, its state.

They need no key, and are no part of Stripe's API. They are for tests and for people on this
machine, and not for pages: `Host` must be a name of the loopback, `Origin` none or the same, and a
call that changes something must say that it is JSON, which a foreign page cannot without asking.

    POST   /_sandbox/faults      {"match": {"method", "path"}, "times", "after", "fault": {"kind"}}
    GET    /_sandbox/faults      DELETE clears them
    GET    /_sandbox/requests    DELETE forgets them
    GET    /_sandbox/webhooks    the attempts; POST /_sandbox/webhooks/release sends the withheld
    GET    /_sandbox/state       PUT replaces all of it; the fixtures format
    POST   /_sandbox/invoices    {"customer", "amount", "currency", "description"}: a draft
    POST   /_sandbox/payment_intents/{id}/settle   {"outcome": "succeeded" or "failed"}
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

import orjson
from aiohttp import web

from gateway.backends.memory.twin import Request
from gateway.sandbox.fixtures import FixturesRefused
from gateway.sandbox.stripe_api import edits, payment_methods
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.app import Sandbox
from gateway.sandbox.stripe_api.errors import StripeError, of_refusal
from gateway.sandbox.stripe_api.faults import Fault, FaultKind
from gateway.sandbox.stripe_api.parameters import amount, currency, text
from gateway.sandbox.stripe_api.rendering import render
from gateway.settings.hosts import is_loopback_host, is_same_origin
from schema import records
from schema.ports import Refused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(sandbox: Sandbox) -> list[web.RouteDef]:
    control = _Control(sandbox)
    return [_guarded(one) for one in _routes(control)]


def _routes(control: _Control) -> list[web.RouteDef]:
    return [
        web.post("/_sandbox/faults", control.add_fault),
        web.get("/_sandbox/faults", control.list_faults),
        web.delete("/_sandbox/faults", control.clear_faults),
        web.get("/_sandbox/requests", control.list_requests),
        web.delete("/_sandbox/requests", control.clear_requests),
        web.get("/_sandbox/webhooks", control.list_deliveries),
        web.post("/_sandbox/webhooks/release", control.release_webhooks),
        web.get("/_sandbox/state", control.save),
        web.put("/_sandbox/state", control.load),
        web.post("/_sandbox/invoices", control.draft),
        web.post("/_sandbox/payment_intents/{id}/settle", control.settle),
    ]


def _guarded(route: web.RouteDef) -> web.RouteDef:
    """The route, for this machine's own programs only."""

    async def handle(request: web.Request) -> web.StreamResponse:
        sentence = _why_not(request)
        if sentence is not None:
            return _json({"error": {"message": sentence}}, 403)
        answer: web.StreamResponse = await route.handler(request)
        return answer

    return web.RouteDef(route.method, route.path, handle, route.kwargs)


def _why_not(request: web.Request) -> str | None:
    origin = request.headers.get("Origin")
    if not is_loopback_host(request.host):
        return "The sandbox's own calls answer to localhost only."
    if origin is not None and not is_same_origin(origin, request.host):
        return "The sandbox's own calls are not for pages of another origin."
    if request.method != "GET" and request.content_type != "application/json":
        return "Send Content-Type: application/json, also without a body."
    return None


class _Control:
    """One handler for each of the sandbox's own calls."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def add_fault(self, request: web.Request) -> web.Response:
        try:
            given = await _object(request)
            match, wanted = given.get("match", {}), given.get("fault", {})
            headers = tuple(wanted.pop("headers", {}).items())
            fault = Fault(FaultKind(wanted.pop("kind")), headers=headers, **wanted)
            self._sandbox.faults.add(
                fault,
                method=match.get("method", "*"),
                path=match.get("path", "*"),
                times=given.get("times", 1),
                after=given.get("after", 0),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return _refused(f"not a fault: {error}")
        return _json(self._sandbox.faults.waiting())

    async def list_faults(self, request: web.Request) -> web.Response:
        return _json(self._sandbox.faults.waiting())

    async def clear_faults(self, request: web.Request) -> web.Response:
        self._sandbox.faults.clear()
        return _json([])

    async def list_requests(self, request: web.Request) -> web.Response:
        return _json([asdict(one) for one in self._sandbox.requests])

    async def clear_requests(self, request: web.Request) -> web.Response:
        self._sandbox.requests.clear()
        return _json([])

    async def list_deliveries(self, request: web.Request) -> web.Response:
        return _json([asdict(one) for one in self._sandbox.webhooks.deliveries])

    async def release_webhooks(self, request: web.Request) -> web.Response:
        return _json({"released": self._sandbox.webhooks.release()})

    async def save(self, request: web.Request) -> web.Response:
        return _json(self._sandbox.save())

    async def load(self, request: web.Request) -> web.Response:
        try:
            self._sandbox.load(await request.read())
        except FixturesRefused as refused:
            return _refused(str(refused))
        return _json({"loaded": True})

    async def draft(self, request: web.Request) -> web.Response:
        try:
            invoice = draft(self._sandbox.account, await _object(request))
        except (StripeError, ValueError) as error:
            return _refused(str(error))
        return _json(render(self._sandbox.account, invoice))

    async def settle(self, request: web.Request) -> web.Response:
        try:
            outcome = (await _object(request)).get("outcome", "succeeded")
            intent = settle(self._sandbox.account, request.match_info["id"], outcome)
        except (StripeError, Refused) as raised:
            error = of_refusal(raised, {}) if isinstance(raised, Refused) else raised
            return _json(error.body(""), error.status)
        except ValueError as error:
            return _refused(str(error))
        return _json(render(self._sandbox.account, intent))


async def _object(request: web.Request) -> dict[str, Any]:
    """The body's object; an empty body is an empty one. Raises `ValueError`."""
    body = await request.read()
    given = orjson.loads(body) if body else {}
    if not isinstance(given, dict):
        raise ValueError("the body must be an object")
    return given


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def _refused(message: str) -> web.Response:
    return _json({"error": {"message": message}}, 400)


OUTCOMES = ("succeeded", "failed")


def settle(account: Account, intent_id: str, outcome: str) -> records.PaymentIntent:
    """Let an intent that is processing, or asks for an action, come to its end.

    Raises `ValueError` for an unknown outcome, `StripeError` and `Refused` as the API would.
    """
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}, got {outcome!r}")
    intent = account.get("payment_intent", intent_id)
    automatic = Request()
    if outcome == "succeeded":
        account.keep(intent.id, {"next_action": None})
        return payment_methods.arrive(account, intent.id, automatic)
    declined = payment_methods.outcome_of("pm_card_chargeDeclined")
    method = account.kept(intent.id, "payment_method") or "pm_card_chargeDeclined"
    error = payment_methods.last_payment_error(declined, method, intent)
    account.keep(
        intent.id, {"payment_method": None, "last_payment_error": error, "next_action": None}
    )
    return edits.fail_attempt(account.twin, intent.id, automatic)


def draft(account: Account, given: Mapping[str, Any]) -> records.Invoice:
    """A draft over one amount, in one call. Raises `StripeError`."""
    twin = account.twin
    customer_id = text(given.get("customer", ""), "customer")
    customer = account.referred("customer", customer_id, "customer")
    total = amount(str(given.get("amount", "")), "amount")
    invoice = records.Invoice(
        id=twin.new_id("in"),
        created=twin.now(),
        currency=currency(given.get("currency", "usd"), "currency"),
        customer_id=customer.id,
        status="draft",
        livemode=twin.livemode,
        customer_name=customer.name,
        customer_email=customer.email,
    )
    twin.create_invoice(invoice, ())
    line = records.InvoiceLineItem(
        id=twin.new_id("il"),
        invoice_id=invoice.id,
        amount=total,
        currency=invoice.currency,
        description=given.get("description"),
        quantity="1",
    )
    edits.change_lines(twin, invoice, (line,), Request())
    return twin.invoice(invoice.id)
