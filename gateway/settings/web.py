"""The settings of the web layer: who may call from where, and its ceilings and times."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from gateway.settings.field_kinds import Group, Words, constant
from gateway.settings.web_origins import checked_origin

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
"""A field name of RFC 9110."""


class WebSettings(Group):
    """What HTTP, WebSocket and event streams are given."""

    ide: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether browsers get the GraphiQL page: auto gives it while no callers are "
        "configured.",
    )
    allowed_origins: Words = Field(
        (),
        description="Origins, separated by commas, whose pages may call the gateway and open "
        "WebSockets; its own pages always may.",
    )
    allowed_headers: Words = Field(
        (),
        description="Names of headers, separated by commas, that those pages may send besides the "
        "known ones of GraphQL clients and of tracing (Traceparent, Baggage, Sentry-Trace, "
        "X-Datadog-*, B3, Newrelic and the like).",
    )
    body_bytes_max: int = Field(
        100_000, ge=1_000, description="Bytes of one request body; documents are a few kilobytes."
    )
    frame_bytes_max: int = constant(
        100_000, "Bytes of one WebSocket message: the same operations, so the same ceiling."
    )
    head_timeout_seconds: float = Field(
        10.0,
        gt=0,
        description="Seconds for the whole head of a request, and how long an idle connection is "
        "kept; behind a proxy that reuses connections longer than its own idle time.",
    )
    read_timeout_seconds: float = Field(
        10.0, gt=0, description="Seconds for a whole body; longer is a stuck or hostile sender."
    )
    init_timeout_seconds: float = Field(
        10.0, gt=0, description="Seconds from the opened WebSocket to its `connection_init`."
    )
    operations_under_way_max: int = Field(
        4000, ge=1, description="Operations over HTTP at once; beyond it is 503 with Retry-After."
    )
    operations_per_viewer_max: int = Field(
        1000, ge=1, description="Those of one caller at once; beyond it is 429 with Retry-After."
    )
    operations_per_socket_max: int = constant(
        50, "Live operations on one WebSocket: more of them on one page is a leak in the page."
    )
    sockets_per_viewer_max: int = Field(
        50, ge=1, description="WebSockets that one caller may hold; a client needs one."
    )
    sockets_unidentified_max: int = constant(
        1000,
        "WebSockets of all callers who have not said yet who they are, for which they have "
        "`init_timeout_seconds`.",
    )
    streams_per_viewer_max: int = Field(
        50, ge=1, description="Event streams over HTTP that one caller may hold at once."
    )
    mutations_under_way_max: int = constant(
        1000, "Mutations outlive their clients, so only this bounds how many one process carries."
    )
    stall_timeout_seconds: float = constant(
        5.0, "Seconds until a peer that takes not one byte is aborted, so that memory stays flat."
    )
    socket_ping_seconds: float = constant(
        20.0,
        "Seconds between pings of a WebSocket, well under the idle time of common proxies (60 s); "
        "an unanswered ping ends the socket.",
    )
    stream_ping_seconds: float = constant(
        15.0, "Seconds between comments on an event stream, as the HTML standard suggests."
    )
    close_timeout_seconds: float = constant(
        1.0, "Seconds that a peer may take to answer a closing frame."
    )
    check_timeout_seconds: float = constant(
        2.0, "Seconds of one check of readiness: probes commonly give up after a few."
    )
    shutdown_timeout_seconds: float = constant(
        25.0,
        "Seconds that a shutdown waits for mutations: below the 30 s that Kubernetes grants.",
    )

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(checked_origin, value))

    @field_validator("allowed_headers")
    @classmethod
    def _headers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if _HEADER.fullmatch(name) is None:
                raise ValueError(f"must be names of headers separated by commas, got {name!r}")
        return value

    @property
    def gives_page(self) -> bool:
        """Whether browsers get the GraphiQL page."""
        return self.ide != "off"
