"""How a call fails: broken calls, and writes that are refused by a rule. Plain."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any


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
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
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


class Deleted(Failed):
    """An object that was there and is deleted. Whoever asks for it by its id is told so; where
    another object points to it there is a null, and nobody has failed."""

    def __init__(self, kind: str, object_id: str) -> None:
        super().__init__(ErrorCode.NOT_FOUND, f"no such {kind}: {object_id} was deleted")
        self.kind = kind
        self.id = object_id


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


@dataclass(eq=False, repr=False)
class Refused(Exception):
    """A write that was refused, named by the rule it broke. Nothing has changed.

    The one exception is UPSTREAM_OUTCOME_UNKNOWN: perhaps done, repeat with the same key.
    `path` points into the mutation's input; `invoice_id` names the invoice whose present state
    explains the refusal. `settles`: whoever holds the idempotency keys has said no to this very
    one, so that no earlier try with it was done either. `looked`: the outcome is unknown although
    the state was read, and shows nothing of it.
    """

    code: RefusalCode
    rule: str
    message: str
    _: KW_ONLY
    path: tuple[str, ...] | None = None
    invoice_id: str | None = None
    stripe_code: str | None = None
    stripe_request_id: str | None = None
    doc_url: str | None = None
    retryable: bool = False
    retry_after_seconds: int | None = None
    settles: bool = False
    looked: bool = False

    def __post_init__(self) -> None:
        super().__init__(self.message)
