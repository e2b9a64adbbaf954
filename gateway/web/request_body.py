"""Reads a request body within a size and a time, whatever the headers promise.

It decides on the headers first, so that what is refused is not read, and refuses what two servers
could read as two different messages. A compressed body counts as long as it is unpacked, and is
unpacked no further than that.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable

from aiohttp import HttpVersion10, HttpVersion11, web

from gateway.web.http_errors import CLOSE, HttpRefusal, InvalidRequest

_ACCEPTED = {"Accept": "application/json", "Accept-Encoding": "gzip"}
_CONTINUE = "100-continue"
_GZIP = 16 + zlib.MAX_WBITS
_MALFORMED = "The request body is cut or malformed."


def media_type(request: web.Request) -> tuple[str, dict[str, str]]:
    """The media type of the body in lower case, and its parameters."""
    essence, *parameters = request.headers.get("Content-Type", "").split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    values = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    return essence.strip().lower(), values


def refuse_other_than_json(request: web.Request) -> None:
    """Let only plain `application/json` in UTF-8 through, as it is or in gzip.
    This is also what makes browsers ask before a foreign page may POST: forms cannot send JSON."""
    essence, parameters = media_type(request)
    if essence != "application/json":
        message = "Send the request as `Content-Type: application/json`."
        raise HttpRefusal(415, message, _ACCEPTED)
    if _coding(request) not in ("identity", "gzip"):
        message = "Request bodies may be compressed with gzip only, and once."
        raise HttpRefusal(415, message, _ACCEPTED)
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise InvalidRequest("The charset of the request body must be utf-8.")


def refuse_doubtful_framing(request: web.Request) -> None:
    """Let through what everybody reads in the same way. Reads no body."""
    if request.version not in (HttpVersion10, HttpVersion11):
        raise HttpRefusal(505, "Use HTTP/1.1.", CLOSE)
    codings = request.headers.getall("Transfer-Encoding", [])
    if codings and request.version == HttpVersion10:
        raise HttpRefusal(400, "HTTP/1.0 has no Transfer-Encoding.", CLOSE)
    if codings and [coding.strip().lower() for coding in codings] != ["chunked"]:
        message = "The one Transfer-Encoding that is understood is chunked, once."
        raise HttpRefusal(400, message, CLOSE)
    if request.headers.get("Expect", _CONTINUE).lower() != _CONTINUE:
        raise HttpRefusal(417, "Expect 100-continue, or nothing.", CLOSE)


async def read_body(
    request: web.Request,
    *,
    bytes_max: int,
    timeout_seconds: float,
    grown: Callable[[int], None] | None = None,
) -> bytes:
    """The whole body as it was sent; `grown` is told its length so far, and may refuse it.

    Refuses with 413 as soon as it is too long and with 408 when it takes too long; either way the
    connection is closed, because the rest of the body is still on its way.
    """
    if (request.content_length or 0) > bytes_max:
        raise _too_large(bytes_max)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_seconds):
            if "Expect" in request.headers and request.version == HttpVersion11:
                # The client holds its body back until somebody wants it.
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0  # The answer itself has not begun.
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > bytes_max:
                    raise _too_large(bytes_max)
                if grown is not None:
                    grown(len(body))
    except TimeoutError:
        message = f"The request body did not arrive within {timeout_seconds:g} seconds."
        raise HttpRefusal(408, message, CLOSE) from None
    except (web.RequestPayloadError, ConnectionError):
        raise InvalidRequest(_MALFORMED) from None
    return bytes(body)


async def read_json_body(request: web.Request, *, bytes_max: int, timeout_seconds: float) -> bytes:
    """The whole body, out of its gzip if it came in one; refuses like `read_body`."""
    body = await read_body(request, bytes_max=bytes_max, timeout_seconds=timeout_seconds)
    return _unpacked(body, bytes_max) if _coding(request) == "gzip" else body


async def asked_later(request: web.Request) -> None:
    """For aiohttp, which would ask for every body: ours is asked for once it is wanted."""


def _coding(request: web.Request) -> str:
    return ",".join(request.headers.getall("Content-Encoding", ["identity"])).strip().lower()


def _unpacked(body: bytes, bytes_max: int) -> bytes:
    """One gzip member, whole. A bomb is given up at the ceiling, not unpacked and then measured."""
    packed = zlib.decompressobj(wbits=_GZIP)
    try:
        text = packed.decompress(body, bytes_max + 1)
    except zlib.error:
        raise InvalidRequest(_MALFORMED) from None
    if len(text) > bytes_max:
        raise _too_large(bytes_max)
    if not packed.eof or packed.unused_data:
        raise InvalidRequest(_MALFORMED)
    return text


def _too_large(bytes_max: int) -> HttpRefusal:
    return HttpRefusal(413, f"The request body is longer than {bytes_max} bytes.", CLOSE)
