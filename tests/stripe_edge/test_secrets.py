"""No key and no client secret leaves the client: not in messages, representations or logs."""

from __future__ import annotations

import logging
import traceback

import pytest

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.errors import WriteRejected
from schema.ports import Failed, Meter
from tests.stripe_edge.conftest import API_KEY
from tests.stripe_edge.peer import Json, Peer, error
from tests.stripe_edge.samples import intent

PATH = "/v1/payment_intents/pi_1"
HUSH = "pi_1_secret_hush"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
async def test_failed_read_repeats_no_key(status: int, api: StripeApi, peer: Peer) -> None:
    """Stripe quotes keys in its messages; what a client sees, and what a trace prints, has none."""
    message = f"Invalid API Key provided: {API_KEY}, sk_test_****1234 and {HUSH}"
    peer.answer(f"GET {PATH}", error(status, message=message))

    with pytest.raises(Failed) as failed:
        await api.get(PATH, {}, Meter("a"))

    shown = "".join(traceback.format_exception(failed.value)) + repr(failed.value.extensions)
    assert not any(secret in shown for secret in (API_KEY, "1234", HUSH))


async def test_unreadable_answer_is_not_quoted(api: StripeApi, peer: Peer) -> None:
    """A body that cannot be read may hold a client secret all the same."""
    peer.answer(f"GET {PATH}", Json(f'{{"client_secret": "{HUSH}"'.encode()))

    with pytest.raises(Failed) as failed:
        await api.get(PATH, {}, Meter("a"))

    assert HUSH not in "".join(traceback.format_exception(failed.value))


async def test_refused_write_repeats_no_key(api: StripeApi, peer: Peer) -> None:
    """What is explained to a caller later is clean from the start."""
    peer.answer(f"POST {PATH}", error(400, message=f"Do not send {API_KEY} or whsec_abc."))

    with pytest.raises(WriteRejected) as rejected:
        await api.post(PATH, {}, Meter("a"), idempotency_key="gw_1")

    assert rejected.value.message == "Do not send [secret] or [secret]."


async def test_client_shows_no_key(api: StripeApi) -> None:
    """A client in a log line or a trace says its version alone."""
    assert repr(api) == "StripeApi(stripe_version='2026-10-28.endive')"


async def test_logs_hold_no_bodies(
    api: StripeApi, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """With every logger open, neither the key nor a body appears."""
    caplog.set_level(logging.DEBUG)
    peer.answer(f"GET {PATH}", intent())

    await api.get(PATH, {}, Meter("a"))

    assert not any(secret in caplog.text for secret in (API_KEY, HUSH))
