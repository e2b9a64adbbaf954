"""The metrics: what is counted, on the real application, and that no label is anybody's text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from gateway.events.log import Unreadable, UnreadableCount
from gateway.events.webhook import WebhookReader, WebhookRefused
from gateway.web.metrics import LIMITS_MAX, Metrics, metrics_app
from schema.ports import ErrorCode, Failed, Meter
from tests.stripe_edge.peer import Peer, Reset, error
from tests.support.served import Served, serving
from tests.support.upstream import stripe_api
from tests.webhooks.signing import ACCOUNT, OLD_SECRET, SECRET, event, signed

STREAM = "subscription { invoicePaymentEvents { __typename } }"
CODES = {code.value for code in ErrorCode} | {"OK", "CLIENT_GONE"}
CLOSED = {
    "kind": {"query", "mutation", "subscription", "unknown"},
    "code": CODES,
    "status": {str(status) for status in (400, 401, 403, 404, 405, 406, 408, 413, 415, 429)},
    "mode": {"enforce", "warn"},
}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(backend="memory") as running:
        yield running


def samples(metrics: Metrics) -> dict[str, float]:
    """Every series that has counted something, by its name and its labels' values."""
    families = text_string_to_metric_families(metrics.page().decode())
    return {
        " ".join([one.name.removeprefix("gateway_"), *one.labels.values()]): one.value
        for family in families
        for one in family.samples
        if one.value
    }


async def test_operations_are_counted_by_kind_and_outcome(served: Served) -> None:
    """As every transport passes the same place, one count is right for all."""
    await served.post("{ gateway { version } }")
    await served.post("{ gateway { version } }")
    await served.post('{ invoice(id: "in_none") { id } }')
    await served.post("{ gateway")

    counts = samples(served.gateway.metrics)

    assert counts["operations_total OK query"] == 2
    assert counts["operations_total NOT_FOUND query"] == 1
    assert counts["operations_total GRAPHQL_PARSE_FAILED unknown"] == 1
    assert counts["operation_seconds_count query"] == 3


async def test_refused_requests_are_counted_by_status_and_code(served: Served) -> None:
    """They never become operations."""
    for path, headers in (("graphql", {}), ("graphql", {"Accept": "image/png"}), ("odd", {})):
        async with served.session.post(served.url / path, data=b"x", headers=headers):
            pass

    counts = samples(served.gateway.metrics)

    assert counts["requests_refused_total BAD_USER_INPUT 415"] == 1
    assert counts["requests_refused_total BAD_USER_INPUT 406"] == 1
    assert counts["requests_refused_total NOT_FOUND 404"] == 1


async def test_open_sockets_and_streams_are_counted_until_they_close() -> None:
    """A leak would be a number that only grows."""
    headers = {"Accept": "text/event-stream"}
    async with serving(backend="memory") as served:
        metrics, url = served.gateway.metrics, served.url / "graphql"
        async with served.session.ws_connect(url, protocols=("graphql-transport-ws",)) as socket:
            await socket.send_json({"type": "connection_init"})
            await socket.receive_json()
            async with served.session.post(url, json={"query": STREAM}, headers=headers) as stream:
                await stream.content.readany()
                during = samples(metrics)
                stream.close()

    after = samples(metrics)
    assert (during["sockets_open"], during["streams_open"]) == (1, 1)
    assert after.get("sockets_open", 0) + after.get("streams_open", 0) == 0
    assert after["operations_total OK subscription"] == 1


async def test_documents_beyond_a_limit_are_counted_by_the_limit(served: Served) -> None:
    """Which limit it was tells whether it is set too low."""
    aliases = " ".join(f"a{number}: __typename" for number in range(40))

    await served.post(f"{{ {aliases} }}")

    assert samples(served.gateway.metrics)["limits_exceeded_total aliases enforce"] == 1


def test_webhooks_are_counted_by_outcome_and_by_the_place_of_their_secret() -> None:
    """A rotated secret can go once it matches no more; its value is never told."""
    metrics = Metrics()
    reader = WebhookReader((SECRET, OLD_SECRET), now=lambda: 1000, account=ACCOUNT, livemode=False)
    metrics.watch_webhooks(reader.counts)
    body = orjson.dumps(event(type="a.b"))

    reader.hint_from(body, signed(body, 1000, OLD_SECRET))
    with pytest.raises(WebhookRefused):
        reader.hint_from(body, "t=1000,v1=00")

    counts = samples(metrics)
    assert counts["webhook_signatures_total 2"] == 1
    assert counts["webhooks_total ignored_type_not_followed"] == 1
    assert counts["webhooks_total refused_signature_wrong"] == 1


