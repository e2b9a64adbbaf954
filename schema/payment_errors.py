"""Refusals as the API shows them: typed entries of a payload, each with a code."""

from __future__ import annotations

from typing import Any

import strawberry

from schema.fields import described, linked, optional
from schema.invoice import Invoice
from schema.ports import Link, RefusalCode, Refused

STATE = Link("invoice")
"""The invoice behind a StateProblem."""

UPSTREAM_CODES = frozenset(code for code in RefusalCode if code.value.startswith("UPSTREAM_"))
STATE_CODES = frozenset(
    {
        RefusalCode.STALE_PRECONDITION,
        RefusalCode.INVOICE_NOT_FINALIZED,
        RefusalCode.INVOICE_NOT_OPEN,
        RefusalCode.PAYMENT_ALREADY_ATTACHED,
        RefusalCode.PAYMENT_NOT_ATTACHED,
        RefusalCode.PAYMENT_IS_DEFAULT,
        RefusalCode.PAYMENT_INTENT_WRONG_STATE,
        RefusalCode.AMOUNT_TOO_LARGE,
    }
)


@strawberry.interface(
    description="A refusal that the caller can act on. `path` points into the input."
)
class PaymentError:
    code: RefusalCode = described("The rule that was broken.")
    message: str = described("What was wrong and what would be right.")
    path: list[str] | None = optional("Where in the input; null when no single field is at fault.")


@strawberry.type(description="What was sent cannot be accepted as it is.")
class InputProblem(PaymentError):
    pass


@strawberry.type(description="Stripe refused, or could not be reached.")
class UpstreamProblem(PaymentError):
    stripe_code: str | None = optional("Stripe's error code; null where it gave none.")
    stripe_request_id: str | None = optional(
        "For Stripe's support; null where there was no answer."
    )
    doc_url: str | None = optional("Stripe's page on the code.")
    retryable: bool = optional("True: repeat with the SAME idempotencyKey.", False)
    retry_after_seconds: int | None = optional(
        "How long to wait before that; null where nothing is known."
    )


@strawberry.type(description="The invoice or the payment is not in a state that allows it.")
class StateProblem(PaymentError):
    invoice_state: strawberry.Private[Any] = None

    invoice: Invoice | None = linked(
        "What it really is now, so the UI can refresh without a second query."
    )

    def child(self, _need: Link) -> Any:
        """What the link leads to, as `Loaded.child` has it."""
        if isinstance(self.invoice_state, Exception):
            raise self.invoice_state
        return self.invoice_state


def problem(refused: Refused, state: Any = None) -> PaymentError:
    """The entry of `errors` behind a refusal."""
    path = None if refused.path is None else list(refused.path)
    code = refused.code
    if refused.code in UPSTREAM_CODES:
        return UpstreamProblem(
            code=code,
            message=refused.message,
            path=path,
            stripe_code=refused.stripe_code,
            stripe_request_id=refused.stripe_request_id,
            doc_url=refused.doc_url,
            retryable=refused.retryable,
            retry_after_seconds=refused.retry_after_seconds,
        )
    if refused.code in STATE_CODES:
        return StateProblem(code=code, message=refused.message, path=path, invoice_state=state)
    return InputProblem(code=code, message=refused.message, path=path)
