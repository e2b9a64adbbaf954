"""What is another tenant's is answered exactly like what does not exist."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
)

from schema.root import make_schema
from tests.tenancy.account import ACME, GLOBEX, UNKNOWN, Owned
from tests.tenancy.row import Row
from tests.tenancy.rows import ELSEWHERE_TESTED, ROWS, STREAMS
from tests.tenancy.rows_reads import LISTS, OBJECTS
from tests.tenancy.streams import first_over_sse, first_over_websocket
from tests.tenancy.words import strayed
from tests.tenancy.world import BACKENDS, World

SCHEMA = make_schema()._schema


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
@pytest.mark.parametrize("backend", BACKENDS)
async def test_what_is_anothers_is_like_what_does_not_exist(
    backend: str, row: Row, tmp_path: Path
) -> None:
    """Whether nobody has read it before, or its owner has."""
    async with BACKENDS[backend](tmp_path) as world:
        own, theirs = world.account.owned[ACME], world.account.owned[GLOBEX]
        await world.stir()
        unknown = await asked(world, row, own, UNKNOWN)

        cold = await asked(world, row, own, theirs)
        if not row.writes:
            await read_by_its_owner(world, row)
        warm = await asked(world, row, own, theirs)
        at_its_owners = await read_by_its_owner(world, row)

    assert cold == warm == unknown
    assert [row.code] * (row.code is not None) == codes(unknown)
    assert at_its_owners != unknown


@pytest.mark.parametrize("is_first", [True, False], ids=["acme first", "globex first"])
@pytest.mark.parametrize("row", [*OBJECTS, *LISTS], ids=lambda row: row.id)
async def test_two_tenants_who_ask_the_same_at_once_get_each_their_own(
    row: Row, is_first: bool, tmp_path: Path
) -> None:
    """Whoever asks Stripe first does not ask for the other one."""
    async with BACKENDS["stripe"](tmp_path) as world:
        own, theirs = world.account.owned[ACME], world.account.owned[GLOBEX]
        await world.stir()
        asking = asked(world, row, own, theirs), read_by_its_owner(world, row)

        told = await asyncio.gather(*(asking if is_first else asking[::-1]))

        alone = await asked(world, row, own, theirs), await read_by_its_owner(world, row)
    assert told == list(alone if is_first else alone[::-1])


@pytest.mark.parametrize("row", STREAMS, ids=lambda row: row.id)
@pytest.mark.parametrize("backend", BACKENDS)
async def test_nobody_can_listen_to_what_is_anothers(
    backend: str, row: Row, tmp_path: Path
) -> None:
    """Over both transports the stream is refused as one about nothing; its owner's begins."""
    async with BACKENDS[backend](tmp_path) as world:
        own, theirs = world.account.owned[ACME], world.account.owned[GLOBEX]
        for first in (first_over_sse, first_over_websocket):
            unknown, refused = [
                normal(await first(world, "acme", row.document, row.given(own, other)), other)
                for other in (UNKNOWN, theirs)
            ]
            owners = await first(world, "globex", row.document, row.given(theirs, theirs))

            assert refused == unknown
            assert codes(refused) == [row.code]
            assert "StreamCheckpoint" in json.dumps(owners)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_hidden_payment_does_not_name_its_invoice(backend: str, tmp_path: Path) -> None:
    """Acme has been told that there is no such invoice, and then finds a payment of it that the
    operator's reading has put into the cache without the invoice."""
    payment = "query ($id: ID!) { invoicePayment(id: $id) { id } }"
    invoice = "query ($id: ID!) { invoice(id: $id) { id } }"
    async with BACKENDS[backend](tmp_path) as world:
        theirs = world.account.owned[GLOBEX]
        await world.ask("acme", invoice, id=theirs.recorded)
        await world.ask("operator", payment, id=theirs.payment)

        text, body = await world.text("acme", payment, id=theirs.payment)
        unknown = await world.ask("acme", payment, id=UNKNOWN.payment)

    assert normal(body, theirs) == normal(unknown, UNKNOWN)
    assert strayed(text, {theirs.recorded}, theirs.payment) == set()


async def test_every_argument_that_names_something_has_its_row() -> None:
    """A new argument of the schema fails here until the matrix has it."""
    tested = {name for row in (*ROWS, *STREAMS) for name in row.names} | ELSEWHERE_TESTED.keys()

    assert tested == naming_arguments()


async def asked(world: World, row: Row, own: Owned, other: Owned) -> Any:
    """Acme's answer in a form that two of them can be compared in; nothing in it has strayed."""
    sent = row.given(own, other)
    text, body = await world.text("acme", row.document, **sent)
    assert strayed(text, world.hidden_from("acme"), sent) == set()
    return normal(body, other, sent)


async def read_by_its_owner(world: World, row: Row) -> Any:
    """The same by Globex about its own, which then is in the cache that all share."""
    theirs = world.account.owned[GLOBEX]
    sent = row.given(theirs, theirs)
    return normal(await world.ask("globex", row.document, **sent), theirs, sent)


def normal(body: Any, other: Owned, sent: Any = None) -> Any:
    """An answer without what differs between any two: ids that were sent."""
    told = json.loads(json.dumps(body))
    for error in told.get("errors", ()):
        error["extensions"].pop("requestId", None)
    text = json.dumps(told)
    names = {getattr(other, name): f"<{name}>" for name in other.__slots__}
    for value in sorted(names, key=len, reverse=True):
        text = text.replace(value, names[value])
    return json.loads(text)


def codes(body: Any) -> list[str]:
    """The codes of the errors, or of a mutation's refusals."""
    payloads = [one for one in (body.get("data") or {}).values() if isinstance(one, dict)]
    refusals = [error["code"] for payload in payloads for error in payload.get("errors", ())]
    return refusals + [error["extensions"]["code"] for error in body.get("errors", ())]


def naming_arguments() -> set[str]:
    """Every argument and input field that takes an id or a cursor."""
    found: set[str] = set()
    for kind in SCHEMA.type_map.values():
        if kind.name.startswith("__"):
            continue
        if isinstance(kind, GraphQLInputObjectType):
            found |= {
                f"{kind.name}.{name}" for name, one in kind.fields.items() if names(name, one)
            }
        elif isinstance(kind, GraphQLObjectType):
            found |= {
                f"{kind.name}.{name}.{argument}"
                for name, field in kind.fields.items()
                for argument, one in field.args.items()
                if names(argument, one)
            }
    return found


def names(name: str, one: GraphQLArgument | GraphQLInputField) -> bool:
    is_id = get_named_type(one.type).name in ("ID", "EventCursor")
    return is_id or name in ("after", "before")
