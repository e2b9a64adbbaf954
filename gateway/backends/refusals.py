"""Refusals whose words all suppliers share: a rule reads the same whatever stands behind."""

from __future__ import annotations

from schema.ports import RefusalCode, Refused

_OUT_OF_BAND_FIELDS = {
    RefusalCode.CURRENCY_MISMATCH: "currency",
    RefusalCode.AMOUNT_INVALID: "amountMinorUnits",
    RefusalCode.AMOUNT_TOO_LARGE: "amountMinorUnits",
}


def no_such(kind: str, object_id: str, path: tuple[str, ...]) -> Refused:
    """For what does not exist, and for what belongs to somebody else."""
    return Refused(
        RefusalCode.NOT_FOUND, "no_such_object", f"no such {kind}: {object_id}", path=path
    )


def no_such_invoice(invoice_id: str) -> Refused:
    return no_such("invoice", invoice_id, ("invoiceId",))


def key_reused() -> Refused:
    return Refused(
        RefusalCode.IDEMPOTENCY_KEY_REUSED,
        "idempotency_key_reused",
        "this idempotencyKey was used with another input: make a new key for a new attempt",
        path=("idempotencyKey",),
    )


def pointing_out_of_band(refused: Refused) -> Refused:
    """The refusal with its path moved from a record's id to the facts that were given."""
    if refused.path == ("payment", "paymentRecordId"):
        field = _OUT_OF_BAND_FIELDS.get(refused.code)
        refused.path = ("payment", "outOfBand", *((field,) if field else ()))
    return refused
