"""Subscriptions: events told to many, to each its own, and to few among many who are quiet."""

from __future__ import annotations

import resource
from pathlib import Path

from tests.bench import world
from tests.bench.harness import Bench, running, tell
from tests.bench.load import http_request, opening
from tests.bench.servers import Server, node_peer, ours, python_peer

SUBSCRIBERS = 1000
EVENTS = 40
QUIET = (100, 10_000)
QUIET_EVENTS = 100
"""No more invoices can be named in one filter."""


def _servers(bench: Bench) -> list[Server]:
    return [
        ours("gateway", bench.files),
        python_peer("strawberry", "strawberry_plain", bench.data),
        node_peer("graphql-ws", "graphql_ws.mjs", bench.node, bench.data),
        python_peer("broadcast", "limits", bench.data, "broadcast"),
    ]


def _triggers(bench: Bench, server: Server, events: int) -> Path:
    """A request for each event: a detached payment at ours, and else a word to publish."""
    if not server.needs_token:
        return bench.load.file(http_request(f"/emit/{number}", None) for number in range(events))
    return bench.requests(server, [detaching(number) for number in range(events)])


def detaching(number: int) -> dict[str, object]:
    """The body of a request that detaches the payment that event `number` is about."""
    given = {
        "id": world.marked(number),
        "intent": world.intent_of(number),
        "key": f"event-{number}",
    }
    return {"query": world.DETACH, "variables": given}


def _openings(bench: Bench, server: Server, document: str, ids: list[list[str]] | None) -> Path:
    blocks: list[bytes] = []
    for number in range(max(world.CALLERS, len(ids or ()))):
        token = world.token(number % world.CALLERS) if server.needs_token else ""
        variables = {} if ids is None else {"ids": ids[number % len(ids)]}
        blocks += opening(document, variables, token)
    return bench.load.file(blocks)


def fan_out(bench: Bench) -> None:
    """One document, the same for all; and each subscriber its own invoice."""
    own = [[world.marked(number)] for number in range(world.EVENTS)]
    rows: list[tuple[str, str, list[list[str]] | None, int, int]] = [
        ("fan-out", world.EVERYTHING, None, EVENTS, SUBSCRIBERS),
        ("own invoices", world.ONE_INVOICE, own, world.EVENTS, 1),
    ]
    for turn in range(bench.rounds):
        for row, document, ids, count, told_each in rows:
            for one in _servers(bench):
                if one.name == "broadcast" and ids is not None:
                    continue
                tell(f"  {row}, round {turn + 1} of {bench.rounds}: {one.name}")
                with running(one):
                    before = one.resident_kib()
                    told = bench.load.fan(
                        one.port,
                        _openings(bench, one, document, ids),
                        _triggers(bench, one, count),
                        subscribers=SUBSCRIBERS,
                        events=count,
                        told_each=told_each,
                    )
                    more = one.resident_kib() - before
                bench.note(f"{row}: deliveries/s", one.name, told["delivered"] / told["seconds"])
                bench.note(f"{row}: p99 ms", one.name, told["p99_us"] / 1000)
                bench.note(f"{row}: lost", one.name, told["wanted"] - told["delivered"])
                bench.note(f"{row}: sockets closed", one.name, told["closed"])
                bench.note(f"{row}: out of order", one.name, told["disordered"])
                bench.note(f"{row}: opening s", one.name, told["opening_seconds"])
                bench.note(f"{row}: KiB a subscriber", one.name, more / SUBSCRIBERS)


def quiet(bench: Bench) -> None:
    """One who is told of each event, among many whose invoices nothing happens to."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    told_of = [world.marked(number) for number in range(QUIET_EVENTS)]
    for turn in range(bench.few_rounds):
        for subscribers in QUIET:
            ids = [told_of, *([f"in_quiet_{number:06}"] for number in range(1, subscribers))]
            for one in _servers(bench):
                if one.name not in ("gateway", "graphql-ws"):
                    continue
                tell(f"  {subscribers} quiet, round {turn + 1} of {bench.few_rounds}: {one.name}")
                with running(one):
                    before = one.resident_kib()
                    told = bench.load.fan(
                        one.port,
                        _openings(bench, one, world.ONE_INVOICE, ids),
                        _triggers(bench, one, QUIET_EVENTS),
                        subscribers=subscribers,
                        events=QUIET_EVENTS,
                        told_each=1,
                    )
                    more = one.resident_kib() - before
                assert told["delivered"] == told["wanted"], (one.name, told)
                row = f"{subscribers} quiet subscribers"
                bench.note(f"{row}: KiB each", one.name, more / subscribers)
                bench.note(f"{row}: p50 ms of an event", one.name, told["p50_us"] / 1000)
