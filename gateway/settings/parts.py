"""The groups of settings that parts of the gateway are given: the web layer, limits, users' tokens.

Below each setting stand its unit and its reason, which docs/settings.md repeats.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from gateway.settings.hosts import Origin


class Group(BaseModel):
    """Settings that one part of the gateway is given; below each stand its unit and its reason."""

    model_config = ConfigDict(frozen=True, defer_build=True)


def constant(value: Any) -> Any:
    """A ceiling or a time that no operator has a reason to turn, so that no variable sets it.

    It stands among the settings for those who read both, and for tests that cannot wait.
    """
    return Field(value, exclude=True)


def comma_separated(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(filter(None, (one.strip() for one in text.split(","))))


def _words(value: object) -> object:
    return comma_separated(value) if isinstance(value, str) else value


_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
"""A field name of RFC 9110."""


def _checked_header(name: str) -> str:
    if _HEADER.fullmatch(name) is None:
        raise ValueError(f"must be names of headers separated by commas, got {name!r}")
    return name


Origins = Annotated[tuple[Origin, ...], BeforeValidator(_words)]
Headers = Annotated[
    tuple[Annotated[str, AfterValidator(_checked_header)], ...], BeforeValidator(_words)
]
"""In the environment each is one text, with commas between the words."""


class WebSettings(Group):
    """What HTTP, WebSocket and event streams are given."""

    ide: Literal["auto", "on", "off"] = "auto"
    """Whether browsers get the GraphiQL page: auto gives it while no callers are configured."""
    console: Literal["auto", "on", "off"] = "auto"
    """Whether browsers get the console at `/`: auto gives it while no callers are configured; with
    callers, on gives it with a field for the token."""
    allowed_origins: Origins = ()
    """Origins, separated by commas, whose pages may call the gateway and open WebSockets; its own
    pages always may."""
    allowed_headers: Headers = ()
    """Names of headers, separated by commas, that those pages may send besides the known ones of
    GraphQL clients and of tracing (Traceparent, Baggage, Sentry-Trace, X-Datadog-*, B3, Newrelic
    and the like)."""
    body_bytes_max: int = Field(100_000, ge=1_000)
    """Bytes of one request body; documents are a few kilobytes."""
    webhook_body_bytes_max: int = Field(32_000_000, ge=256_000)
    """Bytes of one webhook; the default is beyond what Stripe's own limits allow, and at most four
    above 256 kB are held at once."""
    frame_bytes_max: int = constant(100_000)
    """Bytes of one WebSocket message: the same operations, so the same ceiling."""
    head_timeout_seconds: float = Field(10.0, gt=0)
    """Seconds for the whole head of a request, and how long an idle connection is kept; behind a
    proxy that reuses connections longer than its own idle time."""
    read_timeout_seconds: float = Field(10.0, gt=0)
    """Seconds for a whole body; longer is a stuck or hostile sender."""
    init_timeout_seconds: float = Field(10.0, gt=0)
    """Seconds from the opened WebSocket to its `connection_init`."""
    operations_under_way_max: int = Field(4000, ge=1)
    """Operations over HTTP at once; beyond it is 503 with Retry-After."""
    operations_per_viewer_max: int = Field(1000, ge=1)
    """Those of one caller at once; beyond it is 429 with Retry-After."""
    operations_per_socket_max: int = constant(50)
    """Live operations on one WebSocket: more of them on one page is a leak in the page."""
    sockets_per_viewer_max: int = Field(50, ge=1)
    """WebSockets that one caller may hold; a client needs one."""
    sockets_unidentified_max: int = constant(1000)
    """WebSockets of all callers who have not said yet who they are, for which they have
    `init_timeout_seconds`."""
    streams_per_viewer_max: int = Field(50, ge=1)
    """Event streams over HTTP that one caller may hold at once."""
    mutations_under_way_max: int = constant(1000)
    """Mutations outlive their clients, so only this bounds how many one process carries."""
    stall_timeout_seconds: float = Field(5.0, gt=0)
    """Seconds until a peer that takes not one byte is aborted, so that memory stays flat."""
    socket_ping_seconds: float = constant(20.0)
    """Seconds between pings of a WebSocket, well under the idle time of common proxies (60 s); an
    unanswered ping ends the socket."""
    stream_ping_seconds: float = constant(15.0)
    """Seconds between comments on an event stream, as the HTML standard suggests."""
    close_timeout_seconds: float = constant(1.0)
    """Seconds that a peer may take to answer a closing frame."""
    check_timeout_seconds: float = constant(2.0)
    """Seconds of one check of readiness: probes commonly give up after a few."""
    shutdown_timeout_seconds: float = constant(25.0)
    """Seconds that a shutdown waits for mutations: below the 30 s that Kubernetes grants."""

    @property
    def gives_page(self) -> bool:
        """Whether browsers get the GraphiQL page."""
        return self.ide != "off"


ALWAYS_ENFORCED = frozenset(
    {"tokens", "nesting", "fields", "input_depth", "introspection_aliases", "comparisons"}
)
"""What protects the process itself, and is refused in warn mode too."""


class Limits(Group):
    """Ceilings for one document and its variables. Cost is counted in objects."""

    limits_mode: Literal["enforce", "warn"] = "enforce"
    """What happens to an operation beyond a limit: enforce refuses it; warn runs, logs and counts
    it. Tokens, fields and depth of input protect the process, as does a ceiling of 60 for nesting,
    and are always enforced."""
    tokens_max: int = Field(1000, ge=10, le=20_000)
    """Lexical tokens in one document; always enforced."""
    depth_max: int = Field(15, ge=1)
    """Levels of nesting in one document."""
    aliases_max: int = Field(15, ge=0)
    """Aliases in one document, fragments spread out."""
    root_fields_max: int = Field(25, ge=1)
    """Root fields of one operation, fragments spread out."""
    directives_per_location_max: int = constant(10)
    """Directives in one place of a document."""
    directives_max: int = constant(50)
    """Directives in one document, fragments spread out."""
    fields_max: int = Field(2000, ge=1)
    """Fields in one document, fragments spread out; always enforced."""
    input_depth_max: int = constant(10)
    """Lists and objects in each other, in an argument or a variable; always enforced. No input of
    the schema needs half of it."""
    cost_max: int = Field(5000, ge=1)
    """Objects that one operation may return at most, weighted."""

    def refuses(self, limit: str) -> bool:
        """Whether what exceeds this limit is refused, not only told."""
        return self.limits_mode == "enforce" or limit in ALWAYS_ENFORCED


ASYMMETRIC_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


class TokenSettings(Group):
    """What tokens must look like. Nothing of it is ever taken from a token."""

    jwt_secret: SecretStr | None = None
    """Secret of at least 32 bytes that signs users' tokens with HS256."""
    jwt_jwks_url: str | None = None
    """Where the key set of users' tokens is, if they are signed with RS256, ES256 or EdDSA; https,
    or http on this machine."""
    jwt_issuer: str | None = None
    """The `iss` that users' tokens must have."""
    jwt_audience: str | None = None
    """The `aud` that users' tokens must have."""
    jwt_leeway_seconds: int = Field(30, ge=0, le=600)
    """Seconds that the clocks of issuer and gateway may differ."""
    jwt_tenant_claim: str = ""
    """The claim that names a token's tenant; unset: its issuer and subject."""
    jwt_scopes_claim: str = "scope"
    """The claim with a token's scopes: a list, or words in one text."""
    jwt_customers_claim: str = "customers"
    """The claim that lists the customers a token may see, or holds "*" for all; a token without it
    is refused. Empty: tokens see all customers."""
    jwt_trusted_documents_only: bool = False
    """Whether users' tokens may run trusted documents only."""

    @property
    def has_tokens(self) -> bool:
        """Whether users' tokens are accepted."""
        return self.jwt_secret is not None or self.jwt_jwks_url is not None

    @property
    def jwt_algorithms(self) -> tuple[str, ...]:
        """With one secret a token is signed in one way, whatever else it claims."""
        return ("HS256",) if self.jwt_secret is not None else ASYMMETRIC_ALGORITHMS
