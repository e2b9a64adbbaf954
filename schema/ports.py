"""What the contract asks of whoever supplies it: reads, writes, the event log, and their refusals.

Everything here is plain: no GraphQL, no Stripe, no I/O. The docstrings of the protocols are the
contract suite in prose; `tests/contract` is the same in code and runs over every backend.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from schema.needs import Loaded, Needs

SCOPES = (
    "invoices:read",
    "payments:write",
    "credit_notes:write",
    "events:read",
    "schema:introspect",
)
"""Every right a caller can hold."""

PAGE_SIZE_MAX = 100
"""Stripe serves at most 100 objects a page."""
PAGE_SIZE_DEFAULT = 10
IDEMPOTENCY_KEY_LENGTH_MAX = 255
"""Stripe's own limit for an Idempotency-Key, in characters."""
NODES_MAX = 50
"""Each id of `nodes` can cost one call upstream."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. `tenant` is a stable id, never a display name or a token.

    `customers` limits the viewer to objects of these customers; None means all of them.
    """

    tenant: str
    scopes: frozenset[str] = frozenset(SCOPES)
    customers: frozenset[str] | None = None

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def may_introspect(self) -> bool:
        return "schema:introspect" in self.scopes

    def sees(self, customer_id: str | None) -> bool:
        """Whether objects of this customer are the viewer's; nobody's objects are for all-seers."""
        return self.customers is None or customer_id in self.customers


class ErrorCode(enum.StrEnum):
    """The closed list of `extensions.code`; a broken call, in contrast to a refusal."""

    BAD_USER_INPUT = "BAD_USER_INPUT"
    CURSOR_GONE = "CURSOR_GONE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    PERSISTED_DOCUMENT_NOT_FOUND = "PERSISTED_DOCUMENT_NOT_FOUND"
    RATE_LIMITED = "RATE_LIMITED"
    TIMEOUT = "TIMEOUT"
    UPSTREAM_RATE_LIMITED = "UPSTREAM_RATE_LIMITED"
    UPSTREAM_TIMEOUT = "UPSTREAM_TIMEOUT"
    UPSTREAM_ERROR = "UPSTREAM_ERROR"
    UPSTREAM_BUDGET_EXCEEDED = "UPSTREAM_BUDGET_EXCEEDED"
    READ_ONLY = "READ_ONLY"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


