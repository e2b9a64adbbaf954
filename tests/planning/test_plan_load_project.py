"""Reads go one way, once: plan, load, project."""

from __future__ import annotations

import pytest

from schema.ports import ROOT, ById, Link, Listing, Viewer
from tests.support.running import Running

THREE_LEVELS = """
query ($id: ID!) {
  invoice(id: $id) { id payments { nodes { id paymentIntent { id customer { id } } } } }
}
"""


@pytest.fixture
def running() -> Running:
    return Running()


def below(needs: object, *path: tuple[str, str]) -> list[object]:
    """The needs with these names, one below the other."""
    found = [needs]
    for type_name, name in path:
        found = [
            deeper
            for one in found
            for need, deeper in one.of(type_name).items()  # type: ignore[attr-defined]
            if getattr(need, "name", getattr(need, "kind", None)) == name
        ]
    return found


async def test_query_three_levels_deep_is_one_call_of_the_port(running: Running) -> None:
    """Depth costs nothing: the whole operation is planned before anything is fetched."""
    invoice_id, _ = running.stage.paid_by(700, 300)

    body = await running.ask(THREE_LEVELS, id=invoice_id)

    assert "errors" not in body
    assert len(body["data"]["invoice"]["payments"]["nodes"]) == 3
    assert len(running.backend.loads) == 1


async def test_two_root_fields_share_one_call(running: Running) -> None:
    """A query is one plan, however many root fields it has."""
    first, second = running.stage.open_invoice(), running.stage.open_invoice()

    await running.ask(
        "query ($a: ID!, $b: ID!) { a: invoice(id: $a) { id } b: invoice(id: $b) { id } }",
        a=first,
        b=second,
    )

    assert len(running.backend.loads) == 1


async def test_aliases_with_different_arguments_are_two_needs(running: Running) -> None:
    """`payments` twice with other arguments is two lists."""
    invoice_id, _ = running.stage.paid_by(700, 300)

    body = await running.ask(
        "query ($id: ID!) { invoice(id: $id) { paid: payments(status: [PAID]) { nodes { id } } "
        "gone: payments(status: [CANCELED]) { nodes { id } } } }",
        id=invoice_id,
    )

    (needs,) = running.backend.loads
    assert len(below(needs, (ROOT, "Invoice"), ("Invoice", "payments"))) == 2
    assert len(body["data"]["invoice"]["paid"]["nodes"]) == 2
    assert len(body["data"]["invoice"]["gone"]["nodes"]) == 1


async def test_aliases_with_equal_arguments_are_one_need(running: Running) -> None:
    """The same list under two names is loaded once, with what both want of it."""
    invoice_id, _ = running.stage.paid_by(700, 300)

    await running.ask(
        "query ($id: ID!) { invoice(id: $id) { a: payments(first: 2) { nodes { id } } "
        "b: payments(first: 2) { nodes { paymentIntent { id } } } } }",
        id=invoice_id,
    )

    (needs,) = running.backend.loads
    (payments,) = below(needs, (ROOT, "Invoice"), ("Invoice", "payments"))
    assert len(below(payments, ("InvoicePayment", "payment_intent"))) == 1


async def test_edges_and_nodes_are_one_list(running: Running) -> None:
    """`edges { node }` and `nodes` are two views of the same page."""
    invoice_id, _ = running.stage.paid_by(700, 300)

    await running.ask(
        "query ($id: ID!) { invoice(id: $id) { payments { edges { node { invoice { id } } } "
        "nodes { paymentIntent { id } } } } }",
        id=invoice_id,
    )

    (needs,) = running.backend.loads
    (payments,) = below(needs, (ROOT, "Invoice"), ("Invoice", "payments"))
    assert set(payments.of("InvoicePayment")) == {Link("invoice"), Link("payment_intent")}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        pytest.param(
            "query ($id: ID!, $deep: Boolean!) { invoice(id: $id) { id "
            "payments @include(if: $deep) { nodes { id } } } }",
            {"deep": False},
            id="not included by variable",
        ),
        pytest.param(
            "query ($id: ID!) { invoice(id: $id) { id "
            "payments @skip(if: true) { nodes { id } } } }",
            {},
            id="skipped by literal",
        ),
        pytest.param(
            "query ($id: ID!) { invoice(id: $id) { id ... @skip(if: true) "
            "{ payments { nodes { id } } } } }",
            {},
            id="inside a skipped fragment",
        ),
        pytest.param(
            "query ($id: ID!) { invoice(id: $id) { id ...Deep @include(if: false) } } "
            "fragment Deep on Invoice { payments { nodes { id } } }",
            {},
            id="inside a spread that is not included",
        ),
    ],
)
async def test_skipped_fields_are_not_loaded(
    running: Running, query: str, variables: dict[str, bool]
) -> None:
    """What will not be shown is not fetched."""
    invoice_id, _ = running.stage.paid_by(700, 300)

    await running.ask(query, id=invoice_id, **variables)

    (needs,) = running.backend.loads
    assert below(needs, (ROOT, "Invoice"), ("Invoice", "payments")) == []


