"""What the gateway makes of an operation before it runs: cost, needs, calls to Stripe, and the code
of its plan.

The calls are those of the real fetch plan, over an account that is made up as it is read: whatever
is asked for is there, and every list has members and every reference an object.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from typing import Any
from urllib.parse import quote

from graphql import GraphQLError, OperationType
from graphql.execution.values import get_variable_values

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.reads.calls import Calls
from gateway.backends.stripe.reads.fetch_plan import SCAN_FROM, load
from gateway.execution.documents import Document, Documents
from gateway.execution.plans.plans import Plans
from gateway.settings import Limits
from gateway.stripe_objects.shapes import SHAPES, SOURCE_TYPES, Field, Kind
from gateway.stripe_objects.writing import Json, written
from schema import records
from schema.planner import Selection
from schema.ports import ROOT, EventListing, Meter, Needs, Viewer
from schema.root import make_schema

LENGTH = SCAN_FROM
"""Of each list: enough for the fetch plan to gather what hangs on its members."""
INSTANT = records.INSTANT_MAX
"""When everything was created. In a call it stands for what an answer says."""

_MADE = "ANSWERED"
_MADE_ID = re.compile(rf"([a-z]+)_{_MADE}\d*")
_KIND_OF = {shape.record.prefix: kind for kind, shape in SHAPES.items()}


def explained(text: str, name: str | None, variables: dict[str, Any], limits: Limits) -> str:
    """The explanation as comments above the code. Raises `ValueError` for what could not run."""
    schema = make_schema()._schema
    document = Documents(schema, limits).get(text, may_introspect=True)
    if not isinstance(document, Document):
        raise ValueError("\n".join(error.message for error in document))
    try:
        operation = document.operation(name)
        values = get_variable_values(schema, operation.variable_definitions or (), variables)
        if isinstance(values, list):
            raise ValueError("\n".join(error.message for error in values))
        root = schema.get_root_type(operation.operation)
        assert root is not None
        selection = Selection(schema, operation, document.fragments, values)
        needs = selection.of_root(root)
    except GraphQLError as error:
        raise ValueError(error.message) from error
    cost = document.cost(schema, operation, values.coerced)
    plan = Plans(schema).plan(document, selection)
    code = f"# no plan: {plan}\n" if isinstance(plan, str) else plan.text
    lines = [f"# cost: {cost} of at most {limits.cost_max}", "# needs:"]
    lines += [f"#   {line}" for line in _told(needs)]
    if operation.operation is OperationType.QUERY:
        lines += _ABOUT_CALLS
        lines += [f"#   {call}" for call in asyncio.run(stripe_calls(needs))]
    return "\n".join([*lines, "", code])


_ABOUT_CALLS = (
    "# calls to Stripe, for a caller who sees all customers, where nothing is cached and each list",
    f"# has {LENGTH} members; braces hold what only an answer tells; each of those is asked for:",
)


def _said(one: Any) -> str:
    """Without what is as it is by default."""
    if not is_dataclass(one):
        return repr(one)
    said = (
        f"{each.name}={_said(value)}"
        for each in fields(one)
        if each.repr and (value := getattr(one, each.name)) != each.default
    )
    return f"{type(one).__name__}({', '.join(said)})"


def _told(needs: Needs, depth: int = 0) -> Iterator[str]:
    for type_name, of_type in needs.by_type.items():
        for need, below in of_type.items():
            yield f"{'  ' * depth}{type_name}: {_said(need)}"
            yield from _told(below, depth + 1)


async def stripe_calls(needs: Needs) -> list[str]:
    """The calls that the fetch plan makes for a query's needs where nothing is cached, each kind of
    call once. `{invoice}` stands for an id that an answer tells, and is sent for each of them."""
    stripe = ImaginedStripe()
    rest = Needs()
    for need, deeper in needs.of(ROOT).items():
        if not isinstance(need, EventListing):  # Its objects depend on what the log holds.
            rest.add(ROOT, need, deeper)
    await load(Calls(stripe, Viewer("explain"), Meter("explain")), rest)
    return list(dict.fromkeys(stripe.calls))


class ImaginedStripe(StripeApi):
    """Takes the place of an account for reads; `calls` are those that it was asked. Nothing is
    sent."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._objects: dict[str, Json] = {}

    async def get(
        self, path: str, params: Mapping[str, Any], meter: Meter, *, has_turn: bool = False
    ) -> Json:
        self.calls.append(shown_call(path, params))
        _, _, nouns, *steps = path.split("/")
        kind = nouns.removesuffix("s")
        if steps[1:] == ["lines"]:
            answer = self._list("line_item", {})
        elif steps == ["preview"]:
            answer = self._new(kind) | {"invoice": params["invoice"]}
        else:
            answer = self._object(kind, steps[0]) if steps else self._list(kind, params)
        answer = deepcopy(answer)
        for expand in params.get("expand", ()):
            self._expand(answer, expand.split("."))
        return answer

    def _object(self, kind: str, object_id: str) -> Json:
        if object_id not in self._objects:
            shape, number = SHAPES[kind], len(self._objects)
            values: Json = {field.name: _value(field, number) for field in shape.fields}
            self._objects[object_id] = made = written(shape.record(**values, id=object_id))
            if kind == "invoice":
                made["lines"] = self._list("line_item", {})
        return self._objects[object_id]

    def _new(self, kind: str) -> Json:
        return self._object(kind, _new_id(SHAPES[kind].record.prefix, len(self._objects)))

    def _list(self, kind: str, params: Mapping[str, Any]) -> Json:
        """Those that are known already and fit, or new ones."""
        said = {name: params[name] for name in ("customer", "invoice", "payment") if name in params}
        known = [
            one
            for one in self._objects.values()
            if one["object"] == kind and one.items() >= said.items()
        ]
        for _ in range(0 if known else LENGTH):
            one = self._new(kind)
            one |= said
            if "status" in params:
                one["status"] = params["status"]
            known.append(one)
        return {"object": "list", "data": known[: params.get("limit")], "has_more": False}

    def _expand(self, holder: Json, steps: list[str]) -> None:
        """Put objects in place of their ids, and in what is left out unless it is asked for."""
        first, *rest = steps
        if first == "data":
            for one in holder["data"] if rest else ():
                self._expand(one, rest)
            return
        if first not in holder and holder.get("object") == "invoice":
            holder[first] = deepcopy(self._included(first, holder["id"]))
        below = holder.get(first)  # None, say, for the kinds of source that a payment has not.
        if isinstance(below, str):
            below = holder[first] = deepcopy(self._object(_KIND_OF[below.partition("_")[0]], below))
        if rest and below is not None:
            self._expand(below, rest)

    def _included(self, name: str, invoice_id: str) -> Json:
        if name == "payments":
            return self._list("invoice_payment", {"invoice": invoice_id})
        return {"client_secret": _MADE, "type": SOURCE_TYPES[0]}


