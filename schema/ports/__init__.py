"""What the contract asks of whoever supplies it: reads, writes, the event log, and their refusals.

Everything here is plain: no GraphQL, no Stripe, no I/O. All of it is imported from here.
"""

from schema.ports.events import (
    EventFilter,
    EventOrigin,
    EventPage,
    EventStream,
    EventType,
    GapReason,
    InvoicePaymentEvent,
    StreamCheckpoint,
    StreamGap,
    StreamItem,
)
from schema.ports.failures import (
    PRECEDENCE,
    Deleted,
    ErrorCode,
    Failed,
    RefusalCode,
    Refused,
    bad_input,
)
from schema.ports.read_port import (
    ALWAYS,
    NODES_MAX,
    PAGE_SIZE_DEFAULT,
    PAGE_SIZE_MAX,
    ROOT,
    BackendDescription,
    BackendKind,
    ById,
    Capability,
    Computed,
    Cursor,
    EventListing,
    Link,
    ListFilter,
    Listing,
    Loaded,
    LoadedPage,
    Need,
    Needs,
    Page,
    Reads,
    TimeRange,
    list_digest,
    root_needs,
)
from schema.ports.viewer import SCOPES, UPSTREAM_CALLS_MAX, Meter, Viewer
from schema.ports.write_port import (
    GATEWAY_KEY,
    IDEMPOTENCY_KEY_LENGTH_MAX,
    METADATA_ENTRIES_MAX,
    METADATA_KEY_LENGTH_MAX,
    METADATA_VALUE_LENGTH_MAX,
    Attached,
    AttachPayment,
    Command,
    CreateCreditNote,
    CreditNoteCreated,
    CreditNoteDraft,
    CreditNoteVoided,
    Detached,
    DetachPayment,
    Outcome,
    OutOfBandPayment,
    VoidCreditNote,
    Writes,
)
