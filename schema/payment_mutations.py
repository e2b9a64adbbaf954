"""Attach, detach and credit: inputs, payloads, and the refusals that a caller can act on.

A refusal is data: an entry of `errors`. A malformed input is a broken call and a GraphQL error.
The answer's objects are read after the write, through the same plan and load as any query.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import strawberry

from schema.context import Context
from schema.credit_note import CreditNote
from schema.fields import linked, plain
from schema.invoice import Invoice
from schema.invoice_payment import InvoicePayment
from schema.payment_errors import STATE, STATE_CODES, PaymentError, problem
from schema.payment_inputs import (
    AttachPaymentInput,
    CreateCreditNoteInput,
    DetachPaymentInput,
    attach_command,
    credit_note_command,
    detach_command,
)
from schema.payment_intent import PaymentIntent
from schema.ports import (
    Attached,
    ById,
    CreditNoteCreated,
    Detached,
    Link,
    Loaded,
    Needs,
    Refused,
    root_needs,
)

INVOICE = Link("invoice")


INVOICE_PAYMENT = Link("invoice_payment")


PAYMENT_INTENT = Link("payment_intent")


NEW_DEFAULT_PAYMENT = Link("new_default_payment")


CREDIT_NOTE = Link("credit_note")


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
    errors: list[PaymentError] = plain(ERRORS)
    replayed: bool = plain(REPLAYED)
    invoice: Invoice | None = linked("The invoice after the change; null on refusal.")
    invoice_payment: InvoicePayment | None = linked(
        "The new link; null on refusal, or once it is detached again."
    )


@strawberry.type(description="What detaching did.")
class DetachPaymentPayload:
    detached_invoice_payment_id: strawberry.ID | None = plain(
        "Id of the link that is gone; null on refusal."
    )
    errors: list[PaymentError] = plain(ERRORS)
    replayed: bool = plain(REPLAYED)
    invoice: Invoice | None = linked(
        "The invoice after the change: reopened where a balance came back."
    )
    payment_intent: PaymentIntent | None = linked("The freed intent, ready for another invoice.")
    new_default_payment: InvoicePayment | None = linked(
        "The default payment that took over the reopened balance, where there is one."
    )


@strawberry.type(description="What issuing a credit note did.")
class CreateCreditNotePayload:
    errors: list[PaymentError] = plain(ERRORS)
    replayed: bool = plain(REPLAYED)
    credit_note: CreditNote | None = linked("The credit note; null on refusal.")
    invoice: Invoice | None = linked("The invoice after the change; null on refusal.")


Done = TypeVar("Done", Attached, Detached, CreditNoteCreated)


async def _answer(
    context: Context,
    wanted: Needs,
    payload: str,
    write: Callable[[], Awaitable[Done]],
    objects_of: Callable[[Done], dict[Link, ById | None]],
) -> tuple[Outcome, Done | None]:
    """Write, then read what the payload asks for; or the refusal with the state behind it."""
    try:
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
        lambda: context.backend.create_credit_note(context.viewer, command),
        objects,
    )
    return outcome
