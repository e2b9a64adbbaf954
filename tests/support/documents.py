"""Documents that hypothesis makes from the printed schema, about objects that really exist."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis_graphql import Mode, mutations, nodes, queries

SDL = (Path(__file__).parents[2] / "schema" / "schema.graphql").read_text()

CURRENCIES = ("usd", "USD", "jpy", "KWD", "xxx", "")
INSTANTS = ("2026-01-01T00:00:00Z", "2026-12-31T23:59:59+14:00", "9999-12-31T23:59:59Z", "never")
NUMBERS = (0, 1, -1, 100, 2**31, 2**53 - 1, 2**53, 2**64, -(2**63))


def scalars(ids: tuple[str, ...] = ("in_1",), cursors: tuple[str, ...] = ("",)) -> dict[str, Any]:
    """How to write values of our scalars, the good and the bad. ID takes `ids` and some others."""
    strange = ("", "in_", "pi_unknown", "in_1/../x", "in_1?expand[]=", "\u0000", "x" * 300)
    return {
        "ID": st.sampled_from((*ids, *ids, *strange)).map(nodes.String),
        "MinorUnits": st.sampled_from(NUMBERS).map(nodes.Int),
        "CurrencyCode": st.sampled_from(CURRENCIES).map(nodes.String),
        "DateTime": st.sampled_from(INSTANTS).map(nodes.String),
        "Decimal": st.sampled_from(("1.00", "-0", "1e3")).map(nodes.String),
        "EventCursor": st.sampled_from((*cursors, "no cursor")).map(nodes.String),
    }


@cache
def valid_queries(**known: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Queries that are valid by the schema; `known` is what `scalars` takes. Made once, as it is
    asked for anew in every example."""
    return queries(SDL, custom_scalars=scalars(**known))


@cache
def valid_mutations(**known: tuple[str, ...]) -> st.SearchStrategy[str]:
    return mutations(SDL, custom_scalars=scalars(**known))


@cache
def broken_queries(**known: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Queries with one violation of the schema each."""
    return queries(SDL, custom_scalars=scalars(**known), mode=Mode.NEGATIVE)
