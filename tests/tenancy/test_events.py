"""Events: one log for everybody, of which each sees what is theirs."""

from __future__ import annotations

import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tests.tenancy.account import ACME, GLOBEX, INITECH
from tests.tenancy.documents import PAGE, STREAM, pays
from tests.tenancy.streams import TRANSPORTS
from tests.tenancy.words import strayed
from tests.tenancy.world import BACKENDS, World, within_seconds


async def events(world: World, caller: str, **sent: Any) -> tuple[list[Any], dict[str, Any]]:
    """One page for the caller, in which nothing has strayed."""
    text, body = await world.text(caller, PAGE, **sent)
    if caller in ("acme", "holding"):
        assert strayed(text, world.hidden_from(caller), sent) == set()
    assert "errors" not in body or caller == "operator" or "zqcrossed" in text, body
    page = body["data"]["invoicePaymentEvents"]
    return page["nodes"], page["pageInfo"]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_pages_of_the_log_hold_only_ones_own(backend: str, tmp_path: Path) -> None:
    """Globex's events lie between Acme's and leave neither a trace nor a short page."""
    async with BACKENDS[backend](tmp_path) as world:
        for customer_id in (GLOBEX, ACME):
            await pays(world, customer_id)
        await world.stir()
        await world.stir()
        everything, _ = await events(world, "operator", first=100)

        own, end = await events(world, "acme", first=100)
        first, more = await events(world, "acme", first=len(own) - 1)
        last, none = await events(world, "acme", first=100, after=more["endCursor"])

    assert [one["cursor"] for one in own] == [
        one["cursor"] for one in everything if one["customerId"] == ACME
    ]
    assert {GLOBEX, INITECH} <= {one["customerId"] for one in everything}
    assert [*first, *last] == own
    assert (more["hasNextPage"], none["hasNextPage"]) == (True, False)
    assert end["hasNextPage"] is False


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_cursor_is_a_position_and_not_a_right(backend: str, tmp_path: Path) -> None:
    """Acme goes on from a cursor that Globex was given, and gets what is Acme's after it."""
    async with BACKENDS[backend](tmp_path) as world:
        await pays(world, ACME)
        await pays(world, GLOBEX)
        theirs, _ = await events(world, "globex", first=1)
        await world.stir()
        own, _ = await events(world, "acme", first=100)

        after_theirs, _ = await events(world, "acme", first=100, after=theirs[0]["cursor"])

    assert after_theirs == own[-1:]
    assert after_theirs[0]["rawType"] == "invoice.updated"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_stream_holds_only_ones_own(backend: str, transport: str, tmp_path: Path) -> None:
    """Live, and again from the cursor of another's event."""
    async with BACKENDS[backend](tmp_path) as world:
        async with aclosing(TRANSPORTS[transport](world, "acme", STREAM, {})) as stream:
            assert "StreamCheckpoint" in json.dumps(await within_seconds(anext(stream)))
            await pays(world, GLOBEX)
            await pays(world, ACME)
            live = await until_attached(stream)
        theirs, _ = await events(world, "globex", first=1)
        after = {"after": theirs[0]["cursor"]}
        async with aclosing(TRANSPORTS[transport](world, "acme", STREAM, after)) as stream:
            resumed = await until_attached(stream)

        hidden = world.hidden_from("acme")
    assert strayed(json.dumps([live, resumed]), hidden, after) == set()
    assert live[-1]["invoiceId"] == resumed[-1]["invoiceId"]
    assert {one.get("customerId") for one in [*live, *resumed]} <= {ACME, None}


async def until_attached(stream: Any) -> list[dict[str, Any]]:
    """The items of a stream up to the one that tells of an attached payment."""
    found: list[dict[str, Any]] = []
    while not found or found[-1].get("type") != "ATTACHED":
        body = await within_seconds(anext(stream))
        found.append(body["data"]["invoicePaymentEvents"])
    return found


@pytest.mark.parametrize("backend", BACKENDS)
async def test_the_key_of_a_write_is_told_only_to_the_tenant_that_wrote(
    backend: str, tmp_path: Path
) -> None:
    """Holding sees Acme's invoices, and the event without Acme's key; so does the operator."""
    async with BACKENDS[backend](tmp_path) as world:
        await pays(world, ACME, key="acmes-own-key")

        told = {
            caller: (await events(world, caller, first=1))[0][0]["idempotencyKey"]
            for caller in ("acme", "holding", "operator")
        }
        of_the_colleague, _ = await events(world, "colleague", first=100)

    assert told == {"acme": "acmes-own-key", "holding": None, "operator": None}
    assert of_the_colleague == []


@pytest.mark.parametrize("backend", BACKENDS)
async def test_places_in_the_log_are_the_same_for_everybody(backend: str, tmp_path: Path) -> None:
    """`eventCursor` and `oldestEventCursor` tell how far the log is, and nothing of what is in it:
    both are the same for who sees everything of it and for who sees nothing."""
    places = """query ($id: ID!) { gateway { oldestEventCursor }
      invoice(id: $id) { eventCursor } }"""
    async with BACKENDS[backend](tmp_path) as world:
        await pays(world, GLOBEX)

        told = [
            await world.ask(caller, places, id=world.account.owned[ACME].open)
            for caller in ("operator", "acme", "holding")
        ]

    assert told[0]["data"] == told[1]["data"] == told[2]["data"]
