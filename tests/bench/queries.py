"""Lists and single invoices over HTTP: the gateway with and without kept answers, peers, limits.

And what each protection of the gateway costs, on against off.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import world
from tests.bench.harness import Bench, ask, running, tell
from tests.bench.servers import (
    NO_ANSWER_KEPT,
    Server,
    bramble_peer,
    node_peer,
    ours,
    over_stripe,
    python_peer,
    sandbox,
)

CONNECTIONS = 8


def queries(bench: Bench) -> None:
    """Every answer is compared with the gateway's before anything is timed."""
    supplier = sandbox(bench.files)
    servers = _servers(bench, supplier)
    with running(supplier, *servers):
        for row, one, requests in _in_turn(bench, servers):
            _load(bench, row, one, requests)


def _servers(bench: Bench, supplier: Server) -> list[Server]:
    files, folder, data = bench.files, bench.folder, bench.data
    return [
        ours("gateway", files, **NO_ANSWER_KEPT),
        over_stripe("gateway over Stripe", files, supplier, folder, **NO_ANSWER_KEPT),
        ours("gateway, answer kept", files),
        over_stripe("gateway over Stripe, answer kept", files, supplier, folder),
        python_peer("strawberry", "strawberry_plain", data),
        *bramble_peer(data),
        node_peer("yoga", "yoga.mjs", bench.node, data),
        node_peer("apollo", "apollo.mjs", bench.node, data),
        node_peer("mercurius-jit", "mercurius.mjs", bench.node, data),
        python_peer("hand-written", "limits", data, "dicts"),
        python_peer("bare aiohttp", "limits", data, "bytes"),
    ]


def _in_turn(
    bench: Bench, servers: list[Server], part: str = ""
) -> Iterator[tuple[str, Server, Path]]:
    """Each server with each row's requests, in turn, so that what disturbs the machine disturbs
    all."""
    bodies = _bodies(servers)
    files = {
        (row, one.name): bench.requests(one, some)
        for row, some in bodies.items()
        for one in servers
    }
    for turn in range(bench.rounds):
        for row in bodies:
            for one in servers:
                tell(f"  {part}{row}, round {turn + 1} of {bench.rounds}: {one.name}")
                yield row, one, files[row, one.name]


def _bodies(servers: list[Server]) -> dict[str, list[dict[str, Any]]]:
    """What is asked for, after every server has answered it alike."""
    listed = ask(servers[0], world.LIST, world.list_variables())
    ids = [one["id"] for one in listed["invoices"]["nodes"]]
    single = ask(servers[0], world.SINGLE, {"id": ids[0]})
    for one in servers:
        assert ask(one, world.LIST, world.list_variables()) == listed, one.name
        assert ask(one, world.SINGLE, {"id": ids[0]}) == single, one.name
    return {
        "list": [{"query": world.LIST, "variables": world.list_variables()}],
        "one invoice": [{"query": world.SINGLE, "variables": {"id": one}} for one in ids],
    }


def _load(bench: Bench, row: str, one: Server, requests: Path) -> None:
    one.forget_peak()
    before = one.peak_kib()
    is_stripe = one.environment.get("GATEWAY_BACKEND") == "stripe"
    calls = one.upstream_calls() if is_stripe else 0.0
    told = bench.load.http(one.port, requests, seconds=bench.seconds, connections=CONNECTIONS)
    assert told["refused"] == told["closed"] == 0, (one.name, told)
    bench.note(f"{row}: answers/s", one.name, told["answers"] / told["seconds"])
    bench.note(f"{row}: p50 ms", one.name, told["p50_us"] / 1000)
    bench.note(f"{row}: p99 ms", one.name, told["p99_us"] / 1000)
    bench.note(f"{row}: peak MiB", one.name, one.peak_kib() / 1024)
    more = (one.peak_kib() - before) / CONNECTIONS
    bench.note(f"{row}: peak KiB an answer under way", one.name, more)
    if is_stripe:
        calls = one.upstream_calls() - calls
        bench.note(f"{row}: calls to Stripe an answer", one.name, calls / told["answers"])


WITHOUT: dict[str, dict[str, str]] = {
    "all protections": {},
    "without callers": {"GATEWAY_CLIENTS_FILE": ""},
    "limits only told of": {"GATEWAY_LIMITS_MODE": "warn"},
    "without log lines": {"GATEWAY_LOG_LEVEL": "error"},
    "without a page of metrics": {"GATEWAY_METRICS_PORT": ""},
    "with budgets, too": {"GATEWAY_COST_PER_MINUTE": "1000000000"},
}
"""Settings that turn one protection off, or on."""


def protections(bench: Bench) -> None:
    """Every answer made anew, one protection off at a time."""
    servers = [
        ours(name, bench.files, **NO_ANSWER_KEPT, **settings) for name, settings in WITHOUT.items()
    ]
    with running(*servers):
        for row, one, requests in _in_turn(bench, servers, "protections, "):
            told = bench.load.http(one.port, requests, seconds=bench.seconds)
            assert told["refused"] == told["closed"] == 0, (one.name, told)
            rate = told["answers"] / told["seconds"]
            bench.note(f"protections, {row}: answers/s", one.name, rate)
