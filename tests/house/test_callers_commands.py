"""Callers as an operator handles them: the start that is refused, new tokens, and SIGHUP."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.callers.clients import digest_of, parse_clients
from tests.support.command_line import run_apart, run_here

START_SECONDS_MAX = 120


def test_a_new_token_comes_with_the_entry_for_the_file() -> None:
    """Standard output can be appended to the file, and holds no token."""
    scoped = ("--scope", "payments:write", "--customer", "cus_1")

    code, entry, told = run_apart("token", "new", "acme", *scoped)

    (client,) = parse_clients(entry, "stdout")
    token = told.split()[-1]
    assert code == 0
    assert client.digests == (digest_of(token),)
    assert client.viewer.scopes == {"payments:write"}
    assert client.viewer.customers == {"cus_1"}
    assert token not in entry


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["two words"], "name is not right"),
        (["acme", "--scope", "all"], "'all'"),
        (["acme", "--customer", "in_1"], "ids like cus_"),
    ],
)
def test_a_bad_client_gets_no_token(arguments: list[str], sentence: str) -> None:
    code, entry, told = run_here("token", "new", *arguments)

    assert code == 1
    assert sentence in told
    assert "igw_" not in entry + told


LIVE_KEY = "_".join(("sk", "live", "x" * 24))

REFUSED = {
    "a public address": ({"GATEWAY_HOST": "0.0.0.0"}, "GATEWAY_CLIENTS_FILE"),
    "a live key": (
        {"GATEWAY_BACKEND": "stripe", "STRIPE_API_KEY": LIVE_KEY},
        "GATEWAY_CLIENTS_FILE",
    ),
    "a short secret": (
        {
            "GATEWAY_JWT_SECRET": "short",
            "GATEWAY_JWT_ISSUER": "i",
            "GATEWAY_JWT_AUDIENCE": "a",
        },
        "openssl rand -hex 32",
    ),
    "tokens of anyone": ({"GATEWAY_JWT_SECRET": "x" * 32}, "GATEWAY_JWT_ISSUER"),
    "keys over plain http": (
        {
            "GATEWAY_JWT_JWKS_URL": "http://login.example/keys",
            "GATEWAY_JWT_ISSUER": "i",
            "GATEWAY_JWT_AUDIENCE": "a",
        },
        "https://",
    ),
    "two ways to check a token": (
        {
            "GATEWAY_JWT_SECRET": "x" * 32,
            "GATEWAY_JWT_JWKS_URL": "https://login.example/keys",
            "GATEWAY_JWT_ISSUER": "i",
            "GATEWAY_JWT_AUDIENCE": "a",
        },
        "Leave one of them out",
    ),
    "no clients file": ({"GATEWAY_CLIENTS_FILE": "/nowhere/clients.toml"}, "No such file"),
}


@pytest.mark.parametrize(("variables", "cure"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_safe_does_not_start(variables: dict[str, str], cure: str) -> None:
    """The sentence says how to mend it, and doctor says the same."""
    refusal, _, sentence = run_apart("serve", "--port", "0", **variables)
    finding, line, _ = run_here("doctor", "--port", "0", **variables)

    assert (refusal, finding) == (1, 1)
    assert cure in sentence
    assert cure in line
    assert "Traceback" not in sentence
    assert LIVE_KEY not in sentence + line


def test_with_callers_a_public_address_and_a_live_key_are_fine(tmp_path: Path) -> None:
    _, entry, _ = run_here("token", "new", "acme")
    (tmp_path / "clients.toml").write_text(entry)

    _, told, _ = run_here(
        "doctor",
        "--port",
        "0",
        GATEWAY_HOST="0.0.0.0",
        GATEWAY_BACKEND="stripe",
        STRIPE_API_KEY=LIVE_KEY,
        GATEWAY_CLIENTS_FILE=str(tmp_path / "clients.toml"),
    )

    assert "callers" not in told


async def test_sighup_reads_the_clients_again_and_the_process_goes_on(tmp_path: Path) -> None:
    _, entry, told = run_here("token", "new", "acme")
    token, clients = told.split()[-1], tmp_path / "clients.toml"
    clients.write_text("")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway", "serve", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "GATEWAY_CLIENTS_FILE": str(clients)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(START_SECONDS_MAX), ClientSession() as session:
            greeting = ""
            while "Stop" not in greeting:
                greeting += (await process.stdout.readline()).decode()
            url = re.search(r"http://\S+", greeting)
            assert url is not None
            headers = {"Authorization": f"Bearer {token}"}
            query = {"query": "{ gateway { scopes } }"}
            async with session.post(url[0], json=query, headers=headers) as before:
                pass
            clients.write_text(entry)
            process.send_signal(signal.SIGHUP)
            while "1 clients" not in (await process.stderr.readline()).decode():
                pass
            async with session.post(url[0], json=query, headers=headers) as after:
                pass
    finally:
        process.terminate()
        code = await process.wait()

    assert (before.status, after.status, code) == (401, 200, 0)
    assert "Bearer" in greeting
    assert "Paste" not in greeting
