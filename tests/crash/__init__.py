"""Gateways as processes that die: killed, replaced, cut off from their Redis, told to stop."""

import pytest

pytest.register_assert_rewrite("tests.crash.checker")