async def test_fragments_on_the_node_interface_load_by_type(running: Running) -> None:
    """What is needed of a node depends on what it turns out to be."""
    invoice_id, (intent_id, _) = running.stage.paid_by(700, 300)

    body = await running.ask(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id "
        "... on Invoice { payments { nodes { id } } } "
        "... on PaymentIntent { customer { id } } } }",
        ids=[invoice_id, intent_id],
    )

    assert [one["__typename"] for one in body["data"]["nodes"]] == ["Invoice", "PaymentIntent"]
    assert body["data"]["nodes"][1]["customer"]["id"] == "cus_acme"
    assert len(running.backend.loads) == 1


async def test_nested_failure_is_one_null_and_one_error_at_its_path(running: Running) -> None:
    """The rest of the answer stands, and the client sees which part is missing and why."""
    invoice_id, _ = running.stage.paid_by(1000)
    running.backend.broken = {Link("customer")}

    body = await running.ask(
        "query ($id: ID!) { invoice(id: $id) { id customer { id } payments { nodes { id } } } }",
        id=invoice_id,
    )

    invoice = body["data"]["invoice"]
    assert (invoice["id"], invoice["customer"]) == (invoice_id, None)
    assert len(invoice["payments"]["nodes"]) == 2
    (error,) = body["errors"]
    assert error["path"] == ["invoice", "customer"]
    assert error["extensions"]["code"] == "UPSTREAM_TIMEOUT"


async def test_bad_argument_below_costs_its_own_field_only(running: Running) -> None:
    """A page that cannot be served is refused at its path, and is not asked for."""
    invoice_id = running.stage.open_invoice()

    body = await running.ask(
        "query ($id: ID!) { invoice(id: $id) { id payments(first: 101) { nodes { id } } } }",
        id=invoice_id,
    )

    (needs,) = running.backend.loads
    assert below(needs, (ROOT, "Invoice"), ("Invoice", "payments")) == []
    assert body["data"]["invoice"] == {"id": invoice_id, "payments": None}
    assert body["errors"][0]["path"] == ["invoice", "payments"]


async def test_mutation_answers_with_one_write_and_one_load(running: Running) -> None:
    """The objects of the payload come with one load, however deep they are asked for."""
    invoice_id, (_, second) = running.stage.paid_by(700, 300)

    body = await running.ask(
        "mutation ($in: ID!, $pi: ID!) { detachPayment(input: {invoiceId: $in, "
        'paymentIntentId: $pi, idempotencyKey: "k"}) { invoice { id payments { nodes { '
        "paymentIntent { id } } } } paymentIntent { id customer { id } } errors { code } } }",
        **{"in": invoice_id, "pi": second},
    )

    assert body["data"]["detachPayment"]["paymentIntent"]["id"] == second
    assert len(running.backend.loads) == 1


async def test_needs_name_objects_and_never_fields(running: Running) -> None:
    """Scalars come with their record, so they are no needs."""
    invoice_id = running.stage.open_invoice()

    await running.ask(
        "query ($id: ID!) { invoice(id: $id) { number status total { formatted } } }",
        id=invoice_id,
    )

    (needs,) = running.backend.loads
    assert list(needs.of(ROOT)) == [ById("Invoice", invoice_id)]
    assert needs.of(ROOT)[ById("Invoice", invoice_id)].of("Invoice") == {}


async def test_scope_is_asked_for_next_to_the_field(running: Running) -> None:
    """A caller without the right to read gets FORBIDDEN, which means a scope and nothing else."""
    invoice_id = running.stage.open_invoice()
    blind = Viewer("blind", scopes=frozenset({"events:read"}))

    body = await running.ask("query ($id: ID!) { invoice(id: $id) { id } }", blind, id=invoice_id)

    assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "invoices:read" in body["errors"][0]["message"]


def test_listing_needs_with_the_same_arguments_are_equal() -> None:
    """Needs are values, so that equal ones meet."""
    assert Listing("payments") == Listing("payments")
