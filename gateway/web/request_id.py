"""The id under which a request stands in the log, in error bodies and in a response header."""

from __future__ import annotations

import re
from collections.abc import Callable

from aiohttp import web

_HEADER = "X-Request-Id"
_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REQUEST_ID = web.RequestKey("request_id", str)


def give_request_id(request: web.Request, ids: Callable[[], str]) -> str:
    """Keep the client's id where it is harmless in a log, else give a new one."""
    theirs = request.headers.get(_HEADER, "")
    request_id = theirs if _FORM.fullmatch(theirs) else ids()
    request[_REQUEST_ID] = request_id
    return request_id


def request_id_of(request: web.Request) -> str:
    return request[_REQUEST_ID]


def request_id_header(request: web.Request) -> dict[str, str]:
    """The header for the response; none where aiohttp refused before the middleware ran."""
    request_id = request.get(_REQUEST_ID)
    return {} if request_id is None else {_HEADER: request_id}
