"""How the stage keeps what it makes in an order that Stripe's whole seconds can tell."""

from __future__ import annotations

from tests.contract.stripe_stage import OneSecondApart
from tests.support.upstream import Waits


async def test_two_that_are_made_are_a_second_apart() -> None:
    """Counted from the answer to the first, as nobody knows when in the call it was made."""
    waits = Waits()
    apart = OneSecondApart(sleep=waits.sleep, monotonic=waits.monotonic)

    async with apart():
        waits.now += 0.25
    waits.now += 0.5
    async with apart():
        begun = waits.now

    assert begun == 0.25 + 1.0
