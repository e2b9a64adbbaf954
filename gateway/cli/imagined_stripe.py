"""An account at Stripe that is made up as it is read, so that a fetch plan can be looked at before
anything is sent: whatever is asked for is there, and every list has members and every reference an
object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any
from urllib.parse import quote

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.reads.calls import Calls
from gateway.backends.stripe.reads.fetch_plan import SCAN_FROM, load
from gateway.stripe_objects.shapes import SHAPES, SOURCE_TYPES, Field, Kind
from gateway.stripe_objects.writing import Json, written
from schema import records
from schema.ports import ROOT, EventListing, Meter, Needs, Viewer

LENGTH = SCAN_FROM
"""Of each list: enough for the fetch plan to gather what hangs on its members."""
INSTANT = records.INSTANT_MAX
"""When everything was created. In a call it stands for what an answer says."""

_MADE = "ANSWERED"
_MADE_ID = re.compile(rf"([a-z]+)_{_MADE}\d*")
_KIND_OF = {shape.record.prefix: kind for kind, shape in SHAPES.items()}


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
            answer = self._object(kind, _new_id(kind, 0)) | {"invoice": params["invoice"]}
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

    def _list(self, kind: str, params: Mapping[str, Any]) -> Json:
        """Those that are known already and fit, or new ones."""
        said = {name: params[name] for name in ("customer", "invoice", "payment") if name in params}
        known = [
            one
            for one in self._objects.values()
            if one["object"] == kind and one.items() >= said.items()
        ]
        for _ in range(0 if known else LENGTH):
            one = self._object(kind, _new_id(kind, len(self._objects)))
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
        if first not in holder:
            holder[first] = deepcopy(self._included(first, holder["id"]))
        below = holder[first]
        if isinstance(below, str):
            below = holder[first] = deepcopy(self._object(_kind_of(below), below))
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
            return _new_id(_KIND_OF.get(field.prefixes[0], ""), 0 if is_shared else number)
        case Kind.SOURCE_TYPE:
            return SOURCE_TYPES[0]
        case Kind.SOURCE_ID:
            return _new_id(SOURCE_TYPES[0], number)
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


def _new_id(kind: str, number: int) -> str:
    return f"{SHAPES[kind].record.prefix if kind else kind}_{_MADE}{number}"


def _kind_of(object_id: str) -> str:
    return _KIND_OF[object_id.partition("_")[0]]


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
