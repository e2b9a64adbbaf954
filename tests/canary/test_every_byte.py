"""The canary test: a real gateway at its most talkative, and a search through all that it wrote.

Its data folder is searched too. There the journal keeps what a caller's write consists of, under
the caller's key, because a crash must not lose it: those canaries alone may be in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.canary.canaries import CANARIES, WORD
from tests.canary.driving import ANSWER_SECONDS_MAX, STREAM, Driver
from tests.canary.process import WatchedProcess
from tests.canary.stage import Stage, set_stage
from tests.crash.waiting import until_true
from tests.storage.redis_server import RedisServer
from tests.support.leak_net import leaks

IN_THE_JOURNAL = (CANARIES.idempotency_key, CANARIES.reference, CANARIES.metadata)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with set_stage() as stage:
        yield stage


def process(folder: Path, stage: Stage, **settings: str) -> WatchedProcess:
    """A gateway before that stage, with a client whose token is a canary."""
    clients = folder / "clients.toml"
    clients.write_text(
        f'[[client]]\nname = "shop"\ntoken_sha256 = "{CANARIES.token_digest}"\n'
        'scopes = ["invoices:read", "payments:write", "events:read"]\n'
    )
    given = {
        "gateway_backend": "stripe",
        "gateway_stripe_api_base": stage.sandbox.url,
        "gateway_stripe_calls_per_second": "10000",
        "gateway_stripe_endpoint_calls_per_second": "10000",
        "gateway_stripe_webhook_secrets": CANARIES.webhook_secret,
        "gateway_clients_file": str(clients),
        "gateway_jwt_secret": CANARIES.jwt_secret,
        "gateway_jwt_issuer": "https://login.example.com",
        "gateway_jwt_audience": "gateway",
        "gateway_audit_file": str(folder / "audit"),
        "stripe_api_key": CANARIES.stripe_key,
    }
    return WatchedProcess(folder, **{**given, **settings})


def found_in(text: bytes, secrets: set[str], allowed: tuple[str, ...] = ()) -> list[str]:
    """The canaries in a text, the secrets that clients were given, and whatever looks like one."""
    told = text.decode(errors="replace")
    for canary in allowed:
        told = told.replace(canary, "")
    at = [told[max(0, at - 60) : at + 60] for at in _places(told, WORD)]
    return at + [one for one in secrets if one in told] + leaks(told)


def _places(text: str, word: str) -> list[int]:
    return [at for at in range(len(text)) if text.startswith(word, at)]


async def metrics(gateway: WatchedProcess, stage: Stage) -> bytes:
    async with stage.session.get(gateway.metrics_url) as response:
        return await response.read()


async def test_no_byte_of_log_output_or_metrics_holds_a_secret(
    stage: Stage, tmp_path: Path
) -> None:
    """Queries, writes, faults, webhooks, malformed requests, sockets, and a stop amid a stream."""
    gateway = process(tmp_path, stage)
    driver = Driver(gateway, stage, set())
    await gateway.start()
    try:
        await driver.everything()
        counts = await metrics(gateway, stage)
        headers = {"Authorization": f"Bearer {CANARIES.token}", "Accept": "text/event-stream"}
        url = f"{gateway.url}/graphql"
        async with stage.session.post(url, json={"query": STREAM}, headers=headers) as stream:
            await stream.content.readany()
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                code = await gateway.stop()
    finally:
        await gateway.close()

    assert code == 0
    for text in (gateway.stdout(), gateway.stderr(), counts):
        assert found_in(text, driver.client_secrets) == []
    for file in (tmp_path / "data").iterdir():
        assert found_in(file.read_bytes(), driver.client_secrets, IN_THE_JOURNAL) == []
    assert found_in((tmp_path / "audit").read_bytes(), driver.client_secrets, IN_THE_JOURNAL) == []
    _assert_that_it_talked(gateway, driver)
    for name in ("operations", "requests_refused", "webhooks", "upstream_calls"):
        assert f"gateway_{name}_total{{".encode() in counts


def _assert_that_it_talked(gateway: WatchedProcess, driver: Driver) -> None:
    """A silent process would pass as well; every line is JSON, so nothing went past the log."""
    lines = gateway.lines()
    operations = [line for line in lines if line["logger"] == "gateway.operations"]
    seen = {code for line in operations for code in line["codes"].split(",")}
    assert {"OK", "NOT_FOUND", "UPSTREAM_ERROR", "UPSTREAM_RATE_LIMITED"} <= seen
    assert {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"} <= seen
    assert {line["kind"] for line in operations} == {"query", "mutation", "subscription", "unknown"}
    assert all(line["request_id"] for line in operations)
    assert {line["caller"].partition(":")[0] for line in operations} == {"shop", "jwt"}
    loggers = {line["logger"] for line in lines}
    assert {"gateway.web.webhooks", "gateway.web", "asyncio"} <= loggers
    assert "debug" in {line["level"] for line in lines}
    assert len(driver.client_secrets) == 1


async def test_no_password_of_a_redis_is_told_when_it_goes_away(
    stage: Stage, tmp_path: Path
) -> None:
    """Its errors, and whole tracebacks of them, are in the log; what is in its URL is not."""
    folder = tmp_path / "redis"
    folder.mkdir()
    redis = RedisServer(folder, {"requirepass": CANARIES.redis_password})
    url = redis.url.replace("//", f"//:{CANARIES.redis_password}@")
    gateway = process(tmp_path, stage, gateway_redis_url=url, gateway_cache_url=url)
    driver = Driver(gateway, stage, set())
    redis.start()
    try:
        await gateway.start()
        await driver.reads(stage.open_invoice(1000))
        write = asyncio.create_task(driver.slow_write())
        await until_true(lambda: stage.sees("attach_payment"), "the write, on its way")
        await asyncio.to_thread(redis.stop)
        await write
        await driver.reads(stage.open_invoice(1000))
        async with stage.session.get(f"{gateway.url}/readyz") as ready:
            assert ready.status == 503
        counts = await metrics(gateway, stage)
        await gateway.stop()
    finally:
        await gateway.close()
        await asyncio.to_thread(redis.stop)

    for text in (gateway.stdout(), gateway.stderr(), counts):
        assert found_in(text, driver.client_secrets) == []
    told = [line["exception"] for line in gateway.lines() if "exception" in line]
    assert any("ConnectionError" in exception for exception in told)


REFUSED_SETTINGS = {
    "a Redis that does not know the password": {
        "gateway_redis_url": f"redis://user:{CANARIES.redis_password}@127.0.0.1:1/0",
        "gateway_cache_url": f"redis://user:{CANARIES.redis_password}@127.0.0.1:1/0",
    },
    "URLs that are none": {
        "gateway_redis_url": f"{CANARIES.redis_password}",
        "gateway_cache_url": f"http://:{CANARIES.redis_password}@x:y/z",
    },
    "a secret that is too short": {"gateway_jwt_secret": CANARIES.jwt_secret[:12]},
    "two ways to check a token": {"gateway_jwt_jwks_url": f"http://u:{CANARIES.header}@a.b/c"},
    "a key that is not Stripe's": {"stripe_api_key": CANARIES.wrong_token, "gateway_port": "x"},
    "a fixture beside Stripe": {"gateway_fixtures": "/nowhere.json"},
}


@pytest.mark.parametrize("settings", REFUSED_SETTINGS.values(), ids=REFUSED_SETTINGS.keys())
async def test_no_refusal_to_start_repeats_a_secret(
    stage: Stage, tmp_path: Path, settings: dict[str, str]
) -> None:
    """Which setting is wrong is told, and never what it holds."""
    gateway = process(tmp_path, stage, **settings)

    await gateway.launch()
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        code = await gateway.ended()

    assert code == 1
    assert gateway.stderr() != b""
    assert found_in(gateway.stdout() + gateway.stderr(), set()) == []
