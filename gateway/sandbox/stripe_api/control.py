"""The sandbox's own calls, under `/_sandbox/`: faults, the requests it served, its state.

They need no key, and are no part of Stripe's API. They are for tests and for people on this
machine, and not for pages: `Host` must be a name of the loopback, `Origin` none or the same, and a
call that changes something must say that it is JSON, which a foreign page cannot without asking.

    POST   /_sandbox/faults      {"match": {"method", "path"}, "times", "after", "fault": {"kind"}}
    GET    /_sandbox/faults      DELETE clears them
    GET    /_sandbox/requests    DELETE forgets them
    GET    /_sandbox/webhooks    the attempts; POST /_sandbox/webhooks/release sends the withheld
    GET    /_sandbox/notifications   PUT {"snapshot_event": false}: thin ones leave it out
    GET    /_sandbox/state       PUT replaces all of it; the fixtures format
    POST   /_sandbox/invoices    {"customer", "amount", "currency", "description"}: a draft
    POST   /_sandbox/payment_intents/{id}/settle   {"outcome": "succeeded" or "failed"}
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from aiohttp import web

from gateway.backends.memory.twin import Request
from gateway.sandbox.fixtures import FixturesRefused
from gateway.sandbox.stripe_api import invoices, payment_intents
from gateway.sandbox.stripe_api.api_call import Call
from gateway.sandbox.stripe_api.api_errors import StripeError, of_refusal
from gateway.sandbox.stripe_api.faults import Fault, FaultKind
from gateway.sandbox.stripe_api.invoice_items import change_lines
from gateway.sandbox.stripe_api.parameters import amount, currency, text
from gateway.sandbox.stripe_api.rendering import render
from gateway.sandbox.stripe_api.server import Sandbox
from gateway.settings.hosts import is_loopback_host, is_same_origin
from schema import records
from schema.ports import Refused


@dataclass(frozen=True, slots=True)
class Asked:
    """One of the sandbox's own calls."""

    id: str
    body: bytes

    def given(self) -> dict[str, Any]:
        """The body's object; an empty body is an empty one. Raises `ValueError`."""
        given = orjson.loads(self.body) if self.body else {}
        if not isinstance(given, dict):
            raise ValueError("the body must be an object")
        return given


Answer = Callable[[Sandbox, Asked], object]
"""Does what a call asks, and says what is printed. Raises `ValueError` for a bad request."""


def routes(sandbox: Sandbox) -> list[web.RouteDef]:
    return [
        web.route(method, f"/_sandbox/{path}", _handler(sandbox, answer))
        for (method, path), answer in ANSWERS.items()
    ]


def _handler(sandbox: Sandbox, answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The call, for this machine's own programs only."""

    async def handle(request: web.Request) -> web.Response:
        sentence = _why_not(request)
        if sentence is not None:
            return _json({"error": {"message": sentence}}, 403)
        asked = Asked(request.match_info.get("id", ""), await request.read())
        try:
            return _json(answer(sandbox, asked) or [])
        except (StripeError, Refused) as raised:
            error = of_refusal(raised, {}) if isinstance(raised, Refused) else raised
            return _json(error.body(""), error.status)
        except (ValueError, FixturesRefused) as error:
            return _json({"error": {"message": str(error)}}, 400)

    return handle


def _why_not(request: web.Request) -> str | None:
    origin = request.headers.get("Origin")
    if not is_loopback_host(request.host):
        return "The sandbox's own calls answer to localhost only."
    if origin is not None and not is_same_origin(origin, request.host):
        return "The sandbox's own calls are not for pages of another origin."
    if request.method != "GET" and request.content_type != "application/json":
        return "Send Content-Type: application/json, also without a body."
    return None


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def _add_fault(sandbox: Sandbox, asked: Asked) -> object:
    try:
        given = asked.given()
        match, wanted = given.get("match", {}), given.get("fault", {})
        headers = tuple(wanted.pop("headers", {}).items())
        fault = Fault(FaultKind(wanted.pop("kind")), headers=headers, **wanted)
        sandbox.faults.add(
            fault,
            method=match.get("method", "*"),
            path=match.get("path", "*"),
            times=given.get("times", 1),
            after=given.get("after", 0),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a fault: {error}") from error
    return sandbox.faults.waiting()


def _notifications(sandbox: Sandbox, asked: Asked) -> object:
    return {"snapshot_event": sandbox.webhooks.names_snapshot_event}


def _change_notifications(sandbox: Sandbox, asked: Asked) -> object:
    """Whether the notification of a thin event names the snapshot event about the same fact."""
    named = asked.given().get("snapshot_event")
    if not isinstance(named, bool):
        raise ValueError("snapshot_event must be true or false")
    sandbox.webhooks.names_snapshot_event = named
    return _notifications(sandbox, asked)


def _load(sandbox: Sandbox, asked: Asked) -> object:
    sandbox.load(asked.body)
    return {"loaded": True}


def _draft(sandbox: Sandbox, asked: Asked) -> object:
    """A draft over one amount, in one call."""
    given = asked.given()
    account, twin = sandbox.account, sandbox.twin
    try:
        customer_id = text(given.get("customer", ""), "customer")
        customer = account.get("customer", customer_id, "customer")
        total = amount(str(given.get("amount", "")), "amount")
        code = currency(given.get("currency", "usd"), "currency")
    except StripeError as error:
        raise ValueError(str(error)) from error
    params = {"customer": customer.id, "currency": code}
    invoice = invoices.create(account, Call({}, params, Request()))
    line = records.InvoiceLineItem(
        id=twin.new_id("il"),
        invoice_id=invoice.id,
        amount=total,
        currency=invoice.currency,
        description=given.get("description"),
        quantity="1",
    )
    change_lines(twin, invoice, (line,), Request())
    return render(account, twin.invoice(invoice.id))


def _settle(sandbox: Sandbox, asked: Asked) -> object:
    """Let an intent that is processing, or asks for an action, come to its end."""
    outcome = asked.given().get("outcome", "succeeded")
    if outcome not in ("succeeded", "failed"):
        raise ValueError(f"outcome must be one of succeeded, failed, got {outcome!r}")
    account = sandbox.account
    intent = account.get("payment_intent", asked.id)
    if outcome == "succeeded":
        account.keep(intent.id, {"next_action": None})
        return render(account, payment_intents.arrive(account, intent.id, Request()))
    method = account.kept(intent.id, "payment_method") or "pm_card_chargeDeclined"
    declined = payment_intents.outcome_of("pm_card_chargeDeclined")
    failed = payment_intents.decline(account, intent, method, declined, Request())
    return render(account, failed)


ANSWERS: Mapping[tuple[str, str], Answer] = {
    ("POST", "faults"): _add_fault,
    ("GET", "faults"): lambda sandbox, _: sandbox.faults.waiting(),
    ("DELETE", "faults"): lambda sandbox, _: sandbox.faults.clear(),
    ("GET", "requests"): lambda sandbox, _: [asdict(one) for one in sandbox.requests],
    ("DELETE", "requests"): lambda sandbox, _: sandbox.requests.clear(),
    ("GET", "webhooks"): lambda sandbox, _: [asdict(one) for one in sandbox.webhooks.deliveries],
    ("POST", "webhooks/release"): lambda sandbox, _: {"released": sandbox.webhooks.release()},
    ("GET", "notifications"): _notifications,
    ("PUT", "notifications"): _change_notifications,
    ("GET", "state"): lambda sandbox, _: sandbox.save(),
    ("PUT", "state"): _load,
    ("POST", "invoices"): _draft,
    ("POST", "payment_intents/{id}/settle"): _settle,
}
