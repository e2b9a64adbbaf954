"""Stripe's lists: newest first, cursors that are ids, `has_more`.

With `ending_before` the page is the one just before the cursor, itself newest first.
Source: https://docs.stripe.com/api/pagination, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, TypeVar

from gateway.backends.memory.tables import Query, Table
from gateway.sandbox.stripe_api.calls import Call, Listed
from gateway.sandbox.stripe_api.errors import StripeError, no_such

PAGE_SIZE_DEFAULT = 10
SUB_LIST_SIZE = 10
"""Documented only as "the first handful"; nested lists have behaved as ten."""

R = TypeVar("R")


def page_of(
    call: Call, kind: str, table: Table[R], query: Query[R], *, url: str | None = None
) -> Listed:
    """The page that a call asks for. Raises `StripeError` for an unknown cursor."""
    after, before = _cursors(call)
    size = call.params.get("limit", PAGE_SIZE_DEFAULT)
    for name, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor is not None and cursor not in table:
            raise no_such(kind, cursor, name, status=400)
    if before is not None:
        found = list(islice(table.oldest_first(query, above=before), size + 1))
        items = found[:size][::-1]
    else:
        found = list(islice(table.newest_first(query, below=after), size + 1))
        items = found[:size]
    return Listed(url or f"/v1/{kind}s", items, len(found) > size)


def page_in(call: Call, kind: str, members: Sequence[R], url: str) -> Listed:
    """A page of a short list in its own order, such as an invoice's lines."""
    after, before = _cursors(call)
    size = call.params.get("limit", PAGE_SIZE_DEFAULT)
    ids = [getattr(one, "id", None) for one in members]
    for name, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor is not None and cursor not in ids:
            raise no_such(kind, cursor, name, status=400)
    if before is not None:
        end = ids.index(before)
        start = max(0, end - size)
        return Listed(url, list(members[start:end]), start > 0)
    start = ids.index(after) + 1 if after is not None else 0
    return Listed(url, list(members[start : start + size]), start + size < len(members))


def _cursors(call: Call) -> tuple[str | None, str | None]:
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after is not None and before is not None:
        raise StripeError(
            "You may only specify one of these parameters: starting_after, ending_before.",
            code="parameters_exclusive",
            param="starting_after",
        )
    return after, before


def query_of(
    call: Call, check: Callable[[R], bool] | None = None, **equals: str | None
) -> Query[R]:
    """What a list holds: given index values, and the call's window of creation."""
    start, end = call.params.get("created", (None, None))
    return Query(
        equals=tuple((name, value) for name, value in equals.items() if value is not None),
        created_from=start,
        created_to=end,
        check=check,
    )


def printed(url: str, members: Sequence[Any], *, has_more: bool) -> dict[str, Any]:
    return {"object": "list", "data": list(members), "has_more": has_more, "url": url}
