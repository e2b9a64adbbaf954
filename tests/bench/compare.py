"""The gateway beside other servers: `python -m tests.bench.compare`.

Each round asks every server in turn, so that what disturbs the machine disturbs all; what is told
are medians of the ratios within a round. Answers are compared before anything is timed. See the
README beside this.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import truediv
from pathlib import Path
from typing import Any

from tests.bench import world
from tests.bench.load import LoadClient, http_request, opening
from tests.bench.servers import (
    Server,
    node_folder,
    node_peer,
    ours,
    over_stripe,
    python_peer,
    sandbox,
)
from tests.bench.world import WorldFiles, write_world

Row = dict[str, list[float]]
"""A figure of each server, one for every round."""


def tell(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@dataclass(slots=True)
class Bench:
    """What all parts of the comparison share."""

    folder: Path
    rounds: int
    seconds: float
    load: LoadClient
    files: WorldFiles
    node: Path
    data: Path
    rows: dict[str, Row] = field(default_factory=dict)

    def note(self, row: str, server: str, value: float) -> None:
        self.rows.setdefault(row, {}).setdefault(server, []).append(value)


@contextmanager
def running(*servers: Server) -> Iterator[None]:
    try:
        for one in servers:
            one.start()
        yield
    finally:
        for one in servers:
            one.stop()


def ask(server: Server, document: str, variables: dict[str, Any]) -> Any:
    """The answer's data, asked for once and without hurry."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if server.needs_token:
        headers["Authorization"] = f"Bearer {world.token(0)}"
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/graphql",
        json.dumps({"query": document, "variables": variables}).encode(),
        headers,
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.load(response)
    assert not answer.get("errors"), (server.name, answer["errors"][:2])
    return answer["data"]


def shown_data(folder: Path, files: WorldFiles) -> Path:
    """The data as the gateway shows it, for the peers to show it, too."""
    gateway = ours("gateway", 18100, files)
    with running(gateway):
        listed = ask(gateway, world.LIST, world.list_variables())["invoices"]["nodes"]
        detached = {"id": world.marked(0), "intent": world.intent_of(0), "key": "shown"}
        assert ask(gateway, world.DETACH, detached)["detachPayment"]["invoice"]
        invoice = ask(gateway, world.CHANGED, {"id": world.marked(0)})["invoice"]
    for one in (invoice, *listed):
        _completed(one)
    event = {"type": "DETACHED", "occurredAt": invoice["createdAt"], "invoice": invoice}
    path = folder / "world.json"
    path.write_text(json.dumps({"invoices": listed, "event": event}))
    return path


def _completed(invoice: dict[str, Any]) -> None:
    """With the currency beside each amount, which not every amount was asked with."""
    for part in (invoice, *invoice["payments"]["nodes"]):
        for value in part.values():
            if isinstance(value, dict) and "minorUnits" in value:
                value["currency"] = invoice["currency"]
    invoice.setdefault("amountRemaining", {"minorUnits": 0, "currency": invoice["currency"]})


def queries(bench: Bench) -> None:
    """Lists and single invoices over HTTP."""
    supplier = sandbox(18200, bench.files)
    servers = [
        ours("gateway", 18201, bench.files),
        over_stripe("gateway over Stripe", 18202, bench.files, supplier, bench.folder),
        python_peer("strawberry", "strawberry_plain", 18203, bench.data),
        node_peer("yoga", "yoga.mjs", 18204, bench.node, bench.data),
        node_peer("apollo", "apollo.mjs", 18205, bench.node, bench.data),
        node_peer("mercurius-jit", "mercurius.mjs", 18206, bench.node, bench.data),
        python_peer("hand-written", "limits", 18207, bench.data, "dicts"),
        python_peer("bare aiohttp", "limits", 18208, bench.data, "bytes"),
    ]
    with running(supplier, *servers):
        listed = ask(servers[0], world.LIST, world.list_variables())
        ids = [one["id"] for one in listed["invoices"]["nodes"]]
        single = ask(servers[0], world.SINGLE, {"id": ids[0]})
        for one in servers:
            assert ask(one, world.LIST, world.list_variables()) == listed, one.name
            assert ask(one, world.SINGLE, {"id": ids[0]}) == single, one.name
        bodies = {
            "list": [{"query": world.LIST, "variables": world.list_variables()}],
            "single": [{"query": world.SINGLE, "variables": {"id": one}} for one in ids],
        }
        files = {
            (row, one.name): bench.load.file(
                http_request("/graphql", body, world.token(0) if one.needs_token else "")
                for body in some
            )
            for row, some in bodies.items()
            for one in servers
        }
        for turn in range(bench.rounds):
            for row in bodies:
                for one in servers:
                    tell(f"  {row}, round {turn + 1} of {bench.rounds}: {one.name}")
                    told = bench.load.http(one.port, files[row, one.name], seconds=bench.seconds)
                    assert told["refused"] == 0, (one.name, told)
                    bench.note(f"{row}: answers/s", one.name, told["answers"] / told["seconds"])
                    bench.note(f"{row}: p50 ms", one.name, told["p50_us"] / 1000)
                    bench.note(f"{row}: p99 ms", one.name, told["p99_us"] / 1000)
        for one in servers:
            bench.note("queries: resident MiB", one.name, one.resident_kib() / 1024)


