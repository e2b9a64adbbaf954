"""The drain: a gateway that is told to stop ends everything in order, and loses nothing."""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType

from gateway.sandbox.stripe_api import Fault, FaultKind
from tests.crash.processes import GatewayProcess, ask
from tests.crash.waiting import until_true
from tests.crash.watcher import STREAM, Watcher, watching
from tests.crash.world import World
from tests.crash.writers import DETACH

DRAIN_SECONDS_MAX = 25.0
WRITE_SECONDS = 1.0


async def test_stop_finishes_the_write_closes_sockets_and_exits_with_zero(
    world: World, gateway: GatewayProcess
) -> None:
    """SIGTERM amid a write: its caller gets the answer, sockets a 1001 and streams an end without
    `complete`, and who comes again with the last cursor has missed nothing."""
    invoice_id, intent_id = world.paid_by_two(1000)
    variables = {"invoice": invoice_id, "intent": intent_id, "key": "last"}
    path = f"/v1/invoices/{invoice_id}/detach_payment"
    world.sandbox.faults.add(Fault(FaultKind.LATENCY, seconds=WRITE_SECONDS), path=path)
    await gateway.start()
    stream = Watcher(world.session, gateway.url)
    watched = asyncio.create_task(stream.watch_once())
    socket = await world.session.ws_connect(
        f"{gateway.url}/graphql", protocols=("graphql-transport-ws",)
    )
    await socket.send_json({"type": "connection_init"})
    await socket.receive_json()
    await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": STREAM}})
    first = await socket.receive_json()
    await until_true(lambda: stream.first_cursor is not None, "the stream's first cursor")

    write = asyncio.create_task(ask(world.session, gateway.url, DETACH, **variables))
    await until_true(lambda: path in [one.path for one in world.sandbox.requests], "the write")
    gateway.terminate()
    async with asyncio.timeout(DRAIN_SECONDS_MAX):
        closing = await socket.receive()
        while closing.type is WSMsgType.TEXT:
            closing = await socket.receive()
        answer = await write
        await watched
        code = await gateway.ended()

    assert (closing.type, closing.data) == (WSMsgType.CLOSE, 1001)
    assert answer["data"]["detachPayment"] == {"errors": [], "replayed": False}
    assert not stream.is_complete
    assert code == 0
    cursor = first["payload"]["data"]["invoicePaymentEvents"]["cursor"]
    await gateway.start()
    async with watching(world.session, gateway.url, cursor) as resumed:
        await until_true(lambda: resumed.saw(type="DETACHED"), "what the write announced")
    assert resumed.problems == []
