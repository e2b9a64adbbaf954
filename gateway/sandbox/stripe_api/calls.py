"""One call of the API, and the pages of Stripe's lists.

Lists are newest first, with cursors that are ids. With `ending_before` the page is the one just
before the cursor, itself newest first.
Source: https://docs.stripe.com/api/pagination, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from gateway.backends.memory.tables import Query, Table
from gateway.backends.memory.twin import Request
from gateway.sandbox.stripe_api.account import merged
from gateway.sandbox.stripe_api.errors import exclusive, no_such
from schema.records import Metadata

PAGE_SIZE_DEFAULT = 10
SUB_LIST_SIZE = 10
"""Documented only as "the first handful"; nested lists have behaved as ten."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation is asked: the ids of its path, its checked parameters, and for whom."""

    ids: Mapping[str, str]
    params: Mapping[str, Any]
    request: Request

    @property
    def id(self) -> str:
        """The one id of the path."""
        return next(iter(self.ids.values()))

    def picked(self, *names: str) -> dict[str, Any]:
        """The parameters of these names that were given."""
        return {name: self.params[name] for name in names if name in self.params}

    def changes(self, metadata: Metadata, *names: str) -> dict[str, Any]:
        """What an update says of these fields, and of the metadata that there is."""
        changes = self.picked(*names)
        if "metadata" in self.params:
            changes["metadata"] = merged(metadata, self.params["metadata"])
        return changes


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list, of records or of objects that are printed already."""

    url: str
    items: list[Any]
    has_more: bool


def page_of(call: Call, kind: str, table: Table[R], query: Query[R]) -> Listed:
    """The page that a call asks for. Raises `StripeError` for an unknown cursor."""
    after, before = _cursors(call, kind, table)
    size = call.params.get("limit", PAGE_SIZE_DEFAULT)
    if before is not None:
        found = list(islice(table.oldest_first(query, above=before), size + 1))
        items = found[:size][::-1]
    else:
        found = list(islice(table.newest_first(query, below=after), size + 1))
        items = found[:size]
    return Listed(f"/v1/{kind}s", items, len(found) > size)


def page_in(call: Call, kind: str, members: Sequence[Any], url: str) -> Listed:
    """A page of a short list in its own order, such as an invoice's lines."""
    ids = [one.id for one in members]
    after, before = _cursors(call, kind, ids)
    size = call.params.get("limit", PAGE_SIZE_DEFAULT)
    if before is not None:
        end = ids.index(before)
        start = max(0, end - size)
        return Listed(url, list(members[start:end]), start > 0)
    start = ids.index(after) + 1 if after is not None else 0
    return Listed(url, list(members[start : start + size]), start + size < len(members))


def _cursors(
    call: Call, kind: str, known: Table[Any] | Sequence[str]
) -> tuple[str | None, str | None]:
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after is not None and before is not None:
        raise exclusive("starting_after", "ending_before", param="starting_after")
    for name, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor is not None and cursor not in known:
            raise no_such(kind, cursor, name, status=400)
    return after, before


def query_of(
    call: Call, check: Callable[[R], bool] | None = None, **equals: str | None
) -> Query[R]:
    """What a list holds: given index values, and the call's windows of creation and due date."""
    given = call.params
    start, end = given.get("created", (None, None))
    return Query(
        equals=tuple((name, value) for name, value in equals.items() if value is not None),
        created_from=given["created_after"] + 1 if "created_after" in given else start,
        created_to=given["created_before"] - 1 if "created_before" in given else end,
        due=given.get("due_date"),
        check=check,
    )


def printed(url: str, members: Sequence[Any], *, has_more: bool) -> dict[str, Any]:
    return {"object": "list", "data": list(members), "has_more": has_more, "url": url}
