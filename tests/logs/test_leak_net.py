"""The net under the suite, itself."""

from __future__ import annotations

import logging

import pytest

from tests.support.leak_net import LeakNet, leaks

SECRET = "sk_test_c4n4ry"


def caught(name: str, message: str, *arguments: object, **extra: object) -> list[str]:
    net = LeakNet()
    record = logging.LogRecord(name, logging.DEBUG, "x.py", 1, message, arguments, None)
    vars(record).update(extra)
    net.handle(record)
    return net.caught


@pytest.mark.parametrize(
    "text",
    [
        SECRET, "whsec_abc", "pi_1_secret_abc", "eyJhbGciOi", "Bearer abcdefgh", "v1=0123456789ab",
        "mary@example.com", "redis://:pass@host", "Acme Rocket Kites", "4242 4242 4242 4242",
    ],
)  # fmt: skip
def test_what_must_not_be_there_is_caught(text: str) -> None:
    """In the message, in its arguments, and beside them."""
    assert leaks(text)
    assert caught("gateway.web", f"before {text} after")
    assert caught("aiocache.base", "SET %s", text)
    assert caught("gateway.web", "x", said=text)


def test_redaction_does_not_excuse_a_line_of_the_gateway() -> None:
    """It is the last line, not the first; only the event loop's debug lines may lean on it."""
    assert caught("gateway.web", SECRET)
    assert not caught("asyncio", SECRET)
    assert caught("asyncio", "Acme Rocket Kites")


def test_peers_in_the_same_process_may_say_what_they_like() -> None:
    """A client logs what it was sent, as it is its customer's."""
    assert not caught("gql.transport", SECRET)


def test_the_net_is_under_this_test() -> None:
    """A level that hides lines from it would make it catch nothing."""
    root = logging.getLogger()

    assert any(isinstance(handler, LeakNet) for handler in root.handlers)
    assert logging.getLogger("gateway").isEnabledFor(logging.DEBUG)
    assert logging.getLogger("aiocache").isEnabledFor(logging.INFO)
