"""Reads a request body within a size and a time, whatever the headers promise.

It decides on the headers first, so that what is refused is not read. It decodes nothing.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from gateway.web.refusals import HttpRefusal, bad_request
from schema.ports import ErrorCode


def media_type(request: web.Request) -> tuple[str, dict[str, str]]:
    """The media type of the body in lower case, and its parameters."""
    essence, *parameters = request.headers.get("Content-Type", "").split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    values = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    return essence.strip().lower(), values


def refuse_other_than_json(request: web.Request) -> None:
    """Let only plain, uncompressed `application/json` in UTF-8 through.

    This is also what makes browsers ask before a foreign page may POST: forms cannot send JSON.
    """
    essence, parameters = media_type(request)
    if essence != "application/json":
        raise _unsupported("Send the request as `Content-Type: application/json`.")
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise _unsupported("Compressed request bodies are not accepted.")
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise bad_request("The charset of the request body must be utf-8.")


async def read_body(request: web.Request, *, bytes_max: int, timeout_seconds: float) -> bytes:
    """The whole body.

    Refuses with 413 as soon as it is too long and with 408 when it takes too long; either way the
    connection is closed, because the rest of the body is still on its way.
    """
    if (request.content_length or 0) > bytes_max:
        raise _too_large(bytes_max)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _read(request, bytes_max)
    except TimeoutError:
        message = f"The request body did not arrive within {timeout_seconds:g} seconds."
        raise HttpRefusal(408, ErrorCode.TIMEOUT, message, _CLOSE) from None
    except (web.RequestPayloadError, ConnectionError):
        raise bad_request("The request body is cut or malformed.") from None


async def _read(request: web.Request, bytes_max: int) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
    return bytes(body)


_CLOSE = {"Connection": "close"}


def _too_large(bytes_max: int) -> HttpRefusal:
    message = f"The request body is longer than {bytes_max} bytes."
    return HttpRefusal(413, ErrorCode.BAD_USER_INPUT, message, _CLOSE)


def _unsupported(message: str) -> HttpRefusal:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    return HttpRefusal(415, ErrorCode.BAD_USER_INPUT, message, headers)
