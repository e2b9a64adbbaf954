"""Attach, detach and credit: inputs, payloads, and the refusals that a caller can act on.

A refusal is data: an entry of `errors`. A malformed input is a broken call and a GraphQL error.
The answer's objects are read after the write, through the same plan and load as any query.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import strawberry

from schema.context import Context
from schema.credit_note import CreditNote, CreditNoteInput, credit_note_draft
from schema.fields import field, plain
from schema.invoice import Invoice
from schema.invoice_payment import InvoicePayment
from schema.needs import Loaded, Needs, root_needs
from schema.node import checked_id
from schema.payment_intent import PaymentIntent
from schema.permissions import require_for_write
from schema.ports import (
    IDEMPOTENCY_KEY_LENGTH_MAX,
    Attached,
    AttachPayment,
    ById,
    CreateCreditNote,
    CreditNoteCreated,
    Detached,
    DetachPayment,
    Link,
    Need,
    OutOfBandPayment,
    RefusalCode,
    Refused,
    bad_input,
)
from schema.scalars import CurrencyCode, DateTime, MinorUnits

INVOICE = Link("invoice")
INVOICE_PAYMENT = Link("invoice_payment")
PAYMENT_INTENT = Link("payment_intent")
NEW_DEFAULT_PAYMENT = Link("new_default_payment")
CREDIT_NOTE = Link("credit_note")
STATE = Link("state")
"""The invoice behind a StateProblem."""

METADATA_ENTRIES_MAX = 50
METADATA_KEY_LENGTH_MAX = 40
METADATA_VALUE_LENGTH_MAX = 500
"""Stripe's limits for metadata (https://docs.stripe.com/api/metadata)."""

REFERENCE_LENGTH_MAX = 5000

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


def need_of(need: Need) -> Callable[[], Need]:
    def constant() -> Need:
        return need

    return constant


@strawberry.input(description="One key and value of metadata.")
class MetadataInput:
    key: str = strawberry.field(description="1 to 40 characters.")
    value: str = strawberry.field(description="At most 500 characters.")


@strawberry.input(description="The facts of a payment made elsewhere.")
class OutOfBandPaymentInput:
    amount_minor_units: MinorUnits = strawberry.field(description="What was paid; above zero.")
    currency: CurrencyCode = strawberry.field(description="Must be the invoice's currency.")
    paid_at: DateTime = strawberry.field(
        description="When it was paid; part of what a retry must repeat."
    )
    reference: str | None = strawberry.field(
        default=None, description="Number of the transfer, the cheque or the like."
    )
    metadata: list[MetadataInput] | None = strawberry.field(
        default=None, description="At most 50 entries."
    )


@strawberry.input(
    one_of=True,
    description="Exactly one: an intent, a payment record already reported to Stripe, or the facts "
    "of a payment made elsewhere.",
)
class PaymentRef:
    payment_intent_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="A PaymentIntent (pi_)."
    )
    payment_record_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="A payment record (pr_) that Stripe knows already."
    )
    out_of_band: OutOfBandPaymentInput | None = strawberry.field(
        default=strawberry.UNSET, description="A payment that Stripe is to be told about now."
    )


@strawberry.input(description="Attach a payment to an invoice.")
class AttachPaymentInput:
    invoice_id: strawberry.ID = strawberry.field(description="An open or uncollectible invoice.")
    payment: PaymentRef = strawberry.field(description="What pays.")
    amount_requested_minor_units: MinorUnits | None = strawberry.field(
        default=None,
        description="Share of the payment to apply to this invoice; the whole of it when absent. "
        "Preview in Stripe.",
    )
    idempotency_key: str = strawberry.field(
        description="Chosen by the caller for this one attempt; repeat it to retry. 1 to 255 "
        "characters."
    )


@strawberry.input(description="Detach a PaymentIntent from an invoice.")
class DetachPaymentInput:
    invoice_id: strawberry.ID = strawberry.field(description="The invoice it pays.")
    payment_intent_id: strawberry.ID = strawberry.field(description="The intent to be freed.")
    idempotency_key: str = strawberry.field(
        description="Chosen by the caller for this one attempt; repeat it to retry. 1 to 255 "
        "characters."
    )
    if_amount_paid_minor_units: MinorUnits | None = strawberry.field(
        default=None,
        description="Refuse when the invoice moved on since the caller last read it: checked by a "
        "fresh read just before (Stripe has no conditional write).",
    )


