"""What a request's head says about its body and its version, where two servers may disagree.

Whoever reads a request in another way than the proxy before it can be made to take the end of one
body for the next request, so anything but the plain forms is refused, and the connection closed.
aiohttp's parser has refused the worst before this is asked.
Source: https://www.rfc-editor.org/rfc/rfc9112.html#section-6.1 (and 11.2) and
https://www.rfc-editor.org/rfc/rfc9110.html#section-10.1.1 (Expect)
"""

from __future__ import annotations

from aiohttp import HttpVersion10, HttpVersion11, web

from gateway.web.http_errors import HttpRefusal, bad_request
from schema.ports import ErrorCode

_CONTINUE = "100-continue"
_CLOSE = {"Connection": "close"}


def refuse_doubtful_framing(request: web.Request) -> None:
    """Let through what everybody reads in the same way. Reads no body."""
    if request.version not in (HttpVersion10, HttpVersion11):
        raise HttpRefusal(505, ErrorCode.BAD_USER_INPUT, "Use HTTP/1.1.", _CLOSE)
    codings = request.headers.getall("Transfer-Encoding", [])
    if codings and request.version == HttpVersion10:
        raise _doubtful("HTTP/1.0 has no Transfer-Encoding.")
    if codings and [coding.strip().lower() for coding in codings] != ["chunked"]:
        raise _doubtful("The one Transfer-Encoding that is understood is chunked, once.")
    expected = request.headers.get("Expect", _CONTINUE)
    if expected.lower() != _CONTINUE:
        raise HttpRefusal(417, ErrorCode.BAD_USER_INPUT, "Expect 100-continue, or nothing.", _CLOSE)


async def asked_later(request: web.Request) -> None:
    """For aiohttp, which would ask for every body: ours is asked for once it is wanted."""


async def ask_for_body(request: web.Request) -> None:
    """Tell a client that holds its body back until somebody wants it."""
    if "Expect" in request.headers and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # The answer itself has not begun.


def _doubtful(message: str) -> HttpRefusal:
    refusal = bad_request(message)
    refusal.headers = _CLOSE
    return refusal