class Failed(Exception):
    """A read that could not be answered: one null and one error at its own path.

    graphql-core copies `extensions` of an original error into the answer.
    """

    def __init__(self, code: ErrorCode, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extensions: Mapping[str, Any] = {"code": code.value, **details}


def bad_input(message: str) -> Failed:
    """A call that was not well formed; the message names the argument and what would be right."""
    return Failed(ErrorCode.BAD_USER_INPUT, message)


class RefusalCode(enum.StrEnum):
    """`PaymentErrorCode`, in order of precedence: where two rules are broken, the first is named.

    Idempotency comes before everything that looks at the objects, because a known key skips the
    checks; existence before state; state before what was asked; the upstream's own answers last.
    """

    FORBIDDEN = "FORBIDDEN"
    READ_ONLY = "READ_ONLY"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    IDEMPOTENCY_IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"
    UNSUPPORTED_BY_BACKEND = "UNSUPPORTED_BY_BACKEND"
    NOT_FOUND = "NOT_FOUND"
    STALE_PRECONDITION = "STALE_PRECONDITION"
    INVOICE_NOT_FINALIZED = "INVOICE_NOT_FINALIZED"
    INVOICE_NOT_OPEN = "INVOICE_NOT_OPEN"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    CUSTOMER_MISMATCH = "CUSTOMER_MISMATCH"
    PAYMENT_ALREADY_ATTACHED = "PAYMENT_ALREADY_ATTACHED"
    PAYMENT_NOT_ATTACHED = "PAYMENT_NOT_ATTACHED"
    PAYMENT_IS_DEFAULT = "PAYMENT_IS_DEFAULT"
    PAYMENT_INTENT_WRONG_STATE = "PAYMENT_INTENT_WRONG_STATE"
    AMOUNT_INVALID = "AMOUNT_INVALID"
    AMOUNT_TOO_LARGE = "AMOUNT_TOO_LARGE"
    UPSTREAM_REJECTED = "UPSTREAM_REJECTED"
    UPSTREAM_RATE_LIMITED = "UPSTREAM_RATE_LIMITED"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    UPSTREAM_OUTCOME_UNKNOWN = "UPSTREAM_OUTCOME_UNKNOWN"


PRECEDENCE: tuple[RefusalCode, ...] = tuple(RefusalCode)


class Refused(Exception):
    """A write that was refused, named by the rule it broke. Nothing has changed.

    The one exception is UPSTREAM_OUTCOME_UNKNOWN: perhaps done, repeat with the same key.
    `path` points into the mutation's input; `invoice_id` names the invoice whose present state
    explains the refusal.
    """

    def __init__(
        self,
        code: RefusalCode,
        rule: str,
        message: str,
        *,
        path: tuple[str, ...] | None = None,
        invoice_id: str | None = None,
        stripe_code: str | None = None,
        stripe_request_id: str | None = None,
        doc_url: str | None = None,
        retryable: bool = False,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.rule = rule
        self.message = message
        self.path = path
        self.invoice_id = invoice_id
        self.stripe_code = stripe_code
        self.stripe_request_id = stripe_request_id
        self.doc_url = doc_url
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in one particular list: after (or before) this object."""

    list_digest: str
    object_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted; newest first, `last` counts from the `before` cursor."""

    first: int | None = PAGE_SIZE_DEFAULT
    after: Cursor | None = None
    last: int | None = None
    before: Cursor | None = None

    @property
    def size(self) -> int:
        size = self.first if self.first is not None else self.last
        return PAGE_SIZE_DEFAULT if size is None else size


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Epoch seconds, both ends included; None is open."""

    start: int | None = None
    end: int | None = None

    def holds(self, instant: int | None) -> bool:
        if instant is None:
            return self.start is None and self.end is None
        return (self.start is None or instant >= self.start) and (
            self.end is None or instant <= self.end
        )


ALWAYS = TimeRange()


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What the members of a list have in common; None and empty mean no restriction."""

    customer_id: str | None = None
    invoice_id: str | None = None
    payment_intent_id: str | None = None
    payment_record_id: str | None = None
    subscription_id: str | None = None
    collection_method: str | None = None
    statuses: tuple[str, ...] = ()
    created: TimeRange = ALWAYS
    due: TimeRange = ALWAYS
    attachable_to: str | None = None


@dataclass(frozen=True, slots=True)
class ById:
    """Need of one object by its id. `kind` is the record's class name."""

    kind: str
    id: str
    quiet: bool = False
    """True where the unknown is a plain null (`nodes`), and not an error."""


@dataclass(frozen=True, slots=True)
class Link:
    """Need of the one object that a field of the parent record points to."""

    name: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Need of one page of a list, at the root or below a parent record."""

    name: str
    page: Page = Page()
    where: ListFilter = ListFilter()


@dataclass(frozen=True, slots=True)
class Computed:
    """Need of a value that the backend works out: ledger arithmetic, a secret, a preview."""

    name: str
    argument: CreditNoteDraft | None = None


@dataclass(frozen=True, slots=True)
class EventListing:
    """Need of one page of the event log; served by the EventStream, not by the backend."""

    first: int
    after: str | None
    where: EventFilter


Need = ById | Link | Listing | Computed | EventListing
"""One thing that must be loaded; hashable, so that equal needs are loaded once."""


def list_digest(name: str, parent_id: str | None, where: ListFilter) -> str:
    """The identity of a list, as it stands in its cursors."""
    text = f"{name}|{parent_id}|{where!r}"
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class OutOfBandPayment:
    """The facts of a payment made elsewhere; `paid_at` in epoch seconds."""

    amount: int
    currency: str
    paid_at: int
    reference: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AttachPayment:
    """Attach exactly one of the three sources. `amount_requested` None means the whole of it."""

    invoice_id: str
    idempotency_key: str
    payment_intent_id: str | None = None
    payment_record_id: str | None = None
    out_of_band: OutOfBandPayment | None = None
    amount_requested: int | None = None


@dataclass(frozen=True, slots=True)
class DetachPayment:
    """Detach one PaymentIntent; `if_amount_paid` refuses when the invoice has moved on."""

    invoice_id: str
    payment_intent_id: str
    idempotency_key: str
    if_amount_paid: int | None = None


@dataclass(frozen=True, slots=True)
class CreditNoteDraft:
    """A credit note to be issued or previewed; amounts in the invoice's smallest unit."""

    invoice_id: str
    amount: int
    reason: str | None = None
    memo: str | None = None
    refund: int | None = None
    credit: int | None = None
    out_of_band: int | None = None


@dataclass(frozen=True, slots=True)
class CreateCreditNote:
    draft: CreditNoteDraft
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Attached:
    invoice_id: str
    invoice_payment_id: str
    customer_id: str | None
    payment_intent_id: str | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Detached:
    invoice_id: str
    invoice_payment_id: str
    customer_id: str | None
    payment_intent_id: str
    new_default_payment_id: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class CreditNoteCreated:
    invoice_id: str
    credit_note_id: str
    customer_id: str | None
    replayed: bool = False


class Capability(enum.StrEnum):
    ATTACH_PAYMENT_INTENT = "ATTACH_PAYMENT_INTENT"
    ATTACH_PAYMENT_RECORD = "ATTACH_PAYMENT_RECORD"
    ATTACH_OUT_OF_BAND = "ATTACH_OUT_OF_BAND"
    DETACH = "DETACH"
    CREDIT_NOTE = "CREDIT_NOTE"
    EVENT_REPLAY = "EVENT_REPLAY"


class BackendKind(enum.StrEnum):
    STRIPE = "STRIPE"
    MEMORY = "MEMORY"


@dataclass(frozen=True, slots=True)
class BackendDescription:
    """What a deployment is. `account` names the Stripe account in keys and log entries."""

    kind: BackendKind
    account: str
    livemode: bool
    stripe_api_version: str | None
    capabilities: frozenset[Capability]


class InvoiceBackend(Protocol):
    """Invoices and their payments, wherever they live.

    Every method takes the viewer and shows nothing that is not theirs: what belongs to another
    customer is NOT_FOUND, exactly like what does not exist.
    """

    def describe(self) -> BackendDescription:
        """What this backend is and can do. Never blocks."""
        ...

    async def load(self, viewer: Viewer, needs: Needs) -> Loaded[Any]:
        """Answer all needs, with the fewest upstream calls it can.

        The answer has the shape of the needs. What could not be fetched is a `Failed` in its
        place and never an exception from here. Reads only; safe to repeat; two calls may see
        different states, but never one older than a write or an event that was announced before.
        """
        ...

    async def attach_payment(self, viewer: Viewer, command: AttachPayment) -> Attached:
        """Attach a payment to an invoice; it counts at once if it has already succeeded.

        Raises `Refused`. Writes on one invoice end as some serial order of them. A repeat with
        the same key and input answers the first outcome with `replayed`, and changes nothing;
        with other input it is refused with IDEMPOTENCY_KEY_REUSED.
        """
        ...

    async def detach_payment(self, viewer: Viewer, command: DetachPayment) -> Detached:
        """Free a PaymentIntent from an invoice; a paid invoice reopens if a balance comes back.

        Raises `Refused`. Serial order and repeats as for `attach_payment`.
        """
        ...

    async def create_credit_note(
        self, viewer: Viewer, command: CreateCreditNote
    ) -> CreditNoteCreated:
        """Issue a credit note: first it lowers the balance, the rest is settled as asked.

        Raises `Refused`. Serial order and repeats as for `attach_payment`.
        """
        ...

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
        ...


class EventType(enum.StrEnum):
    ATTACHED = "ATTACHED"
    PAID = "PAID"
    DETACHED = "DETACHED"
    CANCELED = "CANCELED"
    OVERPAID = "OVERPAID"
    INVOICE_CHANGED = "INVOICE_CHANGED"


class EventOrigin(enum.StrEnum):
    WEBHOOK = "WEBHOOK"
    MUTATION = "MUTATION"
    RECONCILED = "RECONCILED"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Empty means no restriction; the three restrict together."""

    invoice_ids: frozenset[str] = frozenset()
    customer_ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InvoicePaymentEvent:
    """One entry of the log as one viewer may see it; the ids are facts, the objects are re-read."""

    cursor: str
    type: str
    raw_type: str
    origin: str
    occurred_at: int
    invoice_id: str
    source_event_id: str | None = None
    customer_id: str | None = None
    invoice_payment_id: str | None = None
    payment_intent_id: str | None = None
    idempotency_key: str | None = None


class GapReason(enum.StrEnum):
    RETENTION = "RETENTION"
    SLOW_CONSUMER = "SLOW_CONSUMER"
    UNKNOWN_CURSOR = "UNKNOWN_CURSOR"


@dataclass(frozen=True, slots=True)
class StreamCheckpoint:
    """Everything up to `cursor` has been delivered; `live` once the backlog is through."""

    cursor: str
    live: bool


@dataclass(frozen=True, slots=True)
class StreamGap:
    """History between the two positions is gone; refetch, then go on from `resumes_at`."""

    after: str | None
    resumes_at: str
    reason: GapReason


StreamItem = InvoicePaymentEvent | StreamCheckpoint | StreamGap


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in log order, oldest first. `end` is where to go on when there are none."""

    events: tuple[InvoicePaymentEvent, ...]
    end: str
    has_next: bool
    has_previous: bool


class EventStream(Protocol):
    """The log of invoice payment events: one total order, the same for everybody.

    A cursor is a position and not a right: every item is checked against the viewer.
    """

    def position(self) -> str:
        """The cursor up to which this replica has dropped what its cache held. Never blocks.

        An object looked up after this was sampled has everything up to it folded in.
        """
        ...

    async def oldest(self) -> str | None:
        """How far back a cursor can resume; None while the log is empty."""
        ...

    async def page(
        self, viewer: Viewer, *, first: int, after: str | None, where: EventFilter
    ) -> EventPage:
        """Read up to `first` events after a cursor. Raises `Failed` CURSOR_GONE, BAD_USER_INPUT."""
        ...

    def subscribe(
        self, viewer: Viewer, *, after: str | None, where: EventFilter
    ) -> AsyncGenerator[StreamItem, None]:
        """A checkpoint that is true, then the backlog after `after`, then live; nothing twice.

        Without `after` it starts now. A cursor that the log no longer holds gives a `StreamGap`.
        A reader that falls behind gets `StreamGap` SLOW_CONSUMER and the end.
        """
        ...
