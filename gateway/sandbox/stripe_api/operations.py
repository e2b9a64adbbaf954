"""One call of the API, the operation that answers it, and Stripe's lists and reads in general.

Lists are newest first, with cursors that are ids. With `ending_before` the page is the one just
before the cursor, itself newest first. What an operation takes stands in `operations.toml`.
Source: https://docs.stripe.com/api/pagination, 2026-10-28.endive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from gateway.backends.memory.tables import Query, Table
from gateway.backends.memory.twin import Request
from gateway.sandbox.stripe_api import parameters
from gateway.sandbox.stripe_api.account import Account
from gateway.sandbox.stripe_api.errors import StripeError, no_such

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
    version: str

    @property
    def id(self) -> str:
        """The one id of the path."""
        return next(iter(self.ids.values()))

    def picked(self, *names: str) -> dict[str, Any]:
        """The parameters of these names that were given."""
        return {name: self.params[name] for name in names if name in self.params}


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list, of records or of objects that are printed already."""

    url: str
    items: list[Any]
    has_more: bool


Run = Callable[[Account, Call], Any]
"""Does what is asked; answers a record, a `Listed`, or an object that is printed already."""


@dataclass(frozen=True)
class Operation:
    """One operation of the API. `answers` is Stripe's name of the object, or of a list's members.

    `preview` operations do not exist for other versions.
    """

    method: str
    path: str
    answers: str
    run: Run
    is_list: bool = False
    preview: bool = False

    @cached_property
    def parameters(self) -> parameters.Table:
        of_lists = parameters.taken_by("list") if self.is_list else {}
        own = parameters.taken_by(f"{self.method} {self.path}")
        return {**parameters.taken_by("every"), **of_lists, **own}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))

    def ids_in(self, method: str, path: str) -> dict[str, str] | None:
        """The ids in this path; None where it is not the path of this operation."""
        match = self._pattern.fullmatch(path) if method == self.method else None
        return None if match is None else match.groupdict()


def reading(kind: str, path: str) -> Operation:
    """The operation that answers the one object of its path."""
    return Operation("GET", path, kind, lambda account, call: account.get(kind, call.id))


def listing(
    kind: str,
    path: str,
    *,
    indexed: Mapping[str, str] | None = None,
    compared: Mapping[str, str] | None = None,
    known: Sequence[str] = (),
) -> Operation:
    """The operation that lists a kind by what its members have in common.

    `indexed` and `compared` map parameters to attributes, those with an index and those without;
    `known` are parameters that must name an object that there is.
    """

    def run(account: Account, call: Call) -> Listed:
        given = call.params
        for name in known:
            if name in given:
                account.referred(name, given[name], name)
        common = [(at, given[name]) for name, at in (compared or {}).items() if name in given]

        def check(one: object) -> bool:
            return all(getattr(one, attribute) == value for attribute, value in common)

        equals = {attribute: given.get(name) for name, attribute in (indexed or {}).items()}
        query: Query[Any] = query_of(call, check if common else None, **equals)
        return page_of(call, kind, account.tables[kind], query)

    return Operation("GET", path, kind, run, is_list=True)


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
        raise StripeError(
            "You may only specify one of these parameters: starting_after, ending_before.",
            code="parameters_exclusive",
            param="starting_after",
        )
    for name, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor is not None and cursor not in known:
            raise no_such(kind, cursor, name, status=400)
    return after, before


def query_of(
    call: Call, check: Callable[[R], bool] | None = None, **equals: str | None
) -> Query[R]:
    """What a list holds: given index values, and the call's windows of creation and due date."""
    start, end = call.params.get("created", (None, None))
    return Query(
        equals=tuple((name, value) for name, value in equals.items() if value is not None),
        created_from=start,
        created_to=end,
        due=call.params.get("due_date"),
        check=check,
    )


def printed(url: str, members: Sequence[Any], *, has_more: bool) -> dict[str, Any]:
    return {"object": "list", "data": list(members), "has_more": has_more, "url": url}
