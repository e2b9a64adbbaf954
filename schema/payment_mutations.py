"""Attach, detach and credit: inputs, payloads, and the refusals that a caller can act on.

A refusal is data: an entry of `errors`. A malformed input is a broken call and a GraphQL error.
The answer's objects are read after the write, through the same plan and load as any query.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import strawberry

from schema.context import Context, Info, field_needs
from schema.credit_note import CreditNote
from schema.fields import field, linked, plain
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
    Command,
    CreditNoteCreated,
    Detached,
    Link,
    Loaded,
    Needs,
    Outcome,
    Refused,
    root_needs,
)

INVOICE = Link("invoice")
INVOICE_PAYMENT = Link("invoice_payment")
PAYMENT_INTENT = Link("payment_intent")
NEW_DEFAULT_PAYMENT = Link("new_default_payment")
CREDIT_NOTE = Link("credit_note")


Load = Callable[[Needs], Awaitable[Loaded[Any]]]


@dataclass(frozen=True, slots=True)
class Payload:
    """What stands behind a payload: the objects read after the write, or the refusal."""

    objects: dict[Link, Any]
    errors: list[PaymentError]
    done: Outcome | None = None

    @property
    def replayed(self) -> bool:
        return self.done is not None and self.done.replayed

    @property
    def detached_invoice_payment_id(self) -> str | None:
        return self.done.invoice_payment_id if isinstance(self.done, Detached) else None

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


Targets = Callable[[Any], dict[Link, ById | None]]
"""From an outcome to the objects that its payload shows."""


def _attached(done: Attached) -> dict[Link, ById | None]:
    return {
        INVOICE: ById("Invoice", done.invoice_id),
        INVOICE_PAYMENT: ById("InvoicePayment", done.invoice_payment_id, quiet=True),
    }


def _detached(done: Detached) -> dict[Link, ById | None]:
    default = done.new_default_payment_id
    return {
        INVOICE: ById("Invoice", done.invoice_id),
        PAYMENT_INTENT: ById("PaymentIntent", done.payment_intent_id),
        NEW_DEFAULT_PAYMENT: None
        if default is None
        else ById("InvoicePayment", default, quiet=True),
    }


def _credited(done: CreditNoteCreated) -> dict[Link, ById | None]:
    return {
        CREDIT_NOTE: ById("CreditNote", done.credit_note_id),
        INVOICE: ById("Invoice", done.invoice_id),
    }


async def _answer(info: Info, payload: str, command: Command, targets: Targets) -> Payload:
    """Write, then read what the payload asks for; or the refusal with the state behind it."""
    context, wanted = info.context, field_needs(info)
    try:
        done = await context.write(command)
    except Refused as refused:
        state = await _state(context, wanted, refused)
        return Payload({}, [problem(refused, state)])
    load = partial(context.load_after, done)
    objects = await _read(load, wanted.of(payload), targets(done))
    return Payload(objects, [], done)


async def _read(load: Load, wanted: Any, targets: dict[Link, ById | None]) -> dict[Link, Any]:
    pairs = [
        (link, target, wanted[link])
        for link, target in targets.items()
        if target is not None and link in wanted
    ]
    root = await load(root_needs((target, deeper) for _, target, deeper in pairs))
    return {link: root.children[target] for link, target, _ in pairs}


async def _state(context: Context, wanted: Needs, refused: Refused) -> Any:
    state_needs = wanted.of("StateProblem")
    if refused.code not in STATE_CODES or refused.invoice_id is None or STATE not in state_needs:
        return None
    target = ById("Invoice", refused.invoice_id)
    return (await _read(context.load, state_needs, {STATE: target})).get(STATE)


@strawberry.type(description="Everything that can be changed.")
class Mutation:
    @field(
        "Attach a payment to an open invoice. It counts at once if it has already succeeded.",
        cost=10,
        graphql_type=AttachPaymentPayload | None,
    )
    async def attach_payment(self, info: Info, input: AttachPaymentInput) -> Payload:
        return await _answer(info, "AttachPaymentPayload", attach_command(input), _attached)

    @field(
        "Free a PaymentIntent from an invoice. A paid invoice reopens when a balance comes back.",
        cost=10,
        graphql_type=DetachPaymentPayload | None,
    )
    async def detach_payment(self, info: Info, input: DetachPaymentInput) -> Payload:
        return await _answer(info, "DetachPaymentPayload", detach_command(input), _detached)

    @field(
        "Issue a credit note: it first lowers what is still asked for, the rest is "
        "settled as the input says.",
        cost=10,
        graphql_type=CreateCreditNotePayload | None,
    )
    async def create_credit_note(self, info: Info, input: CreateCreditNoteInput) -> Payload:
        return await _answer(info, "CreateCreditNotePayload", credit_note_command(input), _credited)
