"""One line in the log for each operation, whatever carried it, under the id that its client has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.log_lines import LogLines, log_lines
from tests.web.callers import TokenAuthenticator
from tests.web.serving import Serve, Served
from tests.web.sockets import acknowledged, opened, received, subscribe

HANG_SECONDS_MAX = 20.0


@pytest.fixture
def lines() -> Iterator[LogLines]:
    with log_lines() as lines:
        yield lines


def operations(lines: LogLines) -> list[dict[str, Any]]:
    return lines.of("gateway.operations")


async def test_a_query_is_told_in_one_line(gateway: Served, lines: LogLines) -> None:
    """Who, what kind, how it ended and how long it took."""
    response = await gateway.post("query Greet { hello }", operationName="Greet")

    (line,) = operations(lines)
    assert line["request_id"] == response.headers["X-Request-Id"]
    assert (line["operation"], line["kind"], line["codes"]) == ("Greet", "query", "OK")
    assert (line["caller"], line["tenant"], line["level"]) == ("dev", "dev", "info")
    assert 0 <= line["duration_ms"] < 1000 * HANG_SECONDS_MAX


async def test_documents_and_variables_are_never_told(gateway: Served, lines: LogLines) -> None:
    """They may hold anything, and so may what a client gives for a name."""
    query = 'query ($name: String = "c4n4ry") { hello(name: $name) }'

    await gateway.post(query, variables={"name": "c4n4ry"}, operationName="no name: c4n4ry")
    await gateway.post(query, variables={"name": "c4n4ry"})
    await gateway.post('{ hello(name: "c4n4ry" }')

    assert len(operations(lines)) == 3
    assert not any("c4n4ry" in str(line) for line in lines.all)


@pytest.mark.parametrize(
    ("query", "kind", "codes"),
    [
        ("{ hello }", "query", "OK"),
        ("{ hello", "unknown", "GRAPHQL_PARSE_FAILED"),
        ("{ helo }", "unknown", "GRAPHQL_VALIDATION_FAILED"),
        ("{ broken }", "query", "INTERNAL_SERVER_ERROR"),
    ],
)
async def test_codes_say_how_it_ended(
    gateway: Served, lines: LogLines, query: str, kind: str, codes: str
) -> None:
    """The same codes that the client reads."""
    await gateway.post(query)

    (line,) = operations(lines)
    assert (line["kind"], line["codes"]) == (kind, codes)


async def test_every_line_of_a_request_carries_its_id(gateway: Served, lines: LogLines) -> None:
    """The traceback of a failure is found by the id in the client's error."""
    response = await gateway.post("{ broken }", headers={"X-Request-Id": "find-me"})

    body = await response.json()
    failures = [line for line in lines.all if "exception" in line]
    assert body["errors"][0]["extensions"]["requestId"] == "find-me"
    assert [line["request_id"] for line in failures] == ["find-me"]


async def test_requests_on_one_connection_do_not_share_their_context(
    serve: Serve, lines: LogLines
) -> None:
    """Who called before on the same connection is nobody's business."""
    gateway = await serve(authenticator=TokenAuthenticator())
    await gateway.post("{ hello }", headers={"Authorization": "first"})

    await gateway.post("{ hello }")

    refused = lines.all[-1]
    assert (refused["event"], refused["status"]) == ("request refused", 401)
    assert "caller" not in refused


async def test_each_operation_on_a_socket_has_an_id_of_its_own(
    gateway: Served, lines: LogLines
) -> None:
    """And one line, when it has ended."""
    async with acknowledged(gateway) as socket:
        for number in ("1", "2"):
            await subscribe(socket, "subscription { count(to: 1) }", id=number)
            while (await received(socket))["type"] != "complete":
                pass

    first, second = operations(lines)
    assert first["kind"] == second["kind"] == "subscription"
    assert first["request_id"] != second["request_id"]


async def test_a_query_nobody_waits_for_is_told_as_such(gateway: Served, lines: LogLines) -> None:
    """It was given up, which is no failure of ours."""
    async with opened(gateway) as socket:
        await socket.send_json({"type": "connection_init"})
        await received(socket)
        await subscribe(socket, "{ wait }")
        async with asyncio.timeout(HANG_SECONDS_MAX):
            await gateway.runner.waiting.wait()
        await socket.send_json({"type": "complete", "id": "1"})
        async with asyncio.timeout(HANG_SECONDS_MAX):
            await gateway.runner.cancelled.wait()

    (line,) = operations(lines)
    assert (line["kind"], line["codes"]) == ("query", "CLIENT_GONE")
