"""`_entities` and `_service`: what a router asks of a subgraph."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import DocumentNode, ObjectTypeDefinitionNode, parse

from schema.federation import ENTITIES_MAX, SHAREABLE, make_subgraph, subgraph_sdl
from schema.node import PREFIX_BY_KIND
from schema.ports import Viewer
from schema.root import make_schema
from tests.support.running import OPERATOR, Running
from tests.support.stage import ACME, GLOBEX

ENTITIES = """query ($of: [_Any!]!) { _entities(representations: $of) { __typename
  ... on Invoice { id status payments(status: [PAID]) { nodes { id paymentIntent { id } } } }
  ... on PaymentIntent { id amount { minorUnits } }
  ... on Customer { id name } } }"""


@pytest.fixture
def running() -> Running:
    return Running(schema=make_subgraph())


def of(kind: str, object_id: str, **more: Any) -> dict[str, Any]:
    return {"__typename": kind, "id": object_id, **more}


async def test_entities_come_in_the_order_of_their_representations_by_one_load(
    running: Running,
) -> None:
    """Several kinds at once, one of them twice, and nothing falls back to graphql-core."""
    paid, (intent, _) = running.stage.paid_by(700, 300)
    unpaid = running.stage.open_invoice(100)

    body = await running.ask(
        ENTITIES,
        of=[
            of("PaymentIntent", intent),
            of("Invoice", unpaid),
            of("Invoice", paid),
            of("Customer", ACME),
            of("Invoice", unpaid),
        ],
    )

    shown = body["data"]["_entities"]
    assert [(one["__typename"], one["id"]) for one in shown] == [
        ("PaymentIntent", intent),
        ("Invoice", unpaid),
        ("Invoice", paid),
        ("Customer", ACME),
        ("Invoice", unpaid),
    ]
    assert len(shown[2]["payments"]["nodes"]) == 2
    assert len(running.backend.loads) == 1
    assert running.fallen_back == []


async def test_what_is_unknown_or_anothers_is_null_and_the_others_stay(running: Running) -> None:
    own, _ = running.stage.paid_by(500, customer_id=ACME)
    theirs, _ = running.stage.paid_by(500, customer_id=GLOBEX)
    acme = Viewer("acme", customers=frozenset({ACME}))

    body = await running.ask(
        ENTITIES,
        acme,
        of=[of("Invoice", theirs), of("Invoice", own), of("Invoice", "in_nowhere")],
    )

    foreign, mine, unknown = body["data"]["_entities"]
    assert (foreign, mine["id"], unknown) == (None, own, None)
    assert "errors" not in body


async def test_entities_need_the_right_to_read(running: Running) -> None:
    blind = Viewer("blind", scopes=frozenset({"events:read"}))

    body = await running.ask(ENTITIES, blind, of=[of("Invoice", running.stage.open_invoice(100))])

    assert [one["extensions"]["code"] for one in body["errors"]] == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("representations", "told"),
    [
        pytest.param([{"id": "in_1"}], "representations[0] must have", id="no type"),
        pytest.param([of("Order", "1")], "representations[0] must have", id="another's type"),
        pytest.param([of("Query", "in_1")], "representations[0] must have", id="no entity"),
        pytest.param([{"__typename": "Invoice"}], "representations[0] must have", id="no id"),
        pytest.param([of("Invoice", 7)], "representations[0] must have", id="id is a number"),  # type: ignore[arg-type]
        pytest.param(["in_1"], "representations[0] must have", id="a text"),
        pytest.param([[of("Invoice", "in_1")]], "representations[0] must have", id="a list"),
        pytest.param(
            [of("Invoice", "in_1"), of("Invoice", "pi_1")],
            "representations[1].id must be the id of one Invoice",
            id="id of another kind",
        ),
        pytest.param(
            [of("Invoice", "in_1")] * (ENTITIES_MAX + 1),
            f"at most {ENTITIES_MAX} at a time, got {ENTITIES_MAX + 1}",
            id="too many",
        ),
    ],
)
async def test_a_bad_representation_is_named(
    running: Running, representations: list[Any], told: str
) -> None:
    body = await running.ask(ENTITIES, of=representations)

    (error,) = body["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert told in error["message"]
    assert [needs.by_type for needs in running.backend.loads] == [{}]


async def test_fields_beside_the_key_are_passed_over(running: Running) -> None:
    """A router may send what else it knows."""
    invoice_id = running.stage.open_invoice(100)

    body = await running.ask(ENTITIES, of=[of("Invoice", invoice_id, note=[1, {"a": None}])])

    assert body["data"]["_entities"][0]["id"] == invoice_id


async def test_the_sdl_is_for_callers_who_may_introspect(running: Running) -> None:
    plain_reader = Viewer("reader", scopes=frozenset({"invoices:read"}))

    allowed = await running.ask("{ _service { sdl } }", OPERATOR)
    refused = await running.ask("{ _service { sdl } }", plain_reader)

    assert allowed["data"]["_service"]["sdl"] == subgraph_sdl()
    assert [one["extensions"]["code"] for one in refused["errors"]] == ["FORBIDDEN"]


def directives(document: DocumentNode) -> dict[str, set[str]]:
    """The directives of each object type."""
    return {
        one.name.value: {directive.name.value for directive in one.directives or ()}
        for one in document.definitions
        if isinstance(one, ObjectTypeDefinitionNode)
    }


def test_every_node_is_an_entity_and_nothing_else_is() -> None:
    by_type = directives(parse(subgraph_sdl()))

    entities = {name for name, found in by_type.items() if "key" in found}
    assert entities == set(PREFIX_BY_KIND)
    assert {name for name, found in by_type.items() if "shareable" in found} == SHAREABLE


def test_the_plain_schema_is_none_the_wiser() -> None:
    """A process may hold both; the one that is off by default leaves no trace."""
    make_subgraph()

    plain = make_schema()

    assert "_entities" not in plain._schema.query_type.fields  # type: ignore[union-attr]
    assert "@key" not in plain.as_str()
    assert "_Entity" not in plain._schema.type_map
