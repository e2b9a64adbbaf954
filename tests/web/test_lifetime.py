"""Health, and the order in which a gateway stops."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientConnectionError

from gateway.web.app import SHUTDOWN
from tests.web.serving import Serve, Served
from tests.web.sockets import acknowledged, closed, handshake_status, received, subscribe
from tests.web.test_sse import event, streaming


async def works() -> None:
    pass


async def fails() -> None:
    raise ConnectionError("redis://secret@store is gone")


async def hangs() -> None:
    await asyncio.get_running_loop().create_future()


CHECKS = {
    "nothing to check": ({}, 200, {}),
    "all work": ({"log": works}, 200, {"log": "ok"}),
    "one fails": ({"log": works, "cache": fails}, 503, {"log": "ok", "cache": "failed"}),
    "one hangs": ({"log": hangs, "cache": works}, 503, {"log": "failed", "cache": "ok"}),
}


@pytest.mark.parametrize(("pings", "status", "checks"), CHECKS.values(), ids=CHECKS.keys())
async def test_readiness_names_what_fails_and_no_more(
    serve: Serve, pings: dict[str, object], status: int, checks: dict[str, str]
) -> None:
    """The reason stands in the log: probes are answered without authentication."""
    gateway = await serve(pings=pings, check_timeout_seconds=0.05)

    async with gateway.session.get(gateway.url / "readyz") as response:
        answer = await response.json()

    assert response.status == status
    assert answer == {"ready": status == 200, "checks": {**checks, "accepting": "ok"}}


@pytest.mark.parametrize("trouble", [ConnectionError("the store is away"), TimeoutError()])
async def test_log_hears_once_of_what_is_away_and_once_when_it_is_back(
    serve: Serve, caplog: pytest.LogCaptureFixture, trouble: OSError
) -> None:
    """Probes come every few seconds, and a store that is away is no mistake to be traced."""
    troubles: list[OSError | None] = [trouble, trouble, None, None, trouble]

    async def ping() -> None:
        if (now := troubles.pop(0)) is not None:
            raise now

    gateway = await serve(pings={"log": ping})
    statuses = []
    for _ in range(5):
        async with gateway.session.get(gateway.url / "readyz") as response:
            statuses.append(response.status)

    lines = [one.getMessage() for one in caplog.records]
    away = f"Not ready: log: {str(trouble) or 'TimeoutError'}"
    assert statuses == [503, 503, 200, 200, 503]
    assert lines == [away, "Ready again: log", away]
    assert all(one.exc_info is None for one in caplog.records)


async def test_mistake_in_a_check_is_traced(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """What is no `OSError` is ours to mend; the probe is told no more than that it fails."""

    async def ping() -> None:
        raise KeyError("surprise")

    gateway = await serve(pings={"log": ping})

    async with gateway.session.get(gateway.url / "readyz") as response:
        answer = await response.json()

    assert answer["checks"]["log"] == "failed"
    assert [bool(one.exc_info) for one in caplog.records] == [True]


async def test_liveness_asks_nobody(serve: Serve) -> None:
    """Restarting this process would not bring another service back."""
    gateway = await serve(pings={"log": fails})

    async with gateway.session.get(gateway.url / "livez") as response:
        text = await response.text()

    assert (response.status, text) == (200, "ok")


async def test_a_draining_gateway_is_not_ready_and_still_answers(gateway: Served) -> None:
    """Traffic goes elsewhere first; what still arrives here is served."""
    gateway.app[SHUTDOWN].begin()

    async with gateway.session.get(gateway.url / "readyz") as response:
        answer = await response.json()
    query = await gateway.post("{ hello }")

    assert response.status == 503
    assert answer["checks"] == {"accepting": "draining"}
    assert query.status == 200


async def test_a_draining_gateway_opens_no_sockets_and_streams(gateway: Served) -> None:
    """They would only be closed again."""
    gateway.app[SHUTDOWN].begin()

    socket_status = await handshake_status(gateway, {})
    async with streaming(gateway, "subscription { held }") as stream:
        pass

    assert (socket_status, stream.status) == (503, 503)


async def test_a_stopping_gateway_sends_its_sockets_away(gateway: Served) -> None:
    """Clients take 1001 for a reason to connect again, to another replica."""
    async with acknowledged(gateway) as socket:
        await subscribe(socket, "subscription { held }")
        await received(socket)
        stopping = asyncio.create_task(gateway.app_runner.cleanup())

        code, _ = await closed(socket)

    await asyncio.wait_for(stopping, timeout=20)
    assert code == 1001
    assert gateway.runner.open_streams == 0


async def test_a_stopping_gateway_ends_its_streams_unfinished(gateway: Served) -> None:
    """Without `complete` a client knows that there is more, and connects again."""
    async with streaming(gateway, "subscription { held }") as response:
        await event(response)
        await event(response)
        stopping = asyncio.create_task(gateway.app_runner.cleanup())

        rest = await response.read()

    await asyncio.wait_for(stopping, timeout=20)
    assert rest == b""
    assert gateway.runner.open_streams == 0


async def test_a_stopping_gateway_finishes_its_mutations(gateway: Served) -> None:
    """The caller who waits gets the answer; new callers find nobody."""
    paying = asyncio.create_task(gateway.post("mutation { pay }"))
    await gateway.runner.asked_to_pay.wait()
    async with acknowledged(gateway) as socket:
        stopping = asyncio.create_task(gateway.app_runner.cleanup())
        assert (await closed(socket))[0] == 1001
    with pytest.raises(ClientConnectionError):
        await gateway.post("{ hello }")
    gateway.runner.may_pay.set()

    answer = await paying

    await asyncio.wait_for(stopping, timeout=20)
    assert await answer.json() == {"data": {"pay": "paid"}}


async def test_a_stopping_gateway_does_not_wait_for_ever(serve: Serve) -> None:
    """The supervisor would kill it anyway; the journal knows what is unfinished."""
    gateway = await serve(shutdown_timeout_seconds=0.05)
    paying = asyncio.create_task(gateway.post("mutation { pay }"))
    await gateway.runner.asked_to_pay.wait()

    await asyncio.wait_for(gateway.app_runner.cleanup(), timeout=20)

    with pytest.raises(ClientConnectionError):
        await paying
    assert gateway.runner.paid == 0
