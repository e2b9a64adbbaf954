"""The GraphQL documents of the history's callers, and how they are filled and read."""

from __future__ import annotations

from typing import Any

from tests.simulation.history import OK, Call, Seen, State
from tests.simulation.plan import (
    ATTACH_INTENT,
    ATTACH_RECORD,
    CREDIT_NOTE,
    DETACH,
    OUT_OF_BAND,
    REALLOCATE,
    VOID,
    Write,
)

_ERRORS = "replayed errors { code message ... on UpstreamProblem { retryable } }"
_STATE = "status amountPaid { minorUnits } amountRemaining { minorUnits }"
_AFTER = f"invoice {{ {_STATE} }}"
ATTACH = f"""mutation A($i: AttachPaymentInput!) {{
  attachPayment(input: $i) {{ {_ERRORS} invoicePayment {{ id }} {_AFTER} }} }}"""
DETACHING = f"""mutation D($i: DetachPaymentInput!) {{
  detachPayment(input: $i) {{ {_ERRORS} detachedInvoicePaymentId {_AFTER} }} }}"""
CREDIT = f"""mutation C($i: CreateCreditNoteInput!) {{
  createCreditNote(input: $i) {{ {_ERRORS} creditNote {{ id }} {_AFTER} }} }}"""
VOIDING = f"""mutation V($i: VoidCreditNoteInput!) {{
  voidCreditNote(input: $i) {{ {_ERRORS} creditNote {{ id }} {_AFTER} }} }}"""
MOVING = f"""mutation R($i: ReallocatePaymentInput!) {{
  reallocatePayment(input: $i) {{ {_ERRORS} outcome detachedInvoicePaymentId
    invoicePayment {{ id }} fromInvoice {{ {_STATE} }} toInvoice {{ {_STATE} }} }} }}"""
_EVENT = """cursor type rawType sourceEventId invoiceId invoicePaymentId idempotencyKey"""
EVENTS = f"""subscription S($after: EventCursor) {{ invoicePaymentEvents(after: $after) {{
  __typename
  ... on InvoicePaymentEvent {{ {_EVENT} invoice {{ {_STATE} }} invoicePayment {{ id status }} }}
  ... on StreamCheckpoint {{ cursor live }}
  ... on StreamGap {{ after resumesAt reason }} }} }}"""
