"""The key of the account that judges the twin, from the environment; live keys are refused.

It is told apart by its beginning, and is never part of a message.
Source: https://docs.stripe.com/keys, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

VARIABLE = "GATEWAY_TEST_STRIPE_KEY"
"""Not the STRIPE_API_KEY that the gateway reads: a test run must not take that up by chance."""
TEST_PREFIXES = ("sk_test_", "rk_test_")


class KeyRefused(Exception):
    """The key is not one of Stripe's test mode."""


def given_key(environment: Mapping[str, str]) -> SecretStr | None:
    """The test key, or None where the contract runs on twins alone. Raises `KeyRefused`."""
    key = environment.get(VARIABLE, "").strip()
    if not key:
        return None
    if not key.startswith(TEST_PREFIXES):
        raise KeyRefused(
            f"{VARIABLE} is not a key of Stripe's test mode, so nothing was sent: the contract "
            "makes and pays invoices, and takes keys that begin with sk_test_ or rk_test_ only"
        )
    return SecretStr(key)