def test_entries_that_cannot_be_read_are_counted() -> None:
    """Between two releases it rises for as long as both write; afterwards somebody should look."""
    metrics, unreadable = Metrics(), UnreadableCount()
    metrics.watch_log(unreadable)

    unreadable.noting([Unreadable(7, version=2)])

    assert samples(metrics)["log_entries_unreadable_total"] == 1


async def test_a_gateway_tells_the_count_of_its_log(served: Served) -> None:
    """From its first scrape on, so that an alert has something to compare with."""
    assert "\ngateway_log_entries_unreadable_total 0.0" in served.gateway.metrics.page().decode()


async def test_calls_upstream_are_counted_by_their_end() -> None:
    """All of them, also those that no operation has asked for."""
    metrics = Metrics()
    async with Peer().listening() as peer:
        api = stripe_api(peer.base, observe=metrics.upstream_called)
        peer.answer("GET /v1/invoices/in_1", {"id": "in_1"})
        peer.answer("GET /v1/invoices/in_2", error(404))
        peer.answer("GET /v1/invoices/in_3", error(429), error(500), Reset())
        await api.get("/v1/invoices/in_1", {}, Meter("a"))
        for path in ("/v1/invoices/in_2", "/v1/invoices/in_3"):
            with pytest.raises(Failed):
                await api.get(path, {}, Meter("a"))
        await api.close()

    calls = {name: count for name, count in samples(metrics).items() if "upstream" in name}
    assert calls == {
        f"upstream_calls_total get {ending}": 1
        for ending in ("ok", "rejected", "rate_limited", "error", "lost")
    }


async def test_labels_are_of_closed_lists(served: Served) -> None:
    """Whatever anybody sends, there are no more series than there are words of ours."""
    for number in range(20):
        odd = f"c4n4ry{number}"
        await served.post(f"query {odd} {{ gateway {{ version }} }}")
        await served.post(f"{{ {odd} }}")
        await served.post(f'{{ invoice(id: "in_{odd}") {{ id }} }}')
        headers = {"Content-Type": f"text/{odd}", "Authorization": odd, "Origin": f"https://{odd}"}
        async with served.session.request("PURGE", served.url / odd, headers=headers):
            pass
        async with served.session.post(served.url / "graphql", data=odd, headers=headers):
            pass

    families = text_string_to_metric_families(served.gateway.metrics.page().decode())
    series = [one for family in families for one in family.samples]

    assert "c4n4ry" not in served.gateway.metrics.page().decode()
    assert len(series) < 60
    assert all(value in CLOSED[name] for one in series for name, value in one.labels.items()
               if name in CLOSED)  # fmt: skip


def test_limits_have_no_endless_names() -> None:
    """Their names come from another part of the house; the bound is ours."""
    metrics = Metrics()

    for number in range(100):
        metrics.limit_exceeded("a" * (number % 40 + 1) + "b" * (number // 40), enforced=False)
    metrics.limit_exceeded("c4n4ry 'x'", enforced=True)

    names = {name.split()[1] for name in samples(metrics)}
    assert len(names) == LIMITS_MAX + 1
    assert "other" in names


async def test_the_page_is_served_as_prometheus_reads_it() -> None:
    """By itself on its port: nothing else is there."""
    metrics = Metrics()
    metrics.request_refused(404, "NOT_FOUND")
    server = TestServer(metrics_app(metrics))
    await server.start_server()
    try:
        async with ClientSession() as session:
            page, headers = await _get(session, server, "/metrics")
            elsewhere, _ = await _get(session, server, "/graphql")
    finally:
        await server.close()

    assert 'gateway_requests_refused_total{code="NOT_FOUND",status="404"} 1.0' in page
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "Server" not in headers
    assert "404" in elsewhere


async def _get(session: ClientSession, server: TestServer, path: str) -> tuple[str, Any]:
    async with session.get(server.make_url(path)) as response:
        return await response.text(), response.headers
