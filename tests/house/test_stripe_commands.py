"""The commands that work on a Stripe account, run against the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.backends.memory.twin import Twin
from gateway.clock import SystemClock
from gateway.sandbox.fixtures import seed
from gateway.sandbox.stripe_api import Fault, FaultKind, Sandbox, running_sandbox
from tests.support.command_line import run_apart, run_here
from tests.support.time_and_ids import CountingIds

URL = "https://gateway.example.com/webhooks/stripe"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    twin = Twin(now=SystemClock().now, new_id=CountingIds().new)
    seed(twin, None)
    async with running_sandbox(twin) as running:
        yield running


async def run(
    sandbox: Sandbox,
    folder: Path,
    *arguments: str,
    command: Callable[..., tuple[int, str, str]] = run_here,
) -> tuple[int, str]:
    """Exit code and output of the command line, with the sandbox for Stripe."""
    environment = {
        "STRIPE_API_KEY": "sk_test_any",
        "GATEWAY_STRIPE_API_BASE": sandbox.url,
        "GATEWAY_DATA_DIR": str(folder),
    }
    code, told, complaints = await asyncio.to_thread(command, *arguments, **environment)
    return code, told + complaints


async def test_webhook_is_created_and_then_checked(sandbox: Sandbox, tmp_path: Path) -> None:
    """The secret is printed once, in the form that the setting takes it."""
    create, check = (("webhook", verb, "--url", URL) for verb in ("create", "check"))
    created, told = await run(sandbox, tmp_path, *create, command=run_apart)
    checked, verdict = await run(sandbox, tmp_path, *check)

    assert created == 0, told
    assert "GATEWAY_STRIPE_WEBHOOK_SECRETS=whsec_" in told
    assert "invoice_payment.detached" in told
    assert checked == 0, verdict


async def test_thin_webhook_is_created_and_then_checked(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its secret is printed once as well, and what only snapshots tell is said by both."""
    create = ("webhook", "create", "--url", URL, "--payload", "thin")
    created, told = await run(sandbox, tmp_path, *create)
    again, refusal = await run(sandbox, tmp_path, *create)
    checked, verdict = await run(sandbox, tmp_path, "webhook", "check", "--url", URL)

    (made,) = sandbox.account.event_destinations
    assert created == 0, told
    assert f"GATEWAY_STRIPE_WEBHOOK_SECRETS={made.secret}\n" in told
    assert "invoice_payment.detached is not delivered" in told
    assert again == 1
    assert "registered already for thin events" in refusal
    assert made.secret not in refusal + verdict
    assert checked == 0, verdict
    assert "invoice_payment.detached is not delivered" in verdict


async def test_an_account_without_v2_is_told_so(sandbox: Sandbox, tmp_path: Path) -> None:
    """In a sentence, with what to do; snapshot events can be had all the same."""
    no = Fault(FaultKind.ANSWER, status=403, body={"error": {"message": "Not yours."}})
    sandbox.faults.add(no, path="/v2/*", times=None)
    create = ("webhook", "create", "--url", URL, "--payload")

    thin, refusal = await run(sandbox, tmp_path, *create, "thin")
    snapshot, told = await run(sandbox, tmp_path, *create, "snapshot")
    checked, verdict = await run(sandbox, tmp_path, "webhook", "check", "--url", URL)

    assert (thin, snapshot, checked) == (1, 0, 0), refusal + told + verdict
    assert "event destinations" in refusal
    assert "Traceback" not in refusal
    assert "whether one sends thin events here is not known" in verdict


async def test_webhook_that_is_not_there_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """Exit code 1, and what to do."""
    code, told = await run(sandbox, tmp_path, "webhook", "check", "--url", URL)

    assert code == 1
    assert "webhook create" in told
    assert "Traceback" not in told


async def test_catch_up_takes_in_what_no_webhook_brought(sandbox: Sandbox, tmp_path: Path) -> None:
    """By hand, with a summary; done twice it finds nothing new."""
    sandbox.twin.detach("in_demo_paid_by_two", "pi_demo_two_b")

    since = ("catch-up", "--since", "2026-01-01")
    code, told = await run(sandbox, tmp_path, *since, command=run_apart)
    again, second = await run(sandbox, tmp_path, *since)

    assert (code, again) == (0, 0), told + second
    assert "2 new" in told
    assert "0 new" in second
    assert "thin events seen" in told
    assert "All up to 20" in told


async def test_catch_up_by_a_key_without_thin_events_says_so(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Nothing is wrong with the run, and whoever reads the summary sees what was not in it."""
    refused = Fault(FaultKind.ANSWER, status=403, body={"error": {}})
    sandbox.faults.add(refused, path="/v2/core/events", times=None)

    code, told = await run(sandbox, tmp_path, "catch-up", "--since", "2026-01-01")

    assert code == 0, told
    assert "The list of thin events was not read" in told
    assert "snapshot events seen" in told


async def test_catch_up_that_lacks_a_list_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    """One list is away; the other was read all the same."""
    sandbox.faults.add(FaultKind.SERVER_ERROR, path="/v2/core/events", times=None)

    code, told = await run(sandbox, tmp_path, "catch-up", "--since", "2026-01-01")

    assert code == 1
    assert "snapshot events seen" in told
    assert "It is not known yet that all was taken in." in told


async def test_catch_up_says_what_is_out_of_reach(sandbox: Sandbox, tmp_path: Path) -> None:
    """Stripe lists thirty days, and no silence covers what lies before."""
    code, told = await run(sandbox, tmp_path, "catch-up", "--since", "2020-01-01")

    assert code == 0
    assert "out of reach" in told
    assert "30 days" in told
