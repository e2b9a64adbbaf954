"""Callers over HTTP: a token opens the door, and nothing else does."""

from __future__ import annotations

import pytest

from schema.federation import subgraph_sdl
from schema.root import printed_schema
from tests.callers.desk import ACME, WHO, Desk, ask, bearer, codes, guarded, status_with


async def test_a_good_token_is_let_in_with_its_scopes(desk: Desk) -> None:
    token = desk.admit("acme", scopes=["invoices:read", "events:read"])

    async with guarded(desk) as served:
        status, body, _ = await ask(served, token)

    assert status == 200
    assert body["data"]["gateway"]["scopes"] == ["events:read", "invoices:read"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("another"),
        bearer(""),
        {"Authorization": "token-acme"},
        {"Authorization": "Basic dG9rZW4tYWNtZQ=="},
        {"Authorization": "Bearer"},
        bearer("a.b.c"),
        bearer("\xfftoken-acme"),
    ],
)
async def test_without_a_good_token_nothing_is_executed(
    desk: Desk, headers: dict[str, str]
) -> None:
    desk.admit("acme")

    async with (
        guarded(desk) as served,
        served.session.post(
            served.url / "graphql", json={"query": WHO}, headers=headers
        ) as response,
    ):
        body = await response.json()

        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert codes(body) == ["UNAUTHENTICATED"]
    assert "data" not in body


async def test_two_authorization_headers_are_one_too_many(desk: Desk) -> None:
    """Whoever stands between might have looked at the other one."""
    token = desk.admit("acme")
    headers = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer other")]

    async with guarded(desk) as served:
        assert await status_with(served, headers) == 401


async def test_the_scheme_is_read_in_any_case(desk: Desk) -> None:
    headers = {"Authorization": f"bearer {desk.admit('acme')}"}

    async with guarded(desk) as served:
        assert await status_with(served, headers) == 200


async def test_the_host_name_does_not_matter_once_callers_are_known(desk: Desk) -> None:
    """Without callers only localhost is answered; with them the gateway stands under any name."""
    headers = {"Host": "pay.example.com", **bearer(desk.admit("acme"))}

    async with guarded(desk) as served:
        assert await status_with(served, headers) == 200


async def test_a_missing_scope_is_forbidden_and_named(desk: Desk) -> None:
    token = desk.admit("acme", scopes=["events:read"])

    async with guarded(desk) as served:
        _, body, _ = await ask(served, token, '{ invoice(id: "in_demo_paid_by_two") { id } }')

    assert codes(body) == ["FORBIDDEN"]
    assert "invoices:read" in body["errors"][0]["message"]


async def test_introspection_is_a_right_of_the_caller(desk: Desk) -> None:
    may = desk.admit("partner", scopes=["schema:introspect"])
    may_not = desk.admit("frontend", scopes=["invoices:read"])
    query = "{ __schema { queryType { name } } }"

    async with guarded(desk) as served:
        _, told, _ = await ask(served, may, query)
        status, refused, _ = await ask(served, may_not, query)

    assert told["data"]["__schema"]["queryType"]["name"] == "Query"
    assert status == 400
    assert set(codes(refused)) == {"GRAPHQL_VALIDATION_FAILED"}


@pytest.mark.parametrize(("ide", "status"), [("auto", 406), ("off", 406), ("on", 200)])
async def test_the_page_is_given_only_where_everyone_may_introspect(
    desk: Desk, ide: str, status: int
) -> None:
    desk.admit("acme")
    headers = {"Accept": "text/html"}

    async with (
        guarded(desk, ide=ide) as served,
        served.session.get(served.url / "graphql", headers=headers) as response,
    ):
        assert response.status == status


async def test_a_client_bound_to_origins_is_for_their_pages_only(desk: Desk) -> None:
    token = desk.admit("shop", origins=["https://shop.example"])
    wanted = [("https://shop.example", 200), ("https://evil.example", 403), (None, 200)]

    async with guarded(desk, allowed_origins="https://evil.example") as served:
        for origin, status in wanted:
            headers = bearer(token) | ({"Origin": origin} if origin else {})
            assert await status_with(served, headers) == status, origin


async def test_pages_of_a_clients_origin_may_ask_before_they_send(desk: Desk) -> None:
    desk.admit("shop", origins=["https://shop.example"])
    headers = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}

    async with (
        guarded(desk) as served,
        served.session.options(served.url / "graphql", headers=headers) as response,
    ):
        assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"


async def test_who_is_dismissed_is_out_after_the_file_is_read_again(desk: Desk) -> None:
    token, other = desk.admit("acme"), desk.admit("globex")

    async with guarded(desk) as served:
        desk.dismiss("acme")
        before, _, _ = await ask(served, token)
        served.gateway.rereading.again()
        after, _, _ = await ask(served, token)
        others, _, _ = await ask(served, other)

    assert (before, after, others) == (200, 401, 200)


async def test_a_file_that_became_unreadable_changes_nothing(desk: Desk) -> None:
    token = desk.admit("acme")

    async with guarded(desk) as served:
        desk.path.write_text("[[client]")
        served.gateway.rereading.again()
        status, _, _ = await ask(served, token)

    assert status == 200


async def test_the_same_key_of_two_tenants_is_two_writes(desk: Desk) -> None:
    """Idempotency keys belong to a tenant."""
    one, two = desk.admit("one"), desk.admit("two")
    attach = """mutation ($key: String!) { attachPayment(input: {invoiceId: "in_demo_open",
      payment: {paymentIntentId: "pi_demo_free"}, idempotencyKey: $key}) {
        replayed errors { code } } }"""

    async with guarded(desk) as served:
        _, first, _ = await ask(served, one, attach, key="k1")
        _, again, _ = await ask(served, one, attach, key="k1")
        _, other, _ = await ask(served, two, attach, key="k1")

    assert first["data"]["attachPayment"] == {"replayed": False, "errors": []}
    assert again["data"]["attachPayment"] == {"replayed": True, "errors": []}
    assert other["data"]["attachPayment"]["errors"] == [{"code": "PAYMENT_ALREADY_ATTACHED"}]


async def test_what_belongs_to_another_is_not_found(desk: Desk) -> None:
    token = desk.admit("globex", customers=["cus_demo_borealis"])

    async with guarded(desk) as served:
        _, body, _ = await ask(served, token, f'{{ customer(id: "{ACME}") {{ id }} }}')
        _, unknown, _ = await ask(served, token, '{ customer(id: "cus_unknown") { id } }')

    assert codes(body) == codes(unknown) == ["NOT_FOUND"]


@pytest.mark.parametrize(
    ("scopes", "status"),
    [(["schema:introspect"], 200), (["invoices:read"], 403), (None, 401)],
    ids=["may introspect", "may not", "nobody"],
)
async def test_the_printed_schema_is_for_callers_who_may_introspect(
    desk: Desk, scopes: list[str] | None, status: int
) -> None:
    headers = {} if scopes is None else bearer(desk.admit("acme", scopes=scopes))
    desk.admit("another")

    async with (
        guarded(desk) as served,
        served.session.get(served.url / "schema.graphql", headers=headers) as response,
    ):
        text = await response.text()

        assert response.status == status
    assert (text == printed_schema()) is (status == 200)
    assert ("type Invoice" in text) is (status == 200)


async def test_a_subgraph_prints_itself_as_one(desk: Desk) -> None:
    headers = bearer(desk.admit("acme"))

    async with (
        guarded(desk, federation=True) as served,
        served.session.get(served.url / "schema.graphql", headers=headers) as response,
    ):
        assert await response.text() == subgraph_sdl()
