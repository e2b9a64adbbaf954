"""One row of a table of rules: what is arranged, what is tried, which refusal is expected.

Used by the four files of rules; the test that reads a row is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from schema.ports import PRECEDENCE, RefusalCode, Refused
from tests.ledger.builders import Account, everything

Try = Callable[[Account], Callable[[], object]]
"""Arranges an account and answers the call that is to be refused."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`broken` arranges the case; the expected refusal stands last, as its code and its rule."""

    id: str
    broken: Try
    code: RefusalCode
    rule: str


def rows(table: Iterable[Rule]) -> list[object]:
    """The table as parameters, each named by its id."""
    return [pytest.param(row, id=row.id) for row in table]


def check_refused(account: Account, row: Rule) -> Refused:
    """Try what the row says: it must be refused by its rule, and nothing may have changed."""
    attempt = row.broken(account)
    before = everything(account.twin)

    with pytest.raises(Refused) as caught:
        attempt()

    assert (caught.value.code, caught.value.rule) == (row.code, row.rule)
    assert everything(account.twin) == before
    return caught.value


def check_in_precedence_order(table: Iterable[Rule]) -> None:
    places = [PRECEDENCE.index(row.code) for row in table]
    assert places == sorted(places)


def sorted_by_precedence(refusals: Iterable[Refused]) -> bool:
    places = [PRECEDENCE.index(one.code) for one in refusals]
    return places == sorted(places)
