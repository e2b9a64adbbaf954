"""Programs that hypothesis makes: what a curious caller might ask, one thing after the other.

Documents follow the schema. Ids are drawn from those of every customer, of nobody and of nothing,
and cursors are made of them, for the list where they stand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)
from hypothesis import strategies as st

from gateway.events.log import encode_position
from tests.support.time_and_ids import ManualClock
from tests.tenancy.account import CROSSED, GLOBEX, SHARED, UNKNOWN, make_account
from tests.tenancy.rows_cursors import cursor
from tests.tenancy.shape import SCHEMA, SECRET

LEVELS_MAX = 4
FIELDS_MAX = 5
EPOCH = "0001"
"""Of the log in a gateway whose ids count."""
LISTINGS = {
    "Query.invoices": "invoices",
    "Query.invoicePayments": "invoice_payments",
    "Customer.invoices": "invoices",
    "Customer.paymentIntents": "payment_intents",
    "Invoice.payments": "payments",
    "Invoice.creditNotes": "credit_notes",
    "Invoice.lines": "lines",
    "PaymentIntent.invoicePayments": "invoice_payments",
    "PaymentRecord.invoicePayments": "invoice_payments",
}
ONE_OF = frozenset({"PaymentRef"})
KIND_OF_ARGUMENT = {
    "customerId": "cus",
    "customerIds": "cus",
    "invoiceId": "in",
    "invoiceIds": "in",
    "attachableTo": "in",
    "paymentIntentId": "pi",
    "paymentRecordId": "pr",
    "subscriptionId": "sub",
    "Query.invoice.id": "in",
    "Query.invoicePayment.id": "inpay",
    "Query.paymentIntent.id": "pi",
    "Query.customer.id": "cus",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation by a restricted caller; with `together`, Globex asks the same meanwhile."""

    caller: str
    document: str
    together: bool


@cache
def known_ids() -> dict[str, list[str]]:
    """Ids by prefix, of every customer's possessions and of nothing; Globex's most of all."""
    found: dict[str, list[str]] = {"pi": [CROSSED], "pr": [SHARED]}
    account = make_account(ManualClock())
    for owned in (*account.owned.values(), *[account.owned[GLOBEX]] * 3, UNKNOWN):
        for name in owned.__slots__:
            value = getattr(owned, name)
            found.setdefault(value.partition("_")[0], []).append(value)
    return found


def some_id(kind: str | None = None) -> st.SearchStrategy[str]:
    ids = known_ids()
    return st.sampled_from(ids[kind] if kind else [one for each in ids.values() for one in each])


