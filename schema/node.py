"""Ids, cursors, pages and connections: the forms that every noun shares.

Ids are Stripe's own, unencoded, and checked against one prefix table before anything is looked
up. Cursors carry the identity of their list, so that one of another list is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import strawberry

from schema import records
from schema.fields import field
from schema.ports import (
    NODES_MAX,
    PAGE_SIZE_DEFAULT,
    PAGE_SIZE_MAX,
    ById,
    Cursor,
    Loaded,
    LoadedPage,
    Page,
    bad_input,
)

ID_LENGTH_MAX = 255
"""Stripe says that ids can grow; its own ids are below 70 characters today."""

KIND_BY_PREFIX: Mapping[str, str] = {
    kind.prefix: kind.__name__
    for kind in (
        records.Invoice,
        records.InvoicePayment,
        records.PaymentIntent,
        records.PaymentRecord,
        records.Charge,
        records.CreditNote,
        records.Customer,
    )
}
PREFIX_BY_KIND: Mapping[str, str] = {kind: prefix for prefix, kind in KIND_BY_PREFIX.items()}

_ID = re.compile(r"([a-z]+)_[A-Za-z0-9_]+", re.ASCII)

T = TypeVar("T")


def checked_id(kind: str, value: str, argument: str) -> str:
    """The id, if it looks like Stripe's id of this kind. Raises `Failed` BAD_USER_INPUT."""
    prefix = PREFIX_BY_KIND[kind]
    match = _ID.fullmatch(value) if len(value) <= ID_LENGTH_MAX else None
    if match is None or match[1] != prefix:
        raise bad_input(
            f"{argument} must be the id of one {kind}: {prefix}_ followed by letters, digits and "
            f"underscores, got {_shown(value)}"
        )
    return value


def id_need(value: str, argument: str, *, quiet: bool = False) -> ById:
    """The need of whatever object this id names, by its prefix."""
    match = _ID.fullmatch(value) if len(value) <= ID_LENGTH_MAX else None
    if match is None or match[1] not in KIND_BY_PREFIX:
        prefixes = ", ".join(f"{prefix}_" for prefix in KIND_BY_PREFIX)
        raise bad_input(
            f"{argument} must be one of Stripe's ids beginning with {prefixes}; got {_shown(value)}"
        )
    return ById(KIND_BY_PREFIX[match[1]], value, quiet)


def node_needs(ids: list[str]) -> tuple[ById, ...]:
    """The needs of `nodes(ids:)`, in the order of the ids."""
    if len(ids) > NODES_MAX:
        raise bad_input(f"ids must be at most {NODES_MAX} at a time, got {len(ids)}")
    return tuple(id_need(value, f"ids[{at}]", quiet=True) for at, value in enumerate(ids))


def _shown(value: str) -> str:
    """What was sent, short and printable."""
    return repr(value if len(value) <= 40 else value[:40] + "…")


def encode_cursor(digest: str, object_id: str) -> str:
    raw = f"{digest}:{object_id}".encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(value: str, argument: str) -> Cursor:
    """The list and the object behind a cursor. Raises `Failed` BAD_USER_INPUT."""
    try:
        padded = value + "=" * (-len(value) % 4)
        digest, _, object_id = (
            base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
            .decode("ascii")
            .partition(":")
        )
    except (binascii.Error, ValueError):
        digest = object_id = ""
    if not re.fullmatch(r"[0-9a-f]{12}", digest) or not _ID.fullmatch(object_id):
        raise bad_input(
            f"{argument} must be a cursor that this list has given out, got {_shown(value)}"
        )
    return Cursor(digest, object_id)


def page_arguments(
    first: int | None, after: str | None, last: int | None = None, before: str | None = None
) -> Page:
    """One page as Stripe can serve it. Raises `Failed` BAD_USER_INPUT, naming the argument."""
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 1 <= size <= PAGE_SIZE_MAX:
            raise bad_input(f"{name} must be between 1 and {PAGE_SIZE_MAX}, got {size}")
    if first is not None and last is not None:
        raise bad_input("give first or last, not both: first pages forward, last backward")
    if after is not None and before is not None:
        raise bad_input("give after or before, not both: Stripe pages in one direction at a time")
    if last is not None and before is None:
        raise bad_input("last needs before: Stripe cannot count from the end of a list")
    if first is not None and before is not None:
        raise bad_input("before goes with last; to page forward give first and after")
    if last is not None or before is not None:
        assert before is not None
        size = PAGE_SIZE_DEFAULT if last is None else last
        return Page(first=None, last=size, before=decode_cursor(before, "before"))
    cursor = None if after is None else decode_cursor(after, "after")
    return Page(first=PAGE_SIZE_DEFAULT if first is None else first, after=cursor)


@strawberry.interface(description="Anything with an id of its own.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="Stripe's own id (in_, inpay_, pi_, pr_, ch_, cn_, cus_), unencoded."
    )


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        description="Whether objects follow this page. When paging backward: always true, as the "
        "cursor in `before` follows."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether objects precede this page. When paging forward with `after`: true."
    )
    start_cursor: str | None = strawberry.field(
        description="Cursor of the first object of the page; null when the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="Cursor of the last object of the page; null when the page is empty."
    )


@strawberry.type(description="One object of a list, with its place in it.")
class Edge(Generic[T]):
    node: T = strawberry.field(description="The object.")
    cursor: str = strawberry.field(
        description="Opaque place of this object in this list, for `after` and `before`."
    )


@strawberry.type(
    description="One page of a list, newest first. `nodes` is short for `edges { node }`."
)
class Connection(Generic[T]):
    @field("The objects of the page, each with its cursor.")
    @staticmethod
    def edges(page: strawberry.Parent[LoadedPage]) -> list[Edge[T]]:
        digest = page.digest
        # Loaded stands for its type: resolvers receive it as their parent.
        items: list[Any] = page.items
        return [Edge(node=item, cursor=encode_cursor(digest, item.record.id)) for item in items]

    @field("The objects of the page.")
    @staticmethod
    def nodes(page: strawberry.Parent[LoadedPage]) -> list[T]:
        items: list[Any] = page.items
        return items

    @field("Where the page lies in its list.")
    @staticmethod
    def page_info(page: strawberry.Parent[LoadedPage]) -> PageInfo:
        ids = [item.record.id for item in page.items]
        return PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=encode_cursor(page.digest, ids[0]) if ids else None,
            end_cursor=encode_cursor(page.digest, ids[-1]) if ids else None,
        )


@strawberry.type(description="One key and value of Stripe's metadata.")
class MetadataEntry:
    key: str = strawberry.field(description="At most 40 characters.")
    value: str = strawberry.field(description="At most 500 characters.")


def metadata_entries(parent: Loaded[Any]) -> list[MetadataEntry]:
    return [MetadataEntry(key=key, value=value) for key, value in parent.record.metadata]
