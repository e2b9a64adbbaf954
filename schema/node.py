"""Ids, cursors, pages and connections: the forms that every noun shares.

Ids are Stripe's own, unencoded, and checked against one prefix table before anything is looked
up. Cursors carry the identity of their list, so that one of another list is refused.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any, Generic, TypeVar

import strawberry

from schema import records
from schema.cost import ListSize
from schema.fields import derived, described, loaded, plain
from schema.ports import (
    PAGE_SIZE_DEFAULT,
    PAGE_SIZE_MAX,
    ById,
    Cursor,
    Listing,
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


def optional_id(kind: str, value: str | None, argument: str) -> str | None:
    """The same where there may be none. An empty id is refused: to Stripe it would be none, and the
    list be everybody's."""
    return None if value is None else checked_id(kind, value, argument)


def id_need(value: str, argument: str, *, quiet: bool = False) -> ById:
    """The need of whatever object this id names, by its prefix."""
    match = _ID.fullmatch(value) if len(value) <= ID_LENGTH_MAX else None
    if match is None or match[1] not in KIND_BY_PREFIX:
        prefixes = ", ".join(f"{prefix}_" for prefix in KIND_BY_PREFIX)
        raise bad_input(
            f"{argument} must be one of Stripe's ids beginning with {prefixes}; got {_shown(value)}"
        )
    return ById(KIND_BY_PREFIX[match[1]], value, quiet)


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
    id: strawberry.ID = plain("Stripe's own id (in_, inpay_, pi_, pr_, ch_, cn_, cus_), unencoded.")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = described(
        "Whether objects follow this page. When paging backward: always true, as the "
        "cursor in `before` follows."
    )
    has_previous_page: bool = described(
        "Whether objects precede this page. When paging forward with `after`: true."
    )
    start_cursor: str | None = described(
        "Cursor of the first object of the page; null when the page is empty."
    )
    end_cursor: str | None = described(
        "Cursor of the last object of the page; null when the page is empty."
    )


@strawberry.type(description="One object of a list, with its place in it.")
class Edge(Generic[T]):
    node: T = described("The object.")
    cursor: str = described("Opaque place of this object in this list, for `after` and `before`.")


def _cursors(page: LoadedPage, items: list[Loaded[Any]]) -> list[str]:
    digest = page.digest
    return [encode_cursor(digest, item.record.id) for item in items]


def _edges(page: LoadedPage) -> list[Edge[Loaded[Any]]]:
    cursors = _cursors(page, page.items)
    return [Edge(node=node, cursor=at) for node, at in zip(page.items, cursors, strict=True)]


def _page_info(page: LoadedPage) -> PageInfo:
    ends = _cursors(page, [*page.items[:1], *page.items[-1:]])
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=ends[0] if ends else None,
        end_cursor=ends[-1] if ends else None,
    )


@strawberry.type(
    description="One page of a list, newest first. `nodes` is short for `edges { node }`."
)
class Connection(Generic[T]):
    edges: list[Edge[T]] = derived("The objects of the page, each with its cursor.", _edges)
    nodes: list[T] = plain("The objects of the page.", of="items")
    page_info: PageInfo = derived("Where the page lies in its list.", _page_info)


def forward(name: str) -> Callable[..., Listing]:
    """The need of a list that is paged forward only and has no filter."""

    def page(first: int | None = PAGE_SIZE_DEFAULT, after: str | None = None) -> Listing:
        return Listing(name, page_arguments(first, after))

    return page


def listed(
    description: str,
    wanted: Callable[..., Any] | None = None,
    *,
    cost: int = 1,
    scope: str | None = None,
) -> Any:
    """A field that shows one page of a list: of the one of the field's name, paged forward, or of
    the one that `wanted` makes of the field's arguments.
    """
    given = signature(wanted or forward("")).parameters
    size = ListSize(
        assumed_size=given["first"].default or PAGE_SIZE_DEFAULT,
        slicing_arguments=[name for name in ("first", "last") if name in given],
        sized_fields=["edges", "nodes"],
        require_one_slicing_argument=False,
    )
    named = forward if wanted is None else None
    return loaded(description, wanted, named=named, cost=cost, size=size, scope=scope)


@strawberry.type(description="One key and value of Stripe's metadata.")
class MetadataEntry:
    key: str = described("At most 40 characters.")
    value: str = described("At most 500 characters.")


def metadata_field() -> Any:
    """A field that shows the record's metadata."""
    return derived(
        "Stripe's metadata, possibly empty.",
        lambda record: [MetadataEntry(key=key, value=value) for key, value in record.metadata],
    )