def fan_servers(bench: Bench) -> list[Server]:
    return [
        ours("gateway", 18301, bench.files),
        python_peer("strawberry", "strawberry_plain", 18303, bench.data),
        node_peer("graphql-ws", "graphql_ws.mjs", 18304, bench.node, bench.data),
        python_peer("broadcast", "limits", 18305, bench.data, "broadcast"),
    ]


def triggers(bench: Bench, server: Server, events: int) -> Path:
    """A request for each event: a detached payment at ours, and else a word to publish."""
    if not server.needs_token:
        return bench.load.file(http_request(f"/emit/{number}", None) for number in range(events))
    return bench.load.file(
        http_request(
            "/graphql",
            {
                "query": world.DETACH,
                "variables": {
                    "id": world.marked(number),
                    "intent": world.intent_of(number),
                    "key": f"event-{number}",
                },
            },
            world.token(0),
        )
        for number in range(events)
    )


def openings(bench: Bench, server: Server, document: str, ids: list[list[str]] | None) -> Path:
    blocks: list[bytes] = []
    for number in range(max(world.CALLERS, len(ids or ()))):
        token = world.token(number % world.CALLERS) if server.needs_token else ""
        variables = {} if ids is None else {"ids": ids[number % len(ids)]}
        blocks += opening(document, variables, token)
    return bench.load.file(blocks)


def fan_out(bench: Bench, *, subscribers: int, events: int) -> None:
    """One document, the same for all; and each subscriber its own invoice."""
    own = [[world.marked(number)] for number in range(min(subscribers, world.EVENTS))]
    rows: list[tuple[str, str, list[list[str]] | None, int, int]] = [
        ("fan-out", world.EVERYTHING, None, events, subscribers),
        ("own invoices", world.ONE_INVOICE, own, min(subscribers, world.EVENTS), 1),
    ]
    for turn in range(bench.rounds):
        for row, document, ids, count, told_each in rows:
            for one in fan_servers(bench):
                if one.name == "broadcast" and ids is not None:
                    continue
                tell(f"  {row}, round {turn + 1} of {bench.rounds}: {one.name}")
                with running(one):
                    before = one.resident_kib()
                    told = bench.load.fan(
                        one.port,
                        openings(bench, one, document, ids),
                        triggers(bench, one, count),
                        subscribers=subscribers,
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
                bench.note(f"{row}: KiB a subscriber", one.name, more / subscribers)


def start_up(bench: Bench) -> None:
    """From the start of the process to its first answer."""
    supplier = sandbox(18400, bench.files)
    with running(supplier):
        for turn in range(bench.rounds):
            servers = [
                ours("gateway", 18401, bench.files),
                over_stripe("gateway over Stripe", 18402, bench.files, supplier, bench.folder),
                python_peer("strawberry", "strawberry_plain", 18403, bench.data),
                node_peer("yoga", "yoga.mjs", 18404, bench.node, bench.data),
                node_peer("mercurius-jit", "mercurius.mjs", 18406, bench.node, bench.data),
            ]
            tell(f"  start-up, round {turn + 1} of {bench.rounds}")
            for one in servers:
                try:
                    took = one.start()
                    ask(one, "{ __typename }", {})
                    bench.note("start-up: s", one.name, took)
                    bench.note("start-up: MiB", one.name, one.resident_kib() / 1024)
                finally:
                    one.stop()


PARTS: dict[str, Callable[[Bench], None]] = {
    "queries": queries,
    "fan-out": lambda bench: fan_out(bench, subscribers=1000, events=40),
    "start-up": start_up,
}


REFERENCES = {
    "list: answers/s": ("strawberry", "mercurius-jit", "hand-written", "bare aiohttp"),
    "single: answers/s": ("strawberry", "mercurius-jit", "hand-written", "bare aiohttp"),
    "fan-out: deliveries/s": ("strawberry", "graphql-ws", "broadcast"),
    "own invoices: deliveries/s": ("strawberry", "graphql-ws"),
    "start-up: s": ("strawberry", "yoga"),
}
"""Rates are told as multiples of these servers' in the same round, and of nothing else."""


def table(rows: dict[str, Row]) -> str:
    """Medians over the rounds: of ratios where there is a server to compare with."""
    lines = []
    for row, by_server in rows.items():
        references = [one for one in REFERENCES.get(row, ()) if one in by_server]
        lines.append(f"{row:28}" + "".join(f"{'x ' + one:>16}" for one in references))
        for server, values in by_server.items():
            cells = [
                f"{statistics.median(map(truediv, values, by_server[one])):16.3g}"
                for one in references
            ]
            lines.append(
                f"    {server:24}" + ("".join(cells) or f"{statistics.median(values):16.4g}")
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--node-folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tell("preparing: data, load client, peers from npm ...")
        files = write_world(folder)
        node = given.node_folder or node_folder(folder / "peers")
        data = shown_data(folder, files)
        bench = Bench(folder, given.rounds, given.seconds, LoadClient(folder), files, node, data)
        for part in given.parts:
            PARTS[part](bench)
    sys.stdout.write(table(bench.rows) + "\n")


if __name__ == "__main__":
    main()