@strawberry.input(description="Issue a credit note.")
class CreateCreditNoteInput:
    credit_note: CreditNoteInput = strawberry.field(description="What is to be issued.")
    idempotency_key: str = strawberry.field(
        description="Chosen by the caller for this one attempt; repeat it to retry. 1 to 255 "
        "characters."
    )


@strawberry.interface(
    description="A refusal that the caller can act on. `path` points into the input."
)
class PaymentError:
    code: RefusalCode = strawberry.field(description="The rule that was broken.")
    message: str = strawberry.field(description="What was wrong and what would be right.")
    path: list[str] | None = strawberry.field(
        default=None, description="Where in the input; null when no single field is at fault."
    )


@strawberry.type(description="What was sent cannot be accepted as it is.")
class InputProblem(PaymentError):
    pass


@strawberry.type(description="Stripe refused, or could not be reached.")
class UpstreamProblem(PaymentError):
    stripe_code: str | None = strawberry.field(
        default=None, description="Stripe's error code; null where it gave none."
    )
    stripe_request_id: str | None = strawberry.field(
        default=None, description="For Stripe's support; null where there was no answer."
    )
    doc_url: str | None = strawberry.field(default=None, description="Stripe's page on the code.")
    retryable: bool = strawberry.field(
        default=False, description="True: repeat with the SAME idempotencyKey."
    )
    retry_after_seconds: int | None = strawberry.field(
        default=None, description="How long to wait before that; null where nothing is known."
    )


@strawberry.type(description="The invoice or the payment is not in a state that allows it.")
class StateProblem(PaymentError):
    invoice_state: strawberry.Private[Any] = None

    @field(
        "What it really is now, so the UI can refresh without a second query.",
        needs=need_of(STATE),
    )
    def invoice(self) -> Invoice | None:
        if isinstance(self.invoice_state, Exception):
            raise self.invoice_state
        return self.invoice_state  # type: ignore[no-any-return]


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


class Outcome:
    """What stands behind a payload: the objects read after the write, or the refusal."""

    def __init__(
        self, objects: dict[Link, Any], errors: list[PaymentError], replayed: bool, **ids: Any
    ) -> None:
        self.objects = objects
        self.errors = errors
        self.replayed = replayed
        self.detached_invoice_payment_id = ids.get("detached_invoice_payment_id")

    def child(self, need: Link) -> Any:
        value = self.objects.get(need)
        if isinstance(value, Exception):
            raise value
        return value


ERRORS = "Why nothing was done; empty on success."
REPLAYED = (
    "True when an earlier call with the same key already had this outcome; the objects are as "
    "they are now."
)


@strawberry.type(description="What attaching did.")
class AttachPaymentPayload:
    @field("The invoice after the change; null on refusal.", needs=need_of(INVOICE))
    @staticmethod
    def invoice(parent: strawberry.Parent[Any]) -> Invoice | None:
        return parent.child(INVOICE)  # type: ignore[no-any-return]

    @field(
        "The new link; null on refusal, or once it is detached again.",
        needs=need_of(INVOICE_PAYMENT),
    )
    @staticmethod
    def invoice_payment(parent: strawberry.Parent[Any]) -> InvoicePayment | None:
        return parent.child(INVOICE_PAYMENT)  # type: ignore[no-any-return]

    errors: list[PaymentError] = plain(ERRORS)
    replayed: bool = plain(REPLAYED)


