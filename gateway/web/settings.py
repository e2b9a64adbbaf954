"""The ceilings and times of the web layer, read nowhere but here.

Whoever starts the process fills them from its own settings; nothing here looks at the environment.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Each limit of the web layer, with its unit in its name and its reason beside it."""

    path: str = "/graphql"

    gives_page: bool = True
    """Whether browsers get the GraphiQL page, which lives from introspection."""

    allowed_origins: tuple[str, ...] = ()
    """Foreign web origins (`https://shop.example`) whose pages may call and may open sockets."""

    allowed_headers: tuple[str, ...] = ()
    """What those pages may send besides the headers that are known: see `gateway.web.origins`."""

    body_bytes_max: int = 100_000
    """The longest legitimate document with its variables is a few kB."""

    frame_bytes_max: int = 100_000
    """The same operations travel over sockets, so the same ceiling."""

    read_timeout_seconds: float = 10
    """For a whole body: longer is a stuck or hostile sender."""

    head_timeout_seconds: float = 10
    """For a whole request head, and how long an idle connection is kept.

    Behind a proxy that reuses connections it must be longer than the proxy's own idle time."""

    init_timeout_seconds: float = 10
    """From the opened socket to its acknowledgement."""

    operations_under_way_max: int = 4000
    """Operations over HTTP at once, of all callers; each may hold a large answer for a while."""

    operations_per_viewer_max: int = 1000
    """A quarter of them: one caller's flood leaves room for the others."""

    operations_per_socket_max: int = 50
    """More live operations on one page is a leak in the page."""

    sockets_per_viewer_max: int = 50
    """A client needs one socket; this leaves room for tabs and for reconnects that overlap."""

    sockets_unidentified_max: int = 1000
    """Sockets of all callers who have not said yet who they are, for which they have
    `init_timeout_seconds`."""

    streams_per_viewer_max: int = 50
    """As for sockets: each event stream holds one operation."""

    mutations_under_way_max: int = 1000
    """Mutations outlive their clients, so only this bounds how many one process carries."""

    stall_timeout_seconds: float = 5
    """A peer that takes not one byte for so long is aborted, so that memory stays flat."""

    socket_ping_seconds: float = 20
    """Well under the idle time of common proxies (60 s); an unanswered ping ends the socket."""

    stream_ping_seconds: float = 15
    """As above, for event streams; the HTML standard suggests 15 s."""

    close_timeout_seconds: float = 1
    """How long a peer may take to answer a closing frame."""

    check_timeout_seconds: float = 2
    """For one check of readiness: probes commonly give up after a few seconds."""

    drain_timeout_seconds: float = 25
    """How long shutdown waits for mutations: below the 30 s that Kubernetes grants."""
