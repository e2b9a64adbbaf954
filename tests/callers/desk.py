"""A clients file that a test writes, and a gateway that reads it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.callers.clients import digest_of
from schema.ports import SCOPES
from tests.support.served import Served, serving

WHO = "{ gateway { scopes } }"
ACME, BOREALIS = "cus_demo_acme", "cus_demo_borealis"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass(slots=True)
class Desk:
    """The clients file; every client's token is `token-` and its name."""

    path: Path
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def admit(self, name: str, **fields: Any) -> str:
        """Write an entry, new or changed; the client's token."""
        token = f"token-{name}"
        given = {"name": name, "token_sha256": digest_of(token), "scopes": list(SCOPES), **fields}
        self.entries[name] = given
        self._write()
        return token

    def dismiss(self, name: str) -> None:
        del self.entries[name]
        self._write()

    def _write(self) -> None:
        blocks = [
            "[[client]]\n" + "".join(f"{key} = {json.dumps(one)}\n" for key, one in entry.items())
            for entry in self.entries.values()
        ]
        self.path.write_text("\n".join(blocks))


@asynccontextmanager
async def guarded(desk: Desk, **settings: Any) -> AsyncIterator[Served]:
    """A gateway with the demo data that only the desk's clients may call."""
    async with serving(clients_file=desk.path, data_dir=desk.path.parent, **settings) as served:
        yield served


async def ask(
    served: Served, token: str | None, query: str = WHO, **variables: Any
) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    """Status, body and headers of one operation over HTTP."""
    headers = {"Accept": "application/graphql-response+json"}
    if token is not None:
        headers |= bearer(token)
    payload = {"query": query, "variables": variables}
    async with served.session.post(
        served.url / "graphql", json=payload, headers=headers
    ) as response:
        return response.status, await response.json(), response.headers


async def status_with(served: Served, headers: Any) -> int:
    """The status for a good operation that comes with these headers, and nothing else."""
    async with served.session.post(
        served.url / "graphql", json={"query": WHO}, headers=headers
    ) as response:
        return response.status


def codes(body: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in body.get("errors", [])]