@strawberry.type(description="What detaching did.")
class DetachPaymentPayload:
    @field(
        "The invoice after the change: reopened where a balance came back.",
        needs=need_of(INVOICE),
    )
    @staticmethod
    def invoice(parent: strawberry.Parent[Any]) -> Invoice | None:
        return parent.child(INVOICE)  # type: ignore[no-any-return]

    @field("The freed intent, ready for another invoice.", needs=need_of(PAYMENT_INTENT))
    @staticmethod
    def payment_intent(parent: strawberry.Parent[Any]) -> PaymentIntent | None:
        return parent.child(PAYMENT_INTENT)  # type: ignore[no-any-return]

    detached_invoice_payment_id: strawberry.ID | None = plain(
        "Id of the link that is gone; null on refusal."
    )

    @field(
        "The default payment that took over the reopened balance, where there is one.",
        needs=need_of(NEW_DEFAULT_PAYMENT),
    )
    @staticmethod
    def new_default_payment(parent: strawberry.Parent[Any]) -> InvoicePayment | None:
        return parent.child(NEW_DEFAULT_PAYMENT)  # type: ignore[no-any-return]

    errors: list[PaymentError] = plain(ERRORS)
    replayed: bool = plain(REPLAYED)


@strawberry.type(description="What issuing a credit note did.")
class CreateCreditNotePayload:
    @field("The credit note; null on refusal.", needs=need_of(CREDIT_NOTE))
    @staticmethod
    def credit_note(parent: strawberry.Parent[Any]) -> CreditNote | None:
        return parent.child(CREDIT_NOTE)  # type: ignore[no-any-return]

    @field("The invoice after the change; null on refusal.", needs=need_of(INVOICE))
    @staticmethod
    def invoice(parent: strawberry.Parent[Any]) -> Invoice | None:
        return parent.child(INVOICE)  # type: ignore[no-any-return]

    errors: list[PaymentError] = plain(ERRORS)
    replayed: bool = plain(REPLAYED)


def checked_key(key: str) -> str:
    """Raises `Failed` BAD_USER_INPUT."""
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH_MAX:
        raise bad_input(
            f"input.idempotencyKey must have 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} characters, "
            f"got {len(key)}"
        )
    if not key.isprintable():
        raise bad_input("input.idempotencyKey must be printable characters, without line breaks")
    return key


def attach_command(given: AttachPaymentInput) -> AttachPayment:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    ref = given.payment
    intent, record = ref.payment_intent_id or None, ref.payment_record_id or None
    if intent is not None:
        checked_id("PaymentIntent", intent, "input.payment.paymentIntentId")
    if record is not None:
        checked_id("PaymentRecord", record, "input.payment.paymentRecordId")
    outside = ref.out_of_band or None
    if (intent, record, outside) == (None, None, None):
        raise bad_input("input.payment must name one payment; an empty id names none")
    return AttachPayment(
        invoice_id=checked_id("Invoice", given.invoice_id, "input.invoiceId"),
        idempotency_key=checked_key(given.idempotency_key),
        payment_intent_id=intent,
        payment_record_id=record,
        out_of_band=None if outside is None else _out_of_band(outside),
        amount_requested=given.amount_requested_minor_units,
    )


def _out_of_band(given: OutOfBandPaymentInput) -> OutOfBandPayment:
    entries = given.metadata or []
    where = "input.payment.outOfBand"
    if len(entries) > METADATA_ENTRIES_MAX:
        raise bad_input(f"{where}.metadata must have at most {METADATA_ENTRIES_MAX} entries")
    for entry in entries:
        if not 1 <= len(entry.key) <= METADATA_KEY_LENGTH_MAX:
            raise bad_input(
                f"{where}.metadata keys must have 1 to {METADATA_KEY_LENGTH_MAX} characters"
            )
        if len(entry.value) > METADATA_VALUE_LENGTH_MAX:
            raise bad_input(
                f"{where}.metadata values must have at most {METADATA_VALUE_LENGTH_MAX} characters"
            )
    if given.reference is not None and len(given.reference) > REFERENCE_LENGTH_MAX:
        raise bad_input(f"{where}.reference must have at most {REFERENCE_LENGTH_MAX} characters")
    return OutOfBandPayment(
        amount=given.amount_minor_units,
        currency=given.currency.lower(),
        paid_at=given.paid_at,
        reference=given.reference,
        metadata=tuple((entry.key, entry.value) for entry in entries),
    )


