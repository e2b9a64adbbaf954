"""Numbers of things are no money: usage is billed in billions and in parts of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.stripe_objects import reading
from tests.stripe_edge import samples
from tests.support.served import Served

OPEN = "in_demo_open"
LINES = '{ invoice(id: "in_demo_open") { lines(first: 1) { nodes { quantity quantityDecimal } } } }'


@pytest.mark.parametrize(
    ("held", "quantity"),
    [
        ("2", 2),
        ("0", 0),
        ("-3", -3),
        ("2147483647", 2147483647),
        ("2147483648", None),
        ("3000000000", None),
        ("0.25", None),
        (None, None),
    ],
)
async def test_any_quantity_is_told_exactly(
    served: Served, held: str | None, quantity: int | None
) -> None:
    """One that GraphQL's Int cannot tell was a masked internal error of the whole invoice."""
    first, *rest = served.twin.lines[OPEN]
    served.twin.lines[OPEN] = (replace(first, quantity=held), *rest)

    data = await served.data(LINES)

    assert data["invoice"]["lines"]["nodes"] == [{"quantity": quantity, "quantityDecimal": held}]


@pytest.mark.parametrize(
    ("sent", "quantity"),
    [
        ({"quantity": 2}, "2"),
        ({"quantity": 3_000_000_000}, "3000000000"),
        ({"quantity": 2, "quantity_decimal": "2.0"}, "2"),
        ({"quantity": 0, "quantity_decimal": "0.250"}, "0.25"),
        ({"quantity": None, "quantity_decimal": "0.25"}, "0.25"),
        ({"quantity": 2, "quantity_decimal": "many"}, "2"),
        ({"quantity": None, "quantity_decimal": None}, None),
    ],
)
def test_stripes_quantity_is_read_without_a_loss(sent: dict[str, Any], quantity: str) -> None:
    """The decimal one is exact, and the whole one is all that older versions have."""
    (line,) = reading.line_item_records(samples.listed([samples.line(**sent)]), "in_1")

    assert line.quantity == quantity
