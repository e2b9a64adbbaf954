"""What all parts of the comparison share: the servers' start and end, one answer, one row."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import world
from tests.bench.load import LoadClient, http_request
from tests.bench.results import Results
from tests.bench.servers import Server, ours
from tests.bench.world import WorldFiles


def tell(text: str) -> None:
    """Progress, for whoever waits."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@dataclass(slots=True)
class Bench:
    """`seconds` is how long each server is loaded in a round, `growing_seconds` how long it
    takes a growing load to come to its height."""

    folder: Path
    rounds: int
    seconds: float
    growing_seconds: float
    load: LoadClient
    files: WorldFiles
    node: Path
    data: Path
    results: Results = field(default_factory=Results)

    @property
    def few_rounds(self) -> int:
        """For what takes a minute a server."""
        return max(1, self.rounds // 2)

    def note(self, row: str, server: str, value: float) -> None:
        self.results.note(row, server, value)

    def requests(self, server: Server, bodies: list[dict[str, Any]]) -> Path:
        """A file of requests, as the server's callers send them."""
        token = world.token(0) if server.needs_token else ""
        return self.load.file(http_request("/graphql", body, token) for body in bodies)


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
    gateway = ours("gateway", files)
    with running(gateway):
        listed = ask(gateway, world.LIST, world.list_variables())["invoices"]["nodes"]
        detached = {"id": world.marked(0), "intent": world.intent_of(0), "key": "shown"}
        assert ask(gateway, world.DETACH, detached)["detachPayment"]["invoice"]
        invoice = ask(gateway, world.CHANGED, {"id": world.marked(0)})["invoice"]
    for one in (invoice, *listed):
        _complete(one)
    event = {"type": "DETACHED", "occurredAt": invoice["createdAt"], "invoice": invoice}
    path = folder / "world.json"
    path.write_text(json.dumps({"invoices": listed, "event": event}))
    return path


def _complete(invoice: dict[str, Any]) -> None:
    """With the currency beside each amount, which not every amount was asked with."""
    for part in (invoice, *invoice["payments"]["nodes"]):
        for value in part.values():
            if isinstance(value, dict) and "minorUnits" in value:
                value["currency"] = invoice["currency"]
    invoice.setdefault("amountRemaining", {"minorUnits": 0, "currency": invoice["currency"]})
