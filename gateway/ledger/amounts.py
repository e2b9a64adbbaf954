"""Amounts that a currency cannot move, refused with Stripe's own codes as the rule's name.

Steps hold wherever money moves; the minimum holds for charges only, as anybody may pay or get
back less in cash or as a part. Source: https://docs.stripe.com/currencies and
https://docs.stripe.com/error-codes, 2026-10-28.endive.
"""

from __future__ import annotations

from schema.currencies import WHOLE_UNITS_ONLY, minimum_charge, smallest_step
from schema.ports import RefusalCode, Refused


def step_refusal(amount: int, currency: str, path: tuple[str, ...]) -> Refused | None:
    """What stands against moving this amount at all. Stripe names no code of its own for the last
    digit of three-decimal currencies; the one for charges in general is taken."""
    step, code = smallest_step(currency), currency.upper()
    if amount % step == 0:
        return None
    whole = code in WHOLE_UNITS_ONLY
    rule = "invalid_charge_amount_no_decimal_compatible" if whole else "invalid_charge_amount"
    return Refused(
        RefusalCode.AMOUNT_INVALID,
        rule,
        f"{code} moves in multiples of {step} minor units only, got {amount}: take "
        f"{amount // step * step} or {(amount // step + 1) * step}",
        path=path,
    )


def charge_refusal(amount: int, currency: str, path: tuple[str, ...]) -> Refused | None:
    """What stands against charging this amount, smaller ones being carried over by invoices."""
    refusal, least = step_refusal(amount, currency, path), minimum_charge(currency)
    if refusal is not None or amount >= least:
        return refusal
    return Refused(
        RefusalCode.AMOUNT_INVALID,
        "amount_too_small",
        f"the least charge in {currency.upper()} is {least} minor units, got {amount}",
        path=path,
    )


def chargeable(amount: int, currency: str) -> int:
    """What an invoice asks for of this amount: the nearest step, and nothing below the minimum.

    The difference is left on the customer's balance. Stripe documents the rounding for ISK and UGX;
    for three-decimal currencies it is inferred, as their charges have steps as well.
    """
    step = smallest_step(currency)
    rounded = (amount + step // 2) // step * step
    return rounded if rounded >= minimum_charge(currency) else 0
