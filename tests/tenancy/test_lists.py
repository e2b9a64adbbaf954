"""Lists of a restricted caller: as if nobody else's objects lay between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.stage import Stage
from tests.tenancy.account import ACME, GLOBEX, SHARED, SHARED_EACH, MarkedIds, mark
from tests.tenancy.words import strayed
from tests.tenancy.world import BACKENDS, World

INVOICES = """query ($size: Int, $at: String) {
  list: invoices(first: $size, after: $at) {
    nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
INVOICES_BEFORE = """query ($size: Int, $at: String) {
  list: invoices(last: $size, before: $at) {
    nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
SHARES = f"""query ($size: Int, $at: String) {{
  list: invoicePayments(first: $size, after: $at, filter: {{paymentRecordId: "{SHARED}"}}) {{
    nodes {{ id invoice {{ id }} }} pageInfo {{ hasNextPage startCursor endCursor }} }} }}"""
SHARES_BEFORE = f"""query ($size: Int, $at: String) {{
  list: invoicePayments(last: $size, before: $at, filter: {{paymentRecordId: "{SHARED}"}}) {{
    nodes {{ id }} pageInfo {{ hasPreviousPage startCursor endCursor }} }} }}"""
SHARES_BEHIND = """query ($id: ID!, $size: Int, $at: String) {
  invoicePayment(id: $id) { source { ... on PaymentRecord {
    list: invoicePayments(first: $size, after: $at) {
      nodes { id invoice { id } } pageInfo { hasNextPage endCursor } } } } } }"""


async def pages(world: World, document: str, size: int, **sent: Any) -> list[list[str]]:
    """The ids of every page that Acme gets, from the first to the last."""
    found, after = [], None
    while True:
        text, body = await world.text("acme", document, size=size, at=after, **sent)
        assert strayed(text, world.hidden_from("acme"), sent) == set()
        one = listed(body)
        found.append([node["id"] for node in one["nodes"]])
        after = one["pageInfo"]["endCursor"]
        if not one["pageInfo"]["hasNextPage"]:
            return found


def listed(body: dict[str, Any]) -> dict[str, Any]:
    """The page in an answer, wherever it hangs."""
    assert "errors" not in body, body
    value = body["data"]
    while "list" not in value:
        (value,) = value.values()
    page: dict[str, Any] = value["list"]
    return page


def sizes(found: list[list[str]]) -> list[int]:
    return [len(page) for page in found]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_pages_of_invoices_are_full(backend: str, tmp_path: Path) -> None:
    """Seventeen invoices of Acme's among fifty-one: four full pages, and one with the last."""
    async with BACKENDS[backend](tmp_path) as world:
        await world.ask("globex", INVOICES, size=4)
        await world.ask("operator", INVOICES, size=4)

        found = await pages(world, INVOICES, 4)

        own = world.account.twin.invoices.matching("customer_id", ACME)
    assert sizes(found) == [4, 4, 4, 4, 1]
    assert {id for page in found for id in page} == {one.id for one in own}


@pytest.mark.parametrize("backend", BACKENDS)
async def test_pages_of_payments_of_a_shared_record_are_full(backend: str, tmp_path: Path) -> None:
    """A record that pays everybody's invoices pays, for Acme, Acme's: twelve, on full pages."""
    async with BACKENDS[backend](tmp_path) as world:
        await world.ask("globex", SHARES, size=5)
        await world.ask("operator", SHARES, size=5)
        share = world.account.owned[ACME].share

        at_the_root = await pages(world, SHARES, 5)
        behind_a_payment = await pages(world, SHARES_BEHIND, 5, id=share)
        at_once = await pages(world, SHARES, SHARED_EACH)

    assert sizes(at_the_root) == sizes(behind_a_payment) == [5, 5, 2]
    assert at_the_root == behind_a_payment
    assert sizes(at_once) == [SHARED_EACH]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_pages_are_full_backward_too(backend: str, tmp_path: Path) -> None:
    """From the end of the list, the five before it are Acme's own, and more of those follow."""
    async with BACKENDS[backend](tmp_path) as world:
        for forward, backward in ((INVOICES, INVOICES_BEFORE), (SHARES, SHARES_BEFORE)):
            found = [id for page in await pages(world, forward, 4) for id in page]
            whole = listed(await world.ask("acme", forward, size=len(found)))
            end = whole["pageInfo"]["endCursor"]

            before = listed(await world.ask("acme", backward, size=5, at=end))
            first = listed(await world.ask("acme", backward, size=len(found), at=end))

            assert [one["id"] for one in before["nodes"]] == found[-6:-1]
            assert before["pageInfo"]["hasPreviousPage"] is True
            assert [one["id"] for one in first["nodes"]] == found[:-1]
            assert first["pageInfo"]["hasPreviousPage"] is False


async def test_a_hundred_rows_of_others_do_not_make_a_page_short(tmp_path: Path) -> None:
    """More of Globex's than Stripe gives in one answer lie before the first of Acme's."""
    async with BACKENDS["stripe"](tmp_path) as world:
        ids = MarkedIds()
        ids.mark = f"{mark(GLOBEX)}more"
        clock = world.served.clock
        stage = Stage(world.account.twin, clock, ids)
        for _ in range(101):
            invoice_id = stage.open_invoice(9_137_009, customer_id=GLOBEX)
            stage.twin.attach(invoice_id, SHARED, amount_requested=1)

        found = await pages(world, SHARES, 5)

    assert sizes(found) == [5, 5, 2]


async def test_stripe_is_asked_for_the_customer_s_own_invoices(tmp_path: Path) -> None:
    """Restricted where Stripe can restrict: nobody else's invoice is even read."""
    async with BACKENDS["stripe"](tmp_path) as world:
        assert world.sandbox is not None

        await world.ask("acme", INVOICES, size=4)

        (listing,) = [one for one in world.sandbox.requests if one.path == "/v1/invoices"]
    assert listing.params["customer"] == ACME


@pytest.mark.parametrize("backend", BACKENDS)
async def test_who_has_several_customers_is_told_to_name_one(backend: str, tmp_path: Path) -> None:
    """Stripe lists invoices of one customer or of all."""
    async with BACKENDS[backend](tmp_path) as world:
        refused = await world.ask("holding", INVOICES, size=4)
        by_name = await world.ask(
            "holding",
            "query ($id: ID!) { invoices(filter: {customerId: $id}) { nodes { customerId } } }",
            id=ACME,
        )

    (error,) = refused["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "filter.customerId" in error["message"]
    assert {one["customerId"] for one in by_name["data"]["invoices"]["nodes"]} == {ACME}


@pytest.mark.parametrize("caller", ["acme", "holding"])
@pytest.mark.parametrize("backend", BACKENDS)
async def test_payments_are_asked_for_by_what_they_belong_to(
    backend: str, caller: str, tmp_path: Path
) -> None:
    """Stripe cannot list payments by customer, so the message says which filters there are."""
    async with BACKENDS[backend](tmp_path) as world:
        everything = await world.ask("operator", "{ invoicePayments { nodes { id } } }")

        refused = await world.ask(caller, "{ invoicePayments { nodes { id } } }")

    (error,) = refused["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "invoiceId, paymentIntentId or paymentRecordId" in error["message"]
    assert "errors" not in everything
