"""The sandbox's own calls are for this machine's programs, and for no page that is open here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.driving import Api

FAULT = '{"fault": {"kind": "rate_limited"}}'
CHANGES = [
    ("POST", "/faults"),
    ("DELETE", "/faults"),
    ("DELETE", "/requests"),
    ("POST", "/webhooks/release"),
    ("PUT", "/state"),
    ("POST", "/invoices"),
    ("POST", "/payment_intents/pi_1/settle"),
]
JSON = {"Content-Type": "application/json"}


async def call(api: Api, method: str, path: str, headers: dict[str, str], data: str = FAULT) -> Any:
    """The status, and why, of one of the sandbox's own calls."""
    async with api.session.request(
        method, f"{api.url}/_sandbox{path}", headers=headers, data=data
    ) as answer:
        return answer.status, (await answer.json()).get("error", {}).get("message")


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("text/plain", id="text/plain"),
        pytest.param("text/plain; x=application/json", id="in a parameter"),
        pytest.param("application/x-www-form-urlencoded", id="form"),
        pytest.param(None, id="none"),
    ],
)
async def test_what_a_page_can_send_without_asking_changes_nothing(
    api: Api, method: str, path: str, sent: str | None
) -> None:
    """Browsers ask before a page may send JSON to another origin, and are not answered."""
    headers = {"Content-Type": sent} if sent else {"Content-Type": ""}

    told = await call(api, method, path, headers)

    assert told == (403, "Send Content-Type: application/json, also without a body.")
    assert (await api.control("GET", "/faults")).body == []


@pytest.mark.parametrize(("method", "path"), [*CHANGES, ("GET", "/state"), ("GET", "/requests")])
async def test_a_foreign_name_for_this_machine_is_not_answered(
    api: Api, method: str, path: str
) -> None:
    """A page may point a name of its own at 127.0.0.1, and is of the same origin then."""
    port = api.url.rpartition(":")[2]
    headers = {**JSON, "Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}

    told = await call(api, method, path, headers)

    assert told == (403, "The sandbox's own calls answer to localhost only.")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_page_of_another_origin_is_refused(api: Api, origin: str) -> None:
    """Should a browser ever let it send JSON."""
    told = await call(api, "POST", "/faults", {**JSON, "Origin": origin})

    assert told == (403, "The sandbox's own calls are not for pages of another origin.")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
async def test_this_machines_names_are_answered(api: Api, host: str) -> None:
    """Programs, and pages of the sandbox's own origin, by each name of the loopback."""
    port = api.url.rpartition(":")[2]
    headers = {**JSON, "Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"}

    async with api.session.post(
        f"{api.url}/_sandbox/faults", headers=headers, data=FAULT
    ) as answer:
        assert answer.status == 200


async def test_browsers_that_ask_are_not_allowed(api: Api) -> None:
    """No page of another origin is told that it may send JSON."""
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    async with api.session.options(f"{api.url}/_sandbox/faults", headers=headers) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
