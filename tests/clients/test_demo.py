"""The demo's controls, over the twin and over a sandbox in the same process."""

from __future__ import annotations

from aiohttp import ClientSession
from yarl import URL

INVOICE = "query ($id: ID!) { invoice(id: $id) { status amountRemaining { minorUnits } } }"


async def test_what_others_would_do_is_done_with_each_backend(url: str) -> None:
    """Over the sandbox it is done at Stripe, and comes in as everything does from there."""
    given = {"customerId": "cus_demo_acme", "currency": "usd", "amountMinorUnits": 7550}

    async with ClientSession() as session:
        async with session.post(URL(url).with_path("/demo/add-invoice"), json=given) as response:
            made = await response.json()
        query = {"query": INVOICE, "variables": made}
        async with session.post(url, json=query) as answer:
            read = await answer.json()

    assert read["data"]["invoice"] == {"status": "OPEN", "amountRemaining": {"minorUnits": 7550}}
