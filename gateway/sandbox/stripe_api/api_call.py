"""One call of the API, and the pages of Stripe's lists.

Lists are newest first, with cursors that are ids. With `ending_before` the page is the one just
before the cursor, itself newest first.
Source: https://docs.stripe.com/api/pagination, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.backends.memory.tables import Query, Table
from gateway.backends.memory.twin import Request
from gateway.sandbox.stripe_api.account import Account, merged
from gateway.sandbox.stripe_api.api_errors import exclusive, no_such
from gateway.sandbox.stripe_api.rendering import Json, printed
from schema.records import Metadata

PAGE_SIZE_DEFAULT = 10


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


def page_of(
    account: Account,
    call: Call,
    kind: str,
    check: Callable[[Any], bool] | None = None,
    **equals: str | None,
) -> Json:
    """The page of a kind's list that a call asks for: of what has these index values, passes the
    check, and lies in the windows of creation and due date. Raises `StripeError` for an unknown
    cursor."""
    given, table = call.params, account.tables[kind]
    start, end = given.get("created", (None, None))
    query: Query[Any] = Query(
        equals=tuple((name, value) for name, value in equals.items() if value is not None),
        created_from=given["created_after"] + 1 if "created_after" in given else start,
        created_to=given["created_before"] - 1 if "created_before" in given else end,
        due=given.get("due_date"),
        check=check,
    )
    after, before = _cursors(call, kind, table)
    size = given.get("limit", PAGE_SIZE_DEFAULT)
    if before is not None:
        found = list(islice(table.oldest_first(query, above=before), size + 1))
        items = found[:size][::-1]
    else:
        found = list(islice(table.newest_first(query, below=after), size + 1))
        items = found[:size]
    return printed(account, f"/v1/{kind}s", items, has_more=len(found) > size)


def page_in(account: Account, call: Call, kind: str, members: Sequence[Any], url: str) -> Json:
    """A page of a short list in its own order, such as an invoice's lines."""
    ids = [one.id for one in members]
    after, before = _cursors(call, kind, ids)
    size = call.params.get("limit", PAGE_SIZE_DEFAULT)
    if before is not None:
        end = ids.index(before)
        start = max(0, end - size)
        return printed(account, url, members[start:end], has_more=start > 0)
    start = ids.index(after) + 1 if after is not None else 0
    end = start + size
    return printed(account, url, members[start:end], has_more=end < len(members))


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
