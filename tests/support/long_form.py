"""How many generated cases are tried: few in the check, many where somebody takes the time."""

from __future__ import annotations

import os


def examples(everyday: int) -> int:
    """So many, times `GATEWAY_TEST_TIMES` (`make test-long`)."""
    return everyday * int(os.environ.get("GATEWAY_TEST_TIMES", "1"))
