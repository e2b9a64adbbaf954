"""Every operation of the API: where it stands, what it answers, and what does it.

What an operation takes is in `operations.toml`, under the same method and path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

from gateway.sandbox.stripe_api import (
    customers,
    event_destinations,
    events,
    invoice_items,
    invoices,
    parameters,
    payment_intents,
    payment_records,
    thin_events,
    webhook_endpoints,
)
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.api_call import Call, page_of
from gateway.sandbox.stripe_api.api_errors import StripeError, stated
from gateway.sandbox.stripe_api.rendering import Json

Run = Callable[[Account, Call], Any]
"""Does what is asked; answers a record, or a list or an object that is printed already."""


@dataclass(frozen=True)
class Operation:
    """One operation of the API; `preview` operations do not exist for other versions."""

    method: str
    path: str
    run: Run
    is_list: bool = False
    preview: bool = False

    @property
    def is_v2(self) -> bool:
        return self.path.startswith("/v2/")

    @cached_property
    def answers(self) -> str:
        """Stripe's name of the object, or of a list's members."""
        is_line = self.path.endswith("/lines")
        return "line_item" if is_line else self.path.split("/")[2].removesuffix("s")

    @cached_property
    def parameters(self) -> parameters.Table:
        own = parameters.taken_by(f"{self.method} {self.path}")
        if self.is_v2:
            return own
        of_lists = parameters.taken_by("list") if self.is_list else {}
        return {**parameters.taken_by("every"), **of_lists, **own}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))

    def ids_in(self, method: str, path: str) -> dict[str, str] | None:
        """The ids in this path; None where it is not the path of this operation."""
        match = self._pattern.fullmatch(path) if method == self.method else None
        return None if match is None else match.groupdict()


def routed(method: str, path: str, *, in_preview: bool) -> tuple[Operation, dict[str, str]]:
    """The operation at this place, and the ids in the path. Raises `StripeError` 404."""
    for operation in _alike().get(_likeness(method, path), ()):
        ids = operation.ids_in(method, path)
        if ids is not None and (in_preview or not operation.preview):
            return operation, ids
    raise stated("unrecognized_url", method=method, path=path)


def _likeness(method: str, path: str) -> tuple[str, int, str]:
    """What the path of an operation has in common with all that it is asked at."""
    parts = path.split("/")
    return method, len(parts), "/".join(parts[:3])


@cache
def _alike() -> Mapping[tuple[str, int, str], list[Operation]]:
    """The operations by that, in their order."""
    found: dict[tuple[str, int, str], list[Operation]] = {}
    for one in OPERATIONS:
        found.setdefault(_likeness(one.method, one.path), []).append(one)
    return found


def _reading(kind: str, path: str) -> Operation:
    """The operation that answers the one object of its path."""
    return Operation("GET", path, lambda account, call: account.get(kind, call.id))


def _listing(kind: str) -> Operation:
    """The operation that lists a kind by what its members have in common, as its table says."""
    place = f"/v1/{kind}s"
    table = parameters.STATED.get(f"GET {place}", {})
    known, indexed = table.get("known", ()), table.get("indexed", {})
    compared, without = table.get("compared", {}), table.get("without", {})

    def run(account: Account, call: Call) -> Json:
        given = call.params
        for name in known:
            if name in given:
                account.get(name, given[name], name)
        common = [(at, given[name]) for name, at in compared.items() if name in given]
        common += [(at, None) for name, at in without.items() if given.get(name)]

        def check(one: object) -> bool:
            return all(getattr(one, attribute) == value for attribute, value in common)

        equals = {attribute: given.get(name) for name, attribute in indexed.items()}
        return page_of(account, call, kind, check if common else None, **equals)

    return Operation("GET", place, run, is_list=True)


def _refuse_search(account: Account, call: Call) -> None:
    """The ledger has no query language. Source: https://docs.stripe.com/search."""
    raise StripeError("The sandbox does not support search. Use the list with its filters.")


_CUSTOMER = "/v1/customers/{customer}"
_INVOICE = "/v1/invoices/{invoice}"
_ITEM = "/v1/invoiceitems/{invoiceitem}"
_INTENT = "/v1/payment_intents/{intent}"
_RECORD = "/v1/payment_records/{id}"
_ATTEMPT = f"{_RECORD}/report_payment_attempt"
_NOTE = "/v1/credit_notes/{id}"
_ENDPOINT = "/v1/webhook_endpoints/{webhook_endpoint}"
_DESTINATION = f"{event_destinations.PATH}/{{id}}"