def _value(field: Field, number: int) -> object:
    """What stands in a field of the object of this number."""
    match field.kind:
        case Kind.REFERENCE:
            # All is one customer's: what is asked of others would be the same calls again.
            is_shared = field.prefixes == (records.Customer.prefix,)
            return _new_id(field.prefixes[0], 0 if is_shared else number)
        case Kind.SOURCE_TYPE:
            return SOURCE_TYPES[0]
        case Kind.SOURCE_ID:
            return _new_id(records.PaymentIntent.prefix, number)
        case Kind.TEXT | Kind.CURRENCY | Kind.QUANTITY:
            return field.words[0] if field.words else "1"
        case Kind.AMOUNT:
            return 1
        case Kind.INSTANT:
            return INSTANT
        case Kind.FLAG:
            return False
        case _:
            return ()


def _new_id(prefix: str, number: int) -> str:
    return f"{prefix}_{_MADE}{number}"


def shown_call(path: str, params: Mapping[str, Any]) -> str:
    """A call as people read it, with what only an answer tells in braces."""
    query = "&".join(f"{name}={value}" for name, value in _pairs(params, ""))
    text = f"GET {path}?{query}" if query else f"GET {path}"
    text = text.replace(str(INSTANT), "{created}")
    return _MADE_ID.sub(lambda found: f"{{{_KIND_OF[found[1]]}}}", text)


def _pairs(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Stripe's form encoding, but for brackets, which stay readable."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _pairs(below, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for below in value:
            yield from _pairs(below, f"{name}[]")
    else:
        yield name, quote(str(value))
