"""The configured clients: their file (TOML), and their tokens, of which only the SHA-256 is kept.

Every entry is read whole, or there is a sentence for each thing that is wrong. Keys that are not
known are refused, because a misspelt `customers` would open everything. A token is 256 random
bits, so a plain hash is enough: there is nothing to guess from it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import tomllib
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.settings.hosts import Origin
from schema.ports import SCOPES, Viewer

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$", to_lower=True)]
CustomerId = Annotated[str, StringConstraints(pattern=r"^cus_[A-Za-z0-9_]+$")]

TOKEN_PREFIX = "igw_"
"""Lets secret scanners and people recognise one."""
TOKEN_BYTES = 32

_HINTS = {
    "token_sha256": "give the 64 hexadecimal digits of the token's SHA-256, as `invoice-gateway "
    "token new NAME` prints them",
    "scopes": f"choose from {', '.join(SCOPES)}",
    "customers": "give ids like cus_..., or leave it out for all customers",
    "origins": "write them like https://app.example.com",
    "name": "use 1 to 64 letters, digits and . _ : @ -",
    "tenant": "use 1 to 64 letters, digits and . _ : @ -",
    "cost_per_minute": "give a whole number above 0, or leave it out",
}


class ClientsRefused(Exception):
    """The clients file cannot be used; the message has a line for each thing that is wrong."""


class Client(BaseModel):
    """One `[[client]]` as it is written. `origins` empty: pages of every allowed origin."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    token_sha256: Digest | Annotated[list[Digest], Field(min_length=1)]
    scopes: list[str]
    tenant: Name | None = None
    customers: Annotated[list[CustomerId], Field(min_length=1)] | None = None
    cost_per_minute: Annotated[int, Field(gt=0)] | None = None
    origins: Annotated[frozenset[Origin], Field(min_length=1, strict=False)] = frozenset()
    trusted_documents_only: bool = False

    @cached_property
    def digests(self) -> tuple[str, ...]:
        given = self.token_sha256
        return (given,) if isinstance(given, str) else tuple(given)

    @cached_property
    def viewer(self) -> Viewer:
        return Viewer(
            tenant=self.tenant or self.name,
            scopes=frozenset(self.scopes),
            customers=None if self.customers is None else frozenset(self.customers),
            caller=self.name,
            trusted_documents_only=self.trusted_documents_only,
            cost_per_minute=self.cost_per_minute,
        )


def read_clients(path: Path) -> tuple[Client, ...]:
    """Every client of the file. Raises `ClientsRefused`."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ClientsRefused(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ClientsRefused(f"{path} is not TOML: {error}.") from None
    return parse_clients(text, str(path))


def parse_clients(text: str, where: str) -> tuple[Client, ...]:
    """Every client of the text. Raises `ClientsRefused`; `where` begins each of its lines."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ClientsRefused(f"{where} is not TOML: {error}.") from None
    clients, problems = _entries(document)
    problems += _shared(clients)
    if problems:
        raise ClientsRefused("\n".join(f"{where}, {problem}" for problem in problems))
    return tuple(clients)


def entry_of(name: str, digest: str, scopes: list[str], customers: list[str]) -> str:
    """The entry of a new client as it is written. Raises `ClientsRefused`."""
    fields: dict[str, object] = {"name": name, "token_sha256": digest, "scopes": scopes}
    if customers:
        fields["customers"] = customers
    # JSON's texts and lists of texts are TOML's as well.
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    entry = "\n".join(["[[client]]", *lines]) + "\n"
    parse_clients(entry, "the new entry")
    return entry


def _entries(document: dict[str, Any]) -> tuple[list[Client], list[str]]:
    given = document.pop("client", [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        return [], ["client: begin each entry with [[client]]."]
    problems = [f"{key}: not known here; entries begin with [[client]]." for key in document]
    clients = []
    for position, one in enumerate(given, start=1):
        where = f"client {position} ({one.get('name', 'without a name')!s:.64})"
        try:
            client = Client.model_validate(one)
        except ValidationError as error:
            problems += [f"{where}: {_sentence(part)}" for part in error.errors()]
            continue
        problems += [
            f"{where}: scopes: {scope!r:.64} is none; {_HINTS['scopes']}."
            for scope in sorted(client.viewer.scopes.difference(SCOPES))
        ]
        clients.append(client)
    return clients, problems


def _sentence(error: Any) -> str:
    """What is wrong with a key and what would be right; never the value, which may be a secret."""
    key = str(error["loc"][0])
    what = {
        "missing": "is missing",
        "extra_forbidden": "is no key of a client",
    }.get(error["type"], "is not right")
    hint = _HINTS.get(key, f"the keys are {', '.join(Client.model_fields)}")
    return f"{key} {what}: {hint}."


def _shared(clients: list[Client]) -> list[str]:
    """Names and tokens that two clients claim: nobody could tell them apart."""
    names = Counter(client.name for client in clients)
    digests = Counter(digest for client in clients for digest in client.digests)
    problems = [
        f"name {name}: given twice; each client needs its own."
        for name, times in names.items()
        if times > 1
    ]
    for digest, times in digests.items():
        if times > 1:
            owners = ", ".join(client.name for client in clients if digest in client.digests)
            problems.append(f"token_sha256 of {owners}: the same; each client needs its own token.")
    return problems


def new_token() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> str:
    """The SHA-256 of a token, in lower-case hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