OPERATIONS = (
    *(
        Operation("GET", f"/v1/{kind}/search", _refuse_search)
        for kind in ("invoices", "payment_intents", "customers", "charges")
    ),
    _listing("customer"),
    Operation("POST", "/v1/customers", customers.create),
    Operation("GET", _CUSTOMER, customers.retrieve),
    Operation("POST", _CUSTOMER, customers.update),
    Operation("DELETE", _CUSTOMER, customers.delete),
    _listing("invoice"),
    Operation("POST", "/v1/invoices", invoices.create),
    _reading("invoice", _INVOICE),
    Operation("POST", _INVOICE, invoices.update),
    Operation("DELETE", _INVOICE, invoices.delete),
    Operation("GET", f"{_INVOICE}/lines", invoices.lines, is_list=True),
    Operation("POST", f"{_INVOICE}/finalize", invoices.finalize),
    Operation("POST", f"{_INVOICE}/pay", invoices.pay),
    Operation("POST", f"{_INVOICE}/send", invoices.send),
    Operation("POST", f"{_INVOICE}/void", invoices.void),
    Operation("POST", f"{_INVOICE}/mark_uncollectible", invoices.mark_uncollectible),
    Operation("POST", f"{_INVOICE}/attach_payment", invoices.attach_payment),
    Operation("POST", f"{_INVOICE}/detach_payment", invoices.detach_payment, preview=True),
    _listing("invoiceitem"),
    Operation("POST", "/v1/invoiceitems", invoice_items.create),
    _reading("invoiceitem", _ITEM),
    Operation("DELETE", _ITEM, invoice_items.delete),
    Operation("GET", "/v1/invoice_payments", invoices.payments, is_list=True),
    _reading("invoice_payment", "/v1/invoice_payments/{invoice_payment}"),
    _listing("charge"),
    _reading("charge", "/v1/charges/{charge}"),
    _listing("payment_intent"),
    Operation("POST", "/v1/payment_intents", payment_intents.create),
    _reading("payment_intent", _INTENT),
    Operation("POST", _INTENT, payment_intents.update),
    Operation("POST", f"{_INTENT}/confirm", payment_intents.confirm),
    Operation("POST", f"{_INTENT}/cancel", payment_intents.cancel),
    Operation("POST", f"{_INTENT}/capture", payment_intents.capture),
    _listing("payment_record"),
    Operation("POST", "/v1/payment_records/report_payment", payment_records.report),
    _reading("payment_record", _RECORD),
    Operation("POST", _ATTEMPT, payment_records.report_attempt),
    *(
        Operation("POST", f"{_ATTEMPT}_{outcome}", partial(payment_records.come_to, outcome))
        for outcome in ("guaranteed", "failed", "canceled")
    ),
    Operation("POST", f"{_ATTEMPT}_informational", payment_records.inform),
    Operation("POST", f"{_RECORD}/report_refund", payment_records.report_refund),
    _listing("credit_note"),
    Operation("POST", "/v1/credit_notes", invoices.credit),
    Operation("GET", "/v1/credit_notes/preview", invoices.preview_credit_note),
    _reading("credit_note", _NOTE),
    Operation("POST", _NOTE, invoices.update_credit_note),
    Operation("POST", f"{_NOTE}/void", invoices.void_credit_note),
    Operation("GET", "/v1/events", events.list_events, is_list=True),
    _reading("event", "/v1/events/{id}"),
    _listing("webhook_endpoint"),
    Operation("POST", "/v1/webhook_endpoints", webhook_endpoints.create),
    _reading("webhook_endpoint", _ENDPOINT),
    Operation("POST", _ENDPOINT, webhook_endpoints.update),
    Operation("DELETE", _ENDPOINT, webhook_endpoints.delete),
    Operation("GET", thin_events.PATH, thin_events.list_events),
    _reading("v2.core.event", f"{thin_events.PATH}/{{id}}"),
    Operation("GET", event_destinations.PATH, event_destinations.list_destinations),
    Operation("POST", event_destinations.PATH, event_destinations.create),
    Operation("GET", _DESTINATION, event_destinations.retrieve),
    Operation("POST", _DESTINATION, event_destinations.update),
    Operation("DELETE", _DESTINATION, event_destinations.delete),
    Operation("POST", f"{_DESTINATION}/enable", event_destinations.enable),
    Operation("POST", f"{_DESTINATION}/disable", event_destinations.disable),
    Operation("POST", f"{_DESTINATION}/ping", event_destinations.ping),
)
"""In the order in which a path is looked up."""
