"""Cache entries: things as text and back, and the keys under which they are kept.

What does not fit is not cached; what cannot be read is not there. The version is made from the
records' own fields, so that two releases with other fields never read each other's values. A key
says mode, account, version of the shapes, object and list. Objects are everybody's, because rights
are checked wherever one is shown; lists, and what is hidden, are narrowed by the customers that a
viewer may see. No key holds a secret.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

import orjson

from gateway.backends.assembly import Ask, FetchedPage
from gateway.backends.first_rows import ListKey, rows_of
from schema import records
from schema.ports import BackendDescription, Computed, Viewer

Token = str | int
"""Random text, or a count of drops: see `gateway.backends.caching.tokens`."""


class Gone(enum.Enum):
    """Stands for an object that there is not, or not any more."""

    GONE = "gone"
    DELETED = "deleted"


GONE, DELETED = Gone.GONE, Gone.DELETED
EVERYBODY = Viewer("everybody")
"""Sees everything: what it does not find is not there for anybody."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One cached thing with the tokens under which it was stored, by the names it depends on, and
    when its time is over by the clock of whoever stored it."""

    tokens: Mapping[str, Token]
    thing: Any
    ends_at: float


KINDS: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        records.Customer,
        records.Invoice,
        records.InvoiceLineItem,
        records.InvoicePayment,
        records.PaymentIntent,
        records.PaymentRecord,
        records.Charge,
        records.CreditNote,
        records.DetachPreview,
    )
}
_FIELDS = {kind: tuple(one.name for one in fields(kind)) for kind in KINDS.values()}
_VALUES = {kind: attrgetter(*names) for kind, names in _FIELDS.items()}
_FORMAT = "3"
"""Raise it when the same fields are written in another way."""


def version_of(kinds: Mapping[str, type[Any]]) -> str:
    """Another one for other kinds, fields or types."""
    shapes = [(name, [(f.name, f.type) for f in fields(kind)]) for name, kind in kinds.items()]
    refund = [(f.name, f.type) for f in fields(records.CreditNoteRefund)]
    text = f"{_FORMAT}{shapes}{refund}"
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


READ_KEPT_MAX = 8192
"""Of texts that are read again and again, with what they say: 10 MB."""

VERSION = version_of(KINDS)


def written(kept: Kept) -> str | None:
    """The text of it; None for what JSON cannot hold, such as half a surrogate pair."""
    try:
        return orjson.dumps([kept.tokens, kept.ends_at, *_form(kept.thing)]).decode()
    except orjson.JSONEncodeError:
        return None


@lru_cache(READ_KEPT_MAX)
def read(text: str) -> Kept | None:
    """What was written; None for anything else. Nobody may change it: it is kept for all who read
    the same text."""
    try:
        tokens, ends_at, form, body = orjson.loads(text)
        return Kept(dict(tokens), _thing(form, body), float(ends_at))
    except (ValueError, TypeError, KeyError):
        return None


def _form(thing: Any) -> tuple[str, Any]:
    if isinstance(thing, Gone):
        return thing.value, None
    if isinstance(thing, FetchedPage):
        return "page", [[_row(one) for one in thing.members], thing.has_next, thing.has_previous]
    if type(thing) in _VALUES:
        return "record", _row(thing)
    return "plain", thing


def _thing(form: str, body: Any) -> Any:
    match form:
        case "gone" | "deleted":
            return Gone(form)
        case "page":
            members, has_next, has_previous = body
            return FetchedPage(tuple(_record(row) for row in members), has_next, has_previous)
        case "record":
            return _record(body)
        case "plain":
            return body
        case _:
            raise ValueError(f"no form {form}")


def _row(record: Any) -> tuple[str, Any]:
    """A record as its kind and its fields in order."""
    kind = type(record)
    return kind.__name__, _VALUES[kind](record)


def _record(row: list[Any]) -> Any:
    name, values = row
    kind = KINDS[name]
    for at, value in enumerate(values):
        if isinstance(value, list):
            values[at] = tuple(map(_member, value))
    return kind(**dict(zip(_FIELDS[kind], values, strict=True)))


def _member(value: Any) -> Any:
    """One of a record's tuple: a pair, a refund (an object in JSON), or plain."""
    if isinstance(value, dict):
        return records.CreditNoteRefund(**value)
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one deployment. Tokens have no version: a drop counts for all releases."""

    tokens: str
    values: str

    @classmethod
    def of(cls, description: BackendDescription, version: str = VERSION) -> Keys:
        mode = "live" if description.livemode else "test"
        tokens = f"{mode}:{description.account}:"
        return cls(tokens, f"{tokens}{version}:")

    def held(self, viewer: Viewer, ask: Ask) -> str:
        """Where an object, a list or a computed value is kept."""
        if ask.need is None:
            return f"{self.values}o:{ask.kind}:{ask.id}"
        digest = _digest(f"{ask.need!r}{_customers(viewer)}")
        return f"{self.values}n:{ask.kind}:{ask.id}:{ask.need.name}:{digest}"

    def rows(self, key: ListKey) -> str:
        """Where the first rows of a list are kept, whatever part of it is wanted, and by whom."""
        kind, name, parent_id = key
        return f"{self.values}r:{kind}:{parent_id}:{name}"

    def places(self, viewer: Viewer, ask: Ask) -> Iterator[tuple[str, Ask, bool]]:
        """The keys under which an answer may lie, and whether rows do that it is to be cut from.

        What nobody finds, who is restricted does not find either; and what was worked out of an
        object is the same for all who are shown it.
        """
        yield self.held(viewer, ask), ask, False
        if ask.need is None:
            kind, record_id = ask.kind or "", ask.id or ""
            yield self.gone(viewer, kind, record_id), ask, False
            if viewer.customers is not None:
                yield self.gone(EVERYBODY, kind, record_id), ask, False
        elif (rows := rows_of(ask)) is not None:
            yield self.rows(rows), ask, True
        elif isinstance(ask.need, Computed) and viewer.customers is not None:
            yield self.held(EVERYBODY, ask), ask, False

    def gone(self, viewer: Viewer, kind: str, record_id: str) -> str:
        """Where it is kept that the viewer finds no such object."""
        scope = "" if viewer.customers is None else _digest(_customers(viewer))
        return f"{self.values}x:{kind}:{record_id}:{scope}"


def _customers(viewer: Viewer) -> str:
    return "" if viewer.customers is None else f"|{sorted(viewer.customers)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
