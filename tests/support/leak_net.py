"""A net under the whole suite: a test whose logs hold a secret or personal data fails by that.

Everything is logged at DEBUG. What the gateway and its libraries say is looked at as it is, before
any redaction, because redaction is the last line and knows no names; what the event loop says,
whose debug mode shows whatever is in a call, is looked at behind it. A plugin that `conftest`
loads.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Generator
from functools import cache

import pytest

from gateway.logs.setup import LineFormatter
from gateway.sandbox.fixtures import demo_text

LIKE_A_SECRET = re.compile(
    r"[srp]k_(?:test|live)_\w|whsec_\w|\w_secret_\w|\bigw_\w{8}|\beyJ\w|(?i:bearer) +\w{6}"
    r"|\bv1=[0-9a-f]{8}|\w@[\w-]+\.\w|://[^\s/]*:(?!password@)[^\s/]*@|\b4242 ?4242"
)
"""Not the patterns of the redaction: what one list forgets, the other may know."""
PEERS = ("gql", "websockets", "tests", "stripe")
"""Clients and tests in the same process: what they say is not the gateway's. Stripe's SDK is such a
client, too; what it says inside the gateway is for the canary test."""
BEHIND_REDACTION = ("asyncio",)

_PLAIN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class LeakNet(logging.Handler):
    """Keeps the lines that no log may hold."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.caught: list[str] = []
        self._plain = logging.Formatter("%(name)s: %(message)s")
        self._redacted = LineFormatter(is_json=True)

    def emit(self, record: logging.LogRecord) -> None:
        origin = record.name.partition(".")[0]
        if origin in PEERS:
            return
        line = self._plain.format(record) + _extras(record)
        if leaks(line) and origin in BEHIND_REDACTION:
            line = self._redacted.format(record)
        if leaks(line):
            self.caught.append(line)


def leaks(text: str) -> list[str]:
    """What in a text must not be there."""
    known = [name for name in personal_data() if name in text]
    return [*known, *(found[0] for found in LIKE_A_SECRET.finditer(text))]


@cache
def personal_data() -> tuple[str, ...]:
    """Names and addresses of the people in the demo data, which many tests are served with."""
    customers = json.loads(demo_text())["customers"]
    return tuple(one[part] for one in customers for part in ("name", "email") if one.get(part))


def _extras(record: logging.LogRecord) -> str:
    extras = {name: vars(record)[name] for name in vars(record).keys() - _PLAIN_ATTRIBUTES}
    return f" {extras}" if extras else ""


_net = LeakNet()


def pytest_configure() -> None:
    """Before pytest looks at the root logger's level, which it gives back again and again."""
    _lay_out()


def _lay_out() -> None:
    # At DEBUG aiocache tells every key, by the million where all schedules of a race are tried; the
    # canary test has them all.
    logging.getLogger("aiocache").setLevel(logging.INFO)
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger().addHandler(_net)


def pytest_unconfigure() -> None:
    logging.getLogger().removeHandler(_net)


def _caught_nothing() -> Generator[None, object, object]:
    outcome = yield
    if _net not in logging.getLogger().handlers:
        _lay_out()
        pytest.fail("it took the root logger's handlers away, this net among them", pytrace=False)
    caught, _net.caught = _net.caught, []
    if caught:
        pytest.fail("logged what no log may hold:\n" + "\n".join(caught[:5]), pytrace=False)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    return (yield from _caught_nothing())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    return (yield from _caught_nothing())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    return (yield from _caught_nothing())
