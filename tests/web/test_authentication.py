"""Who is let in, and how those who are not learn it."""

from __future__ import annotations

import pytest

from gateway.web.authentication import Refusal
from schema.ports import ErrorCode
from tests.web.callers import RefusingAuthenticator
from tests.web.serving import Serve, Served

HOSTS = {
    "name": ("localhost", 200),
    "name and port": ("localhost:8000", 200),
    "address": ("127.0.0.1:8000", 200),
    "address of version 6": ("[::1]:8000", 200),
    "a foreign name for the loopback": ("rebound.example:8000", 403),
    "a name that only begins like it": ("localhost.example", 403),
    "garbage": ("[", 403),
}


@pytest.mark.parametrize(("host", "status"), HOSTS.values(), ids=HOSTS.keys())
async def test_development_answers_only_to_names_of_the_loopback(
    gateway: Served, host: str, status: int
) -> None:
    """A foreign page whose name points at 127.0.0.1 is of the same origin, but not of this name."""
    response = await gateway.post("{ hello }", headers={"Host": host})

    assert response.status == status


REFUSALS = {
    "unknown": (Refusal(ErrorCode.UNAUTHENTICATED, "no"), 401, ("WWW-Authenticate", "Bearer")),
    "forbidden": (Refusal(ErrorCode.FORBIDDEN, "no"), 403, None),
    "too often": (Refusal(ErrorCode.RATE_LIMITED, "no", 30), 429, ("Retry-After", "30")),
}


@pytest.mark.parametrize(("refusal", "status", "header"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refused_caller_learns_why(
    serve: Serve, refusal: Refusal, status: int, header: tuple[str, str] | None
) -> None:
    """Status, code and message say the same, and nothing is read or executed."""
    gateway = await serve(authenticator=RefusingAuthenticator(refusal))

    response = await gateway.post("{ hello }")
    answer = await response.json()

    assert response.status == status
    assert answer["errors"][0] == {"message": "no", "extensions": {"code": refusal.code.value}}
    assert header is None or response.headers[header[0]] == header[1]
    assert gateway.runner.executed == []
