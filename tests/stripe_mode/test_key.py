"""Which keys the contract takes to Stripe, and how it refuses the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.contract.features import TWINS, judge, suppliers
from tests.contract.stripe_key import VARIABLE, KeyRefused, given_key

LIVE, RESTRICTED_LIVE = ("_".join((kind, "live", "")) for kind in ("sk", "rk"))
"""In parts, so that no scanner takes a made-up key for a lost one."""

ROOT = Path(__file__).resolve().parents[2]
TEST_KEY = "sk_test_notarealkey"
LIVE_KEY = LIVE + "notarealkey"


def collected(key: str) -> subprocess.CompletedProcess[str]:
    """What pytest says of the contract with this key: it collects and sends nothing."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "tests/contract"],
        cwd=ROOT,
        env={**os.environ, VARIABLE: key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("key", [TEST_KEY, "rk_test_notarealkey", f" {TEST_KEY}\n"])
def test_a_test_key_is_taken(key: str) -> None:
    """Secret and restricted keys of test mode, with the blanks that copying adds."""
    given = given_key({VARIABLE: key})

    assert given == SecretStr(key.strip())


@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}, {"STRIPE_API_KEY": TEST_KEY}])
def test_without_a_key_of_its_own_the_contract_runs_on_twins(environment: dict[str, str]) -> None:
    """The gateway's own key is not taken up by chance."""
    key = given_key(environment)

    assert suppliers(key) == TWINS


@pytest.mark.parametrize(
    "key",
    [
        LIVE_KEY,
        RESTRICTED_LIVE + "notarealkey",
        "pk_test_notarealkey",
        "sk_testnotarealkey",
        "whsec_test",
    ],
)
def test_any_other_key_is_refused(key: str) -> None:
    """Live keys move money; the others are mistakes. What to give instead is said."""
    with pytest.raises(KeyRefused, match="begin with sk_test_ or rk_test_") as refused:
        given_key({VARIABLE: key})

    assert key not in str(refused.value)


def test_a_live_key_ends_the_run_with_a_sentence() -> None:
    """Before anything is collected, and without repeating the key."""
    ended = collected(LIVE_KEY)

    said = ended.stdout + ended.stderr
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "nothing was sent" in said
    assert LIVE_KEY not in said
    assert "Traceback" not in said


def test_with_a_test_key_stripe_is_the_only_supplier() -> None:
    """The judge is heard alone, by every test."""
    ended = collected(TEST_KEY)

    tests = [line for line in ended.stdout.splitlines() if "::" in line]
    assert ended.returncode == pytest.ExitCode.OK
    assert tests
    assert all("[stripe test mode" in test for test in tests), tests


def test_the_key_is_not_printed_with_its_row() -> None:
    """pytest prints the arguments of what fails."""
    row = judge(SecretStr(TEST_KEY))

    assert TEST_KEY not in repr(row)
