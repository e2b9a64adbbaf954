"""The console's page: where it is, where it is not, and what it may do in a browser."""

from __future__ import annotations

import pytest

from gateway.callers import Grant
from gateway.web.app import CONSOLE_POLICY
from schema.ports import Viewer
from tests.support.served import serving

PLACES = ("/", "/invoices/in_demo_open")
JSON = {"Content-Type": "application/json"}
SETTLE = {"paymentIntentId": "pi_demo_open_default", "outcome": "succeeded"}


class Known:
    """Lets in one viewer, whoever asks."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer

    async def identify(self, request: object, connection_params: object = None) -> Grant:
        return Grant(self._viewer)

    def still(self, grant: Grant) -> bool:
        return True


@pytest.mark.parametrize("place", PLACES)
async def test_it_is_one_page_at_each_of_its_addresses(place: str) -> None:
    """A link that somebody was sent opens what it names, under a policy without exceptions."""
    async with serving() as served, served.session.get(served.url.with_path(place)) as response:
        text = await response.text()

    assert response.status == 200
    assert response.content_type == "text/html"
    assert response.headers["Content-Security-Policy"] == CONSOLE_POLICY
    assert "unsafe" not in CONSOLE_POLICY
    assert "data-demo" not in text or ('data-demo="on"' in text and 'data-sign-in="off"' in text)


@pytest.mark.parametrize("place", PLACES)
async def test_where_it_is_off_there_is_nothing(place: str) -> None:
    """Neither the page nor its files nor the demo's controls."""
    async with serving(console="off", ide="off") as served:
        async with served.session.get(served.url.with_path(place)) as page:
            pass
        async with served.session.post(served.url / "demo/settle", json=SETTLE) as control:
            pass
        async with served.session.get(served.url / "console/console.html") as file:
            pass

    assert (page.status, control.status, file.status) == (404, 404, 404)


async def test_callers_have_to_be_asked_for_it() -> None:
    """With them it is off unless it is switched on, as GraphiQL is."""
    callers = {"jwt_secret": "x" * 32, "jwt_issuer": "i", "jwt_audience": "a"}
    statuses = []
    for setting in ("auto", "on"):
        async with (
            serving(**callers, console=setting) as served,
            served.session.get(served.url) as response,
        ):
            statuses.append(response.status)
            text = await response.text()

    assert statuses == [404, 200]
    assert "data-sign-in" not in text or 'data-sign-in="on"' in text


async def test_a_control_changes_what_everybody_sees() -> None:
    async with serving() as served:
        async with served.session.post(served.url / "demo/settle", json=SETTLE) as response:
            answer = await response.json()
        data = await served.data('{ invoice(id: "in_demo_open") { status } }')

    assert answer == {"id": "pi_demo_open_default"}
    assert data["invoice"]["status"] == "PAID"


REFUSED = {
    "another method": ("GET", "settle", {}, None, 405),
    "a page of another origin": ("POST", "settle", {"Origin": "https://elsewhere"}, SETTLE, 403),
    "a form": ("POST", "settle", {"Content-Type": "text/plain"}, SETTLE, 415),
    "no object": ("POST", "settle", {}, [], 400),
    "what cannot be understood": ("POST", "settle", {}, {"outcome": "succeeded"}, 400),
    "a rule of the ledger": ("POST", "pay-out-of-band", {}, {"invoiceId": "in_demo_void"}, 409),
    "an unknown control": ("POST", "refund", {}, {}, 404),
}


@pytest.mark.parametrize(
    ("method", "action", "headers", "body", "status"), REFUSED.values(), ids=REFUSED.keys()
)
async def test_a_control_refuses(
    method: str, action: str, headers: dict[str, str], body: object, status: int
) -> None:
    """And says why in the form of every other refusal."""
    async with serving() as served:
        before = served.twin.changes
        async with served.session.request(
            method, served.url / "demo" / action, json=body, headers={**JSON, **headers}
        ) as response:
            answer = await response.json()

        assert response.status == status
        assert answer["errors"][0]["message"].endswith(".")
        assert served.twin.changes == before


@pytest.mark.parametrize(
    "viewer",
    [
        Viewer("dev", scopes=frozenset({"invoices:read"})),
        Viewer("dev", customers=frozenset({"cus_demo_acme"})),
    ],
    ids=["may not write", "sees some customers only"],
)
async def test_a_control_is_for_callers_who_may_do_all_of_it(viewer: Viewer) -> None:
    async with (
        serving(authenticator=Known(viewer)) as served,
        served.session.post(served.url / "demo/settle", json=SETTLE) as response,
    ):
        pass

    assert response.status == 403