class _Writer:
    """Writes one document with what it draws."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def picked(self, values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def often(self) -> bool:
        return bool(self.draw(st.integers(0, 2)))

    def query(self, levels: int = LEVELS_MAX) -> str:
        return f"{{ {self.root_field(SCHEMA.type_map['Query'], levels)} }}"

    def selection(self, kind: Any, levels: int, parent: str | None, in_event: bool) -> str:
        if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
            members = SCHEMA.get_possible_types(kind)
            parts = [
                f"... on {one.name} {self.selection(one, levels, parent, in_event)}"
                for one in members
                if parent is None or kind.name != "Node" or one.name == kind_of(parent)
            ]
            return "{ __typename " + " ".join(parts) + " }"
        names = [name for name in kind.fields if not (in_event and (kind.name, name) == SECRET)]
        if "id" not in names:  # Small, or a page: all of it is as cheap as a part.
            chosen = [name for name in names if name != "nodes"]
        else:
            chosen = self.draw(
                st.lists(st.sampled_from(names), min_size=1, max_size=FIELDS_MAX, unique=True)
            )
        fields = [self.field(kind, name, levels, parent, in_event) for name in chosen]
        return "{ __typename " + " ".join(one for one in fields if one) + " }"

    def field(self, kind: Any, name: str, levels: int, parent: str | None, in_event: bool) -> str:
        field = kind.fields[name]
        target = get_named_type(field.type)
        place = f"{kind.name}.{name}"
        given, named = self.arguments(field.args, place, parent)
        if is_leaf_type(target):
            return name + given
        spent = isinstance(target, GraphQLObjectType) and "id" in target.fields
        if levels <= 0 and (spent or isinstance(target, GraphQLUnionType)):
            return ""
        is_event = in_event or "Event" in target.name
        below = self.selection(target, levels - spent, named, is_event)
        return f"{name}{given} {below}"

    def arguments(self, arguments: Any, place: str, parent: str | None) -> tuple[str, str | None]:
        """The arguments as they are written, and the id that they name, if it is one."""
        parts, named = [], None
        for name, argument in arguments.items():
            needed = isinstance(argument.type, GraphQLNonNull)
            if not needed and (name in ("last", "before", "locale") or not self.often()):
                continue
            value = self.value(name, argument.type, place, parent)
            named = json.loads(value) if name == "id" else named
            parts.append(f"{name}: {value}")
        return ("(" + ", ".join(parts) + ")" if parts else ""), named

    def value(self, name: str, wanted: Any, place: str, parent: str | None) -> str:
        wanted = get_nullable_type(wanted)
        if is_list_type(wanted):
            count = self.draw(st.integers(1, 4))
            parts = [self.value(name, wanted.of_type, place, parent) for _ in range(count)]
            return "[" + ", ".join(parts) + "]"
        if isinstance(wanted, GraphQLInputObjectType):
            return self.input(wanted, place)
        if isinstance(wanted, GraphQLEnumType):
            return str(self.picked(sorted(wanted.values)))
        if wanted.name == "ID" or name == "subscriptionId":
            kind = KIND_OF_ARGUMENT.get(f"{place}.{name}") or KIND_OF_ARGUMENT.get(name)
            return json.dumps(self.draw(some_id(kind)))
        if wanted.name == "EventCursor":
            return json.dumps(encode_position(EPOCH, self.draw(st.integers(0, 12))))
        if name in ("after", "before"):
            listing = LISTINGS.get(place, "invoices")
            return json.dumps(cursor(listing, parent, self.draw(some_id())))
        if wanted.name in ("Int", "MinorUnits"):
            return str(self.draw(st.integers(1, 6)))
        if wanted.name == "DateTime":
            return '"2026-01-01T00:00:30Z"'
        return json.dumps("USD" if name == "currency" else self.picked(["owner", "k1", "k2"]))

    def input(self, kind: GraphQLInputObjectType, place: str) -> str:
        names, is_one_of = sorted(kind.fields), kind.name in ONE_OF
        if is_one_of:
            names = [self.picked(names)]
        parts = []
        for name in names:
            one = kind.fields[name]
            needed = isinstance(one.type, GraphQLNonNull) or is_one_of
            # Amounts that do not add up are refused, so most are left out.
            chance = 7 if name.endswith("MinorUnits") else 3
            if needed or self.draw(st.integers(0, chance)) == chance:
                parts.append(f"{name}: {self.value(name, one.type, place, None)}")
        return "{" + ", ".join(parts) + "}"

    def mutation(self) -> str:
        kind = SCHEMA.type_map["Mutation"]
        return f"mutation {{ {self.root_field(kind, 2)} }}"

    def root_field(self, kind: Any, levels: int) -> str:
        return self.field(kind, self.picked(sorted(kind.fields)), levels, None, False)


def kind_of(object_id: str) -> str:
    kinds = {
        "in": "Invoice",
        "inpay": "InvoicePayment",
        "pi": "PaymentIntent",
        "pr": "PaymentRecord",
        "ch": "Charge",
        "cn": "CreditNote",
        "cus": "Customer",
    }
    return kinds.get(object_id.partition("_")[0], "Invoice")


@st.composite
def steps(draw: Any) -> Step:
    writer = _Writer(draw)
    caller = draw(st.sampled_from(("acme", "acme", "holding", "colleague")))
    is_write = not draw(st.integers(0, 3))
    document = writer.mutation() if is_write else writer.query()
    return Step(caller, document, together=draw(st.booleans()) and not is_write)
