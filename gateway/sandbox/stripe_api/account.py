"""One account as the REST API knows it: the twin, and what Stripe keeps beside the ledger.

The ledger's records hold what its rules need. Everything else that Stripe's objects show (a
footer, an address, the payment method of an intent) is kept here as it was sent, per object.
It knows neither HTTP nor how an object is printed. All of it is saved in the fixtures format,
with what is kept beside the ledger added to each object, so that the gateway can read it as well;
events, their destinations, idempotency keys and items that wait for an invoice are no part of it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from itertools import chain
from typing import Any, ClassVar, TypeVar

from gateway.backends.memory.tables import Table
from gateway.backends.memory.twin import Request, Twin
from gateway.sandbox.fixtures import load, read_fixtures, write_fixtures
from gateway.sandbox.stripe_api.api_errors import no_such
from gateway.stripe_objects.shapes import SHAPES
from schema import records
from schema.records import Metadata

Changeable = TypeVar("Changeable", records.Customer, records.Invoice, records.CreditNote)


@dataclass(frozen=True, slots=True)
class InvoiceItem:
    """What a line was made from; without an invoice it waits for the customer's next one."""

    id: str
    created: int
    customer_id: str
    currency: str
    amount: int
    invoice_id: str | None = None
    line_id: str | None = None
    description: str | None = None
    quantity: int = 1
    period_start: int = 0
    period_end: int = 0
    livemode: bool = False
    metadata: Metadata = ()


WEBHOOK = "webhook_endpoint"
"""The one transport of a destination that is ever sent anything here."""
OWN_EVENTS = "@self"
"""What a destination hears where it hears of the account that it belongs to."""


@dataclass(frozen=True, slots=True)
class EventDestination:
    """Where events go: an endpoint of `/v1/webhook_endpoints`, which is a destination for snapshot
    events as well, or a destination of v2. The secret is shown once, when it is created."""

    id: str
    created: int
    url: str | None
    secret: str = field(repr=False)
    enabled_events: tuple[str, ...]
    api_version: str | None = None
    description: str | None = None
    enabled: bool = True
    livemode: bool = False
    metadata: Metadata = ()
    name: str = ""
    payload: str = "snapshot"
    transport: str = WEBHOOK
    cloud: Mapping[str, str] = field(default_factory=dict)
    """Whose cloud it leads to, and where there, if it is no webhook."""
    events_from: tuple[str, ...] = (OWN_EVENTS,)
    updated: int | None = None

    def wants(self, event: StoredEvent) -> bool:
        """`*` brings every event, `invoice_payment.detached` too, which has no name to ask by.

        Whether Stripe's `*` delivers it is not documented; a receiver must cope with it.
        """
        is_asked_for = "*" in self.enabled_events or event.type in self.enabled_events
        return self.is_open and self.payload == event.payload and is_asked_for

    @property
    def is_open(self) -> bool:
        """Whether anything is sent there."""
        return self.enabled and self.transport == WEBHOOK and OWN_EVENTS in self.events_from


@dataclass(slots=True)
class StoredEvent:
    """One event, printed as JSON when it happened, so that later changes cannot reach it.

    `waiting` are the ids of the destinations that have not taken it yet.
    """

    payload: ClassVar[str] = "snapshot"
    id: str
    created: int
    type: str
    body: bytes
    waiting: set[str] = field(default_factory=set)


@dataclass(slots=True)
class ThinEvent(StoredEvent):
    """An event of v2, about the object with this id; its time is told in milliseconds."""

    payload: ClassVar[str] = "thin"
    object_id: str = ""
    milliseconds: int = 0


KIND_OF: Mapping[type, str] = {
    **{shape.record: kind for kind, shape in SHAPES.items()},
    InvoiceItem: "invoiceitem",
    EventDestination: "webhook_endpoint",
    StoredEvent: "event",
    ThinEvent: "v2.core.event",
}
"""Stripe's name for what a record is."""