def detach_command(given: DetachPaymentInput) -> DetachPayment:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    return DetachPayment(
        invoice_id=checked_id("Invoice", given.invoice_id, "input.invoiceId"),
        payment_intent_id=checked_id(
            "PaymentIntent", given.payment_intent_id, "input.paymentIntentId"
        ),
        idempotency_key=checked_key(given.idempotency_key),
        if_amount_paid=given.if_amount_paid_minor_units,
    )


def credit_note_command(given: CreateCreditNoteInput) -> CreateCreditNote:
    """Raises `Failed` BAD_USER_INPUT, naming the argument."""
    return CreateCreditNote(
        draft=credit_note_draft(given.credit_note),
        idempotency_key=checked_key(given.idempotency_key),
    )


Done = TypeVar("Done", Attached, Detached, CreditNoteCreated)


async def _answer(
    context: Context,
    wanted: Needs,
    payload: str,
    scope: str,
    write: Callable[[], Awaitable[Done]],
    objects_of: Callable[[Done], dict[Link, ById | None]],
) -> tuple[Outcome, Done | None]:
    """Write, then read what the payload asks for; or the refusal with the state behind it."""
    try:
        require_for_write(context.viewer, scope)
        done = await write()
    except Refused as refused:
        state = await _state(context, wanted, refused)
        return Outcome({}, [problem(refused, state)], False), None
    objects = await _read(context, wanted.of(payload), objects_of(done))
    return Outcome(objects, [], done.replayed), done


async def _read(context: Context, wanted: Any, targets: dict[Link, ById | None]) -> dict[Link, Any]:
    pairs = [
        (link, target, wanted[link])
        for link, target in targets.items()
        if target is not None and link in wanted
    ]
    root: Loaded[Any] = await context.load(
        root_needs((target, deeper) for _, target, deeper in pairs)
    )
    return {link: root.children[target] for link, target, _ in pairs}


async def _state(context: Context, wanted: Needs, refused: Refused) -> Any:
    state_needs = wanted.of("StateProblem")
    if refused.code not in STATE_CODES or refused.invoice_id is None or STATE not in state_needs:
        return None
    target = ById("Invoice", refused.invoice_id)
    return (await _read(context, state_needs, {STATE: target})).get(STATE)


async def attach_payment(context: Context, given: AttachPaymentInput, wanted: Needs) -> Outcome:
    command = attach_command(given)

    def objects(done: Attached) -> dict[Link, ById | None]:
        return {
            INVOICE: ById("Invoice", done.invoice_id),
            INVOICE_PAYMENT: ById("InvoicePayment", done.invoice_payment_id, quiet=True),
        }

    outcome, _ = await _answer(
        context,
        wanted,
        "AttachPaymentPayload",
        "payments:write",
        lambda: context.backend.attach_payment(context.viewer, command),
        objects,
    )
    return outcome


async def detach_payment(context: Context, given: DetachPaymentInput, wanted: Needs) -> Outcome:
    command = detach_command(given)

    def objects(done: Detached) -> dict[Link, ById | None]:
        default = done.new_default_payment_id
        return {
            INVOICE: ById("Invoice", done.invoice_id),
            PAYMENT_INTENT: ById("PaymentIntent", done.payment_intent_id),
            NEW_DEFAULT_PAYMENT: (
                None if default is None else ById("InvoicePayment", default, quiet=True)
            ),
        }

    outcome, done = await _answer(
        context,
        wanted,
        "DetachPaymentPayload",
        "payments:write",
        lambda: context.backend.detach_payment(context.viewer, command),
        objects,
    )
    outcome.detached_invoice_payment_id = None if done is None else done.invoice_payment_id
    return outcome


async def create_credit_note(
    context: Context, given: CreateCreditNoteInput, wanted: Needs
) -> Outcome:
    command = credit_note_command(given)

    def objects(done: CreditNoteCreated) -> dict[Link, ById | None]:
        return {
            CREDIT_NOTE: ById("CreditNote", done.credit_note_id),
            INVOICE: ById("Invoice", done.invoice_id),
        }

    outcome, _ = await _answer(
        context,
        wanted,
        "CreateCreditNotePayload",
        "credit_notes:write",
        lambda: context.backend.create_credit_note(context.viewer, command),
        objects,
    )
    return outcome
