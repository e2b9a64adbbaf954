"""A short way for requests like those that were answered before.

aiohttp takes most of the time of a cheap answer: a parsed head, a task, a response with its headers
again for each request. A client sends the same head every time, so where the bytes of a head are
those of one that aiohttp has taken and the gateway answered, all that they decide is known: who
asks, what may be answered, and the head of the response. What is left is the body, which goes the
way of all others, as far as nothing has to be waited for; anything else goes on to aiohttp.

Only a query by POST gets here, whole in one piece, on a connection where nothing else is under way.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import RawRequestMessage

from gateway.callers import Grant
from gateway.web.connections import ConcurrencyLimit
from gateway.web.graphql_request import decode_object, operation_from
from gateway.web.http_errors import InvalidRequest
from gateway.web.operations import Call, Operations

HEADS_MAX = 2000
"""Heads that are known, of a kilobyte or less each: one or two for each client."""
HEAD_BYTES_MAX = 4096
"""A longer one is not kept."""

END = b"\r\n\r\n"
OF_ONE_REQUEST = frozenset({"content-length", "date", "x-request-id"})
"""Headers of a response that are its own."""
CHANGING = ("X-Request-Id", "Expect", "Last-Event-ID", "Content-Encoding", "Transfer-Encoding")
"""A request with one of these is not like any other, or its body is not what was sent."""

QUERIED_BY = web.RequestKey("queried_by", Grant)
"""On a request that was a query and was answered as JSON: who asked."""


class StillGranted(Protocol):
    """Says who would be let in again."""

    def still(self, grant: Grant) -> bool:
        """Whether the same request would get the same rights now. Never blocks: false also where
        only `identify` can tell."""
        ...


@dataclass(frozen=True, slots=True)
class KnownHead:
    """All that the head of a request decides."""

    grant: Grant
    body_length: int
    of_response: bytes


class FastLane:
    """One per process. `new_id` makes an id for one request."""

    def __init__(
        self,
        operations: Operations,
        authenticator: StillGranted,
        limits: tuple[ConcurrencyLimit, ConcurrencyLimit],
        new_id: Callable[[], str],
    ) -> None:
        self._operations = operations
        self._authenticator = authenticator
        self._of_caller, self._of_all = limits
        self._new_id = new_id
        self._heads: OrderedDict[bytes, KnownHead] = OrderedDict()
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        """Heads that came once, as all do of a client that names each request for a trace."""

    def response_to(self, data: bytes, head_length: int) -> bytes | None:
        """The whole response to a whole request, if it can be given at once."""
        key = _key(data[:head_length])
        known = self._heads.get(key)
        if known is None or head_length + known.body_length != len(data):
            return None
        if not self._authenticator.still(known.grant):
            del self._heads[key]
            return None
        self._heads.move_to_end(key)
        viewer = known.grant.viewer
        if self._of_all.is_full() or self._of_caller.is_full(viewer.tenant):
            return None
        try:
            operation = operation_from(decode_object(data[head_length:], what="The request body"))
        except InvalidRequest:
            return None
        request_id = self._new_id()
        body = self._operations.at_once(Call(operation, viewer, request_id))
        if body is None:
            return None
        own = (
            f"Content-Length: {len(body)}\r\nDate: {rfc822_formatted_time()}\r\n"
            f"X-Request-Id: {request_id}\r\n\r\n"
        )
        return b"".join((known.of_response, own.encode(), body))

    def learn(self, head: bytes, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Keep what the head has decided, if it was that of a query, is like others, and has come
        before."""
        grant = request.get(QUERIED_BY)
        if grant is None or response.status != 200 or not response.keep_alive:
            return
        if (key := _key(head)) in self._heads:
            return
        if key not in self._seen:
            self._seen[key] = None
            if len(self._seen) > HEADS_MAX:
                self._seen.popitem(last=False)
            return
        del self._seen[key]
        if any(name in request.headers for name in CHANGING) or request.query_string:
            return
        lines = [
            f"{name}: {value}\r\n"
            for name, value in response.headers.items()
            if name.lower() not in OF_ONE_REQUEST
        ]
        of_response = f"HTTP/1.1 200 OK\r\n{''.join(lines)}".encode()
        self._heads[key] = KnownHead(grant, request.content_length or 0, of_response)
        if len(self._heads) > HEADS_MAX:
            self._heads.popitem(last=False)


def head_of(data: bytes, message: object) -> bytes | None:
    """The head of what came as one piece, if it is one whole request; `message` is what aiohttp has
    read of it."""
    end = data.find(END) + len(END)
    if not isinstance(message, RawRequestMessage) or end < len(END) or end > HEAD_BYTES_MAX:
        return None
    if message.method != "POST" or message.should_close or message.upgrade or message.chunked:
        return None
    length = message.headers.get("Content-Length", "")
    if not (length.isascii() and length.isdigit()) or end + int(length) != len(data):
        return None
    return data[:end]


def _key(head: bytes) -> bytes:
    """No token is kept."""
    return hashlib.sha256(head).digest()
