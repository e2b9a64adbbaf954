"""The console in a real browser: what people see and do, against gateways as they start them.

In none of its windows may anything be said on the browser's console, refused by the page's policy
or asked of another host.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gateway.console import console_directory
from tests.clients.conftest import running
from tests.support.browser import CHROMIUM, IS_REQUIRED, LEFT_OUT, NOT_BUILT
from tests.support.npm import SUITES, run_suite

SECRET = "console-test-secret-console-test-secret"
SIGNED = {
    "GATEWAY_CONSOLE": "on",
    "GATEWAY_JWT_SECRET": SECRET,
    "GATEWAY_JWT_ISSUER": "test",
    "GATEWAY_JWT_AUDIENCE": "gateway",
    "GATEWAY_JWT_LEEWAY_SECONDS": "0",
}

pytestmark = [
    pytest.mark.skipif(not (CHROMIUM or IS_REQUIRED), reason=LEFT_OUT),
    pytest.mark.skipif(console_directory() is None and not IS_REQUIRED, reason=NOT_BUILT),
]


def test_a_person_detaches_attaches_and_plays_the_demo(npm_clients: Path) -> None:
    """And sees in one window within a second what is done in another."""
    with running("serve", "--port", "0") as url:
        drive(npm_clients, "console", url)


def test_it_is_fit_for_all_at_three_widths_in_both_themes(npm_clients: Path) -> None:
    """axe-core finds nothing serious, and nothing has to be scrolled for sideways."""
    with running("serve", "--port", "0") as url:
        drive(npm_clients, "look", url)


def test_it_takes_up_again_what_a_restart_has_cut(npm_clients: Path) -> None:
    """The gateway is killed; what happens at Stripe meanwhile is not missed."""
    drive(npm_clients, "restart", "", PYTHON=sys.executable, PROJECT=str(SUITES.parents[2]))


def test_a_caller_signs_in_and_again_when_the_token_expires(npm_clients: Path) -> None:
    """The token is in memory only, and the place is kept."""
    with running("serve", "--port", "0", **SIGNED) as url:
        drive(npm_clients, "token", url, SECRET=SECRET)


def drive(npm_clients: Path, suite: str, url: str, **more: str) -> None:
    assert CHROMIUM, LEFT_OUT
    run_suite(npm_clients, f"browser/{suite}.test.mjs", url, CHROMIUM=CHROMIUM, **more)