@dataclass(slots=True)
class Account:
    """The tables of one account, by the names that Stripe gives its objects."""

    twin: Twin
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    replaced: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the details of an object were before changes that no event has told yet."""
    invoice_items: Table[InvoiceItem] = field(
        default_factory=lambda: Table("customer_id", "invoice_id", "line_id")
    )
    webhook_endpoints: Table[EventDestination] = field(default_factory=Table)
    event_destinations: Table[EventDestination] = field(default_factory=Table)
    """Those that were made through v2."""
    events: Table[StoredEvent] = field(default_factory=lambda: Table("type"))
    thin_events: Table[ThinEvent] = field(default_factory=lambda: Table("object_id"))
    tables: Mapping[str, Table[Any]] = field(init=False)

    def __post_init__(self) -> None:
        twin = self.twin
        self.tables = {
            "customer": twin.customers,
            "invoice": twin.invoices,
            "invoice_payment": twin.invoice_payments,
            "payment_intent": twin.payment_intents,
            "payment_record": twin.payment_records,
            "charge": twin.charges,
            "credit_note": twin.credit_notes,
            "invoiceitem": self.invoice_items,
            "event": self.events,
            "webhook_endpoint": self.webhook_endpoints,
            "v2.core.event": self.thin_events,
            "v2.core.event_destination": self.event_destinations,
        }

    def get(self, kind: str, object_id: str, param: str = "id") -> Any:
        """The object with this id of a path, or of a parameter. Raises `StripeError` 404."""
        record = self.tables[kind].get(object_id)
        if record is None:
            raise no_such(kind, object_id, param)
        return record

    def destinations(self) -> Iterator[EventDestination]:
        """Everybody who is sent events, however it was made; oldest first of each sort."""
        return chain(self.webhook_endpoints, self.event_destinations)

    def fresh(self, prefix: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """A new object's own fields, its metadata from the parameters that were given."""
        return {
            "id": self.twin.new_id(prefix),
            "created": self.twin.now(),
            "livemode": self.twin.livemode,
            "metadata": merged((), given.get("metadata")),
        }

    def change(self, record: Changeable, request: Request, **changes: Any) -> Changeable:
        """Change what no rule of the ledger depends on. It is announced even without a difference,
        as there may be one in what the ledger does not know."""
        changed = replace(record, **changes)
        kind = KIND_OF[type(changed)]
        if isinstance(changed, records.Customer):
            self.twin.enter_customer(changed)
        else:
            self.tables[kind].put(changed)
        previous = tuple(
            (one.name, getattr(record, one.name))
            for one in fields(record)
            if getattr(record, one.name) != getattr(changed, one.name)
        )
        self.twin.tell(f"{kind}.updated", changed, previous, request=request)
        return changed

    def kept(self, object_id: str, name: str, otherwise: Any = None) -> Any:
        """One of an object's fields that the ledger does not know."""
        return self.details.get(object_id, {}).get(name, otherwise)

    def keep(self, object_id: str, fields: Mapping[str, Any]) -> None:
        """Keep fields that the ledger does not know, over what was kept before."""
        if fields:
            before = self.details.get(object_id, {})
            self.replaced.setdefault(object_id, before)
            self.details[object_id] = {**before, **fields}


def merged(before: Metadata, given: dict[str, str] | None) -> Metadata:
    """Metadata after an update: keys are set, empty values remove theirs, None removes all.

    Source: https://docs.stripe.com/api/metadata, 2026-10-28.endive.
    """
    if given is None:
        return ()
    together = {**dict(before), **given}
    return tuple((key, value) for key, value in together.items() if value != "")


OBJECTS: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    files(__package__).joinpath("objects.toml").read_text()
)
KEPT: Mapping[str, Sequence[str]] = {
    kind: stated["kept"] for kind, stated in OBJECTS.items() if "kept" in stated
}
"""What is kept beside the ledger, by the kind of object, and shown as it was sent."""

NOT_SAVED = ("event", "webhook_endpoint", "v2.core.event", "v2.core.event_destination")
"""What a load leaves as it is: who listens, and what they were told."""


def save_state(account: Account) -> dict[str, list[dict[str, Any]]]:
    """The fixtures of this very state."""
    written = write_fixtures(account.twin)
    for objects in written.values():
        for one in objects:
            one.update(account.details.get(one["id"], {}))
    return written


def load_state(account: Account, text: bytes) -> None:
    """Replace everything with what the file holds. Raises `FixturesRefused`, changing nothing."""
    fixtures = read_fixtures(text)
    raw = json.loads(text)
    for name, table in account.tables.items():
        if name not in NOT_SAVED:
            for record in list(table):
                table.remove(record.id)
    account.twin.lines.clear()
    account.twin.deleted_customers.clear()
    account.twin.customer_accounts.clear()
    account.details.clear()
    account.replaced.clear()
    load(account.twin, fixtures)
    for kind, kept in KEPT.items():
        for one in _members(raw.get(f"{kind}s")):
            account.keep(one["id"], {field: one[field] for field in kept if field in one})


def _members(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, plain or as Stripe's `{data: [...]}`."""
    members = value.get("data") if isinstance(value, dict) else value
    return members if isinstance(members, list) else []
