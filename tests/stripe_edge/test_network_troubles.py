"""What an error of the network says about a write: certainly not sent, or perhaps done."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from stripe import APIConnectionError

from gateway.backends.stripe.errors import Ending, ending_of, failed, trouble_of
from schema.ports import ErrorCode

PLACE: Any = SimpleNamespace(host="api.example", port=443, ssl=True, is_ssl=True)


@pytest.mark.parametrize(
    ("cause", "ending", "code"),
    [
        pytest.param(
            aiohttp.ClientConnectorError(PLACE, OSError(111, "refused")),
            Ending.NOT_SENT,
            ErrorCode.UPSTREAM_ERROR,
            id="refused",
        ),
        pytest.param(
            aiohttp.ClientConnectorDNSError(PLACE, socket.gaierror(-2, "unknown")),
            Ending.NOT_SENT,
            ErrorCode.UPSTREAM_ERROR,
            id="unknown_name",
        ),
        pytest.param(
            aiohttp.ClientConnectorSSLError(PLACE, OSError(1, "handshake")),
            Ending.NOT_SENT,
            ErrorCode.UPSTREAM_ERROR,
            id="handshake",
        ),
        pytest.param(
            aiohttp.ConnectionTimeoutError(),
            Ending.NOT_SENT,
            ErrorCode.UPSTREAM_TIMEOUT,
            id="no_connection_in_time",
        ),
        pytest.param(
            aiohttp.SocketTimeoutError(),
            Ending.UNKNOWN,
            ErrorCode.UPSTREAM_TIMEOUT,
            id="no_answer_in_time",
        ),
        pytest.param(TimeoutError(), Ending.UNKNOWN, ErrorCode.UPSTREAM_TIMEOUT, id="time_is_up"),
        pytest.param(
            aiohttp.ServerDisconnectedError(),
            Ending.UNKNOWN,
            ErrorCode.UPSTREAM_ERROR,
            id="disconnected",
        ),
        pytest.param(
            aiohttp.ClientOSError(104, "reset"),
            Ending.UNKNOWN,
            ErrorCode.UPSTREAM_ERROR,
            id="reset",
        ),
        pytest.param(
            aiohttp.ClientPayloadError(), Ending.UNKNOWN, ErrorCode.UPSTREAM_ERROR, id="cut_body"
        ),
        pytest.param(
            RuntimeError("Session is closed"),
            Ending.UNKNOWN,
            ErrorCode.UPSTREAM_ERROR,
            id="anything_else",
        ),
    ],
)
def test_reach_of_an_attempt(cause: Exception, ending: Ending, code: ErrorCode) -> None:
    """Only where no connection came about is it certain that nothing was sent."""
    error = APIConnectionError("The SDK says nothing of use.")
    error.__cause__ = cause

    trouble = trouble_of(error)

    assert ending_of(trouble) is ending
    assert failed(trouble).code is code
