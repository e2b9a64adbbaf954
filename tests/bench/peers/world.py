"""What the Python peers share: the data, as the gateway shows it, in plain objects."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiohttp import web

PORT = int(os.environ["BENCH_PORT"])
_WORLD = json.loads(Path(os.environ["BENCH_WORLD"]).read_text())
INVOICES: list[dict[str, Any]] = _WORLD["invoices"]
EVENT: dict[str, Any] = _WORLD["event"]
BY_ID = {invoice["id"]: invoice for invoice in INVOICES}


def invoice_id_of(number: int) -> str:
    """The invoice that an event is about; the load client knows events by it."""
    return f"in_bench_{number:06}"


@dataclass(eq=False)
class Subscriber:
    wanted: frozenset[str] | None
    queue: asyncio.Queue[int]


SUBSCRIBERS: set[Subscriber] = set()


def publish(number: int) -> None:
    for one in SUBSCRIBERS:
        if one.wanted is None or invoice_id_of(number) in one.wanted:
            one.queue.put_nowait(number)


async def listen(wanted: list[str] | None) -> AsyncIterator[int]:
    """The numbers of the events that one subscriber is to be told."""
    one = Subscriber(frozenset(wanted) if wanted else None, asyncio.Queue())
    SUBSCRIBERS.add(one)
    try:
        while True:
            yield await one.queue.get()
    finally:
        SUBSCRIBERS.discard(one)


def as_objects(value: Any) -> Any:
    """The same with attributes in place of keys."""
    if isinstance(value, dict):
        return SimpleNamespace(**{key: as_objects(below) for key, below in value.items()})
    return [as_objects(one) for one in value] if isinstance(value, list) else value


def emitting(publish: Callable[[int], Any]) -> Callable[[web.Request], Any]:
    """The handler of `POST /emit/NUMBER`."""

    async def emit(request: web.Request) -> web.Response:
        publish(int(request.match_info["number"]))
        return web.Response(text="{}")

    return emit


def serve(app: web.Application) -> None:
    web.run_app(
        app,
        host="127.0.0.1",
        port=PORT,
        access_log=None,
        backlog=4096,
        print=lambda *_: print("ready", flush=True),  # noqa: T201
    )
