"""Gateways as people start them, once with each backend, for every client in turn."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PROJECT = Path(__file__).parents[2]
_STOP_SECONDS_MAX = 60

COMMANDS = {
    "memory": ("serve", "--port", "0"),
    "stripe": ("serve", "--with-sandbox", "--port", "0", "--sandbox-port", "0"),
}


@pytest.fixture(scope="session", params=COMMANDS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The endpoint of a gateway with the demo data."""
    with running(*COMMANDS[request.param]) as endpoint:
        yield endpoint


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[str]:
    """The endpoint of a gateway that is started so; it ends well when it is told to."""
    command = [sys.executable, "-m", "gateway", *arguments]
    with subprocess.Popen(
        command,
        cwd=_PROJECT,
        env=_clean_environment() | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as gateway:
        assert gateway.stdout is not None
        found = None
        for line in gateway.stdout:
            found = found or re.search(r"Open\s+(http://\S+)", line)
            if "Stop" in line:
                break
        assert found is not None, "it ended before it was up"
        try:
            yield found[1]
        finally:
            # Whatever failed meanwhile is told then, and waits for nothing.
            gateway.terminate()
        assert gateway.wait(_STOP_SECONDS_MAX) == 0


def _clean_environment() -> dict[str, str]:
    """Ours without what is set for another gateway."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GATEWAY_", "STRIPE_"))
    }