LOG = f"""query L($after: EventCursor) {{ invoicePaymentEvents(first: 100, after: $after) {{
  nodes {{ {_EVENT} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
INVOICE = f"""query I($id: ID!) {{ invoice(id: $id) {{ {_STATE}
  payments(first: 50) {{ nodes {{ id status }} }} }} }}"""

PAID_AT = "2025-12-24T12:00:00Z"


_WITHOUT = {
    ATTACH: ATTACH.replace(f"invoicePayment {{ id }} {_AFTER}", ""),
    DETACHING: DETACHING.replace(_AFTER, ""),
    CREDIT: CREDIT.replace(f"creditNote {{ id }} {_AFTER}", ""),
    VOIDING: VOIDING.replace(f"creditNote {{ id }} {_AFTER}", ""),
    MOVING: MOVING[: MOVING.index("invoicePayment")] + "} }",
}


def document_of(write: Write) -> str:
    """The mutation; without reads of what has become of it where the caller wants none."""
    whole = {DETACH: DETACHING, CREDIT_NOTE: CREDIT, VOID: VOIDING, REALLOCATE: MOVING}.get(
        write.kind, ATTACH
    )
    return whole if write.reads_back else _WITHOUT[whole]


def variables_of(
    write: Write, invoice_id: str, source_id: str, *, to: str, other: bool
) -> dict[str, Any]:
    """The input of a write, which moves something to another invoice or does not; `other`: as after
    a change of mind."""
    more = 1 if other else 0
    given: dict[str, Any] = {"idempotencyKey": write.key}
    match write.kind:
        case "attach intent" | "attach record":
            name = "paymentIntentId" if write.kind == ATTACH_INTENT else "paymentRecordId"
            given |= {"invoiceId": invoice_id, "payment": {name: source_id}}
            if other:
                given["amountRequestedMinorUnits"] = write.amount - 1
        case "attach out of band":
            outside = {
                "amountMinorUnits": write.amount + more,
                "currency": "USD",
                "paidAt": PAID_AT,
                "reference": mark_of(write, source_id),
            }
            given |= {"invoiceId": invoice_id, "payment": {"outOfBand": outside}}
        case "detach":
            given |= {"invoiceId": invoice_id, "paymentIntentId": source_id}
            if other:
                given["ifAmountPaidMinorUnits"] = 1
        case "reallocate":
            given |= {"paymentIntentId": source_id, "fromInvoiceId": invoice_id, "toInvoiceId": to}
            if other:
                given["ifFromAmountPaidMinorUnits"] = 1
        case "void credit note":
            given |= {"invoiceId": invoice_id, "creditNoteId": source_id + ("0" if other else "")}
        case _:
            note = {"invoiceId": invoice_id, "amountMinorUnits": write.amount + more}
            given["creditNote"] = {**note, "memo": mark_of(write, source_id)}
    return {"i": given}


def mark_of(write: Write, source_id: str) -> str:
    """What the effect of this write is recognised by at Stripe."""
    if write.kind in (ATTACH_INTENT, ATTACH_RECORD, DETACH, REALLOCATE):
        return source_id
    return f"mark-{write.key}"


def effect_of(kind: str) -> str:
    kinds = {DETACH: "detached", REALLOCATE: "detached", CREDIT_NOTE: "credited", VOID: "voided"}
    return kinds.get(kind, "attached")


def told(call: Call, body: dict[str, Any]) -> str:
    """Put what was answered into the call; the message, for the story."""
    data = body.get("data")
    payload = None if not data else next(iter(data.values()))
    if payload is None:
        error = (body.get("errors") or [{}])[0]
        call.code = "ERROR " + str(error.get("extensions", {}).get("code"))
        return str(error.get("message"))
    call.placed = payload.get("outcome")
    if payload["errors"] and not call.placed:
        problem = payload["errors"][0]
        call.code = problem["code"]
        call.retryable = bool(problem.get("retryable"))
        return str(problem["message"])
    call.code, call.replayed = OK, payload["replayed"]
    call.state = state_of(payload.get("invoice") or payload.get("fromInvoice"))
    held = payload.get("invoicePayment") or payload.get("creditNote") or {}
    call.told_id = held.get("id") or payload.get("detachedInvoicePaymentId")
    if call.placed:
        call.told_id, call.moved_to_id = payload["detachedInvoicePaymentId"], held.get("id")
        call.to_state = state_of(payload.get("toInvoice"))
    return f"{call.placed or ''} {call.told_id}{' replayed' if call.replayed else ''}"


def state_of(invoice: dict[str, Any] | None) -> State | None:
    if invoice is None:
        return None
    return (
        str(invoice["status"]).lower(),
        invoice["amountPaid"]["minorUnits"],
        invoice["amountRemaining"]["minorUnits"],
    )


def seen_of(item: dict[str, Any], at: float, version: int, has_errors: bool) -> Seen:
    payment = item.get("invoicePayment")
    return Seen(
        at=at,
        cursor=item["cursor"],
        type=item["type"],
        raw_type=item["rawType"],
        source_event_id=item["sourceEventId"],
        invoice_id=item["invoiceId"],
        payment_id=item["invoicePaymentId"],
        key=item["idempotencyKey"],
        state=state_of(item.get("invoice")),
        payment=None if payment is None else (payment["id"], payment["status"].lower()),
        payment_failed=has_errors,
        version_now=version,
    )


__all__ = [
    "ATTACH",
    "EVENTS",
    "INVOICE",
    "LOG",
    "OUT_OF_BAND",
    "document_of",
    "effect_of",
    "mark_of",
    "seen_of",
    "state_of",
    "told",
    "variables_of",
]
