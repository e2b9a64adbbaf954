"""How fast aiohttp can be at all: `python -m tests.bench.peers.limits dicts|bytes|broadcast`.

`dicts` builds the answer by hand from plain objects, `bytes` has it ready, and `broadcast` sends
one prebuilt text to all sockets. None of them knows GraphQL: which of the two queries is meant
follows from its variables.
"""

from __future__ import annotations

import sys
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from tests.bench.peers.world import (
    BY_ID,
    EVENT,
    INVOICES,
    as_objects,
    invoice_id_of,
    serve,
)

JSON = "application/json"
OBJECTS: list[Any] = [as_objects(one) for one in INVOICES]
OBJECTS_BY_ID = {one.id: one for one in OBJECTS}


def intent(one: Any) -> dict[str, Any]:
    return {
        "id": one.id,
        "description": one.description,
        "livemode": one.livemode,
        "status": one.status,
        "rawStatus": one.rawStatus,
        "customerId": one.customerId,
        "createdAt": one.createdAt,
        "canceledAt": one.canceledAt,
        "amount": {"minorUnits": one.amount.minorUnits, "currency": one.amount.currency},
        "amountReceived": {
            "minorUnits": one.amountReceived.minorUnits,
            "currency": one.amountReceived.currency,
        },
    }


def payment(one: Any) -> dict[str, Any]:
    paid = one.amountPaid
    return {
        "id": one.id,
        "invoiceId": one.invoiceId,
        "sourceId": one.sourceId,
        "isDefault": one.isDefault,
        "status": one.status,
        "rawStatus": one.rawStatus,
        "sourceType": one.sourceType,
        "createdAt": one.createdAt,
        "paidAt": one.paidAt,
        "canceledAt": one.canceledAt,
        "amountRequested": {"minorUnits": one.amountRequested.minorUnits},
        "amountPaid": None if paid is None else {"minorUnits": paid.minorUnits},
        "paymentIntent": intent(one.paymentIntent),
    }


def invoice(one: Any) -> dict[str, Any]:
    return {
        "id": one.id,
        "number": one.number,
        "description": one.description,
        "customerName": one.customerName,
        "customerEmail": one.customerEmail,
        "currency": one.currency,
        "livemode": one.livemode,
        "status": one.status,
        "collectionMethod": one.collectionMethod,
        "createdAt": one.createdAt,
        "amountDue": {"minorUnits": one.amountDue.minorUnits},
        "amountPaid": {"minorUnits": one.amountPaid.minorUnits},
        "payments": {"nodes": [payment(below) for below in one.payments.nodes[:3]]},
    }


async def by_hand(request: web.Request) -> web.Response:
    variables = orjson.loads(await request.read())["variables"]
    if "id" in variables:
        data: dict[str, Any] = {"invoice": invoice(OBJECTS_BY_ID[variables["id"]])}
    else:
        some = OBJECTS[: variables["first"]]
        data = {"invoices": {"nodes": [invoice(one) for one in some]}}
    return web.Response(body=orjson.dumps({"data": data}), content_type=JSON)


READY = {one["id"]: orjson.dumps({"data": {"invoice": invoice(OBJECTS_BY_ID[one["id"]])}})
         for one in INVOICES}  # fmt: skip
LIST = orjson.dumps({"data": {"invoices": {"nodes": [invoice(one) for one in OBJECTS[:50]]}}})
assert len(READY) == len(BY_ID)


async def prebuilt(request: web.Request) -> web.Response:
    variables = orjson.loads(await request.read())["variables"]
    body = READY[variables["id"]] if "id" in variables else LIST
    return web.Response(body=body, content_type=JSON)


SOCKETS: set[web.WebSocketResponse] = set()
NEXT = '{"id":"1","type":"next","payload":{"data":{"invoicePaymentEvents":%s}}}'
CHECKPOINT = NEXT % '{"cursor":"c","live":true}'


async def socket(request: web.Request) -> web.WebSocketResponse:
    one = web.WebSocketResponse(protocols=("graphql-transport-ws",), compress=False)
    await one.prepare(request)
    async for message in one:
        if message.type is WSMsgType.TEXT and "connection_init" in message.data:
            await one.send_str('{"type":"connection_ack"}')
        elif message.type is WSMsgType.TEXT and "subscribe" in message.data:
            await one.send_str(CHECKPOINT)
            SOCKETS.add(one)
    SOCKETS.discard(one)
    return one


async def broadcast(request: web.Request) -> web.Response:
    number = int(request.match_info["number"])
    item = {"cursor": f"c{number}", "invoiceId": invoice_id_of(number), **EVENT}
    text = NEXT % orjson.dumps(item).decode()
    for one in SOCKETS:
        await one.send_str(text)
    return web.Response(text="{}")


def main() -> None:
    app = web.Application()
    if sys.argv[1] == "broadcast":
        app.router.add_get("/graphql", socket)
        app.router.add_post("/emit/{number}", broadcast)
    else:
        app.router.add_post("/graphql", prebuilt if sys.argv[1] == "bytes" else by_hand)
    serve(app)


if __name__ == "__main__":
    main()
