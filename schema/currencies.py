"""What Stripe knows of each currency: its digits, the steps that money moves in, the least charge.

One table for all who ask. Codes are compared in upper case; a currency that no list names has two
digits, moves in single units, and no minimum that is known here.
Source: https://docs.stripe.com/currencies (zero-decimal, three-decimal, special cases, minimum and
maximum charge amounts), as of November 2026.
"""

from __future__ import annotations

ZERO_DECIMAL = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF"}
    | {"XOF", "XPF"}
)
"""Stripe's list less UGX: the API takes UGX, like ISK, with two digits for old integrations.

MGA stands here although ISO 4217 gives it two digits; HUF and TWD do not, because Stripe treats
them as zero-decimal for payouts only."""
THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
"""Their last digit must be 0 wherever money moves."""
WHOLE_UNITS_ONLY = frozenset(["ISK", "UGX"])
"""Written with two digits, which must be 00."""

MINIMUM_CHARGE = {
    **dict.fromkeys(("ARS", "AUD", "BRL", "CAD", "CHF", "COP", "EUR", "IDR", "ILS", "INR"), 50),
    **dict.fromkeys(("JPY", "KRW", "NZD", "PHP", "RUB", "SGD", "USD", "ZAR"), 50),
    **dict.fromkeys(("AED", "MYR", "PLN", "RON"), 200),
    **dict.fromkeys(("NOK", "SEK"), 300),
    **dict.fromkeys(("MXN", "THB"), 1000),
    "CZK": 1500,
    "DKK": 250,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17500,
}
"""In minor units, where the account is paid out in the same currency. Charges in any other currency
must be worth the minimum of the payout's, at a rate that only Stripe knows."""


def exponent(currency: str) -> int:
    """Digits after the point in Stripe's amounts of this currency: 0, 2 or 3."""
    code = currency.upper()
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2


def smallest_step(currency: str) -> int:
    """What every amount that moves must be a multiple of, in minor units."""
    code = currency.upper()
    if code in WHOLE_UNITS_ONLY:
        return 100
    return 10 if code in THREE_DECIMAL else 1


def minimum_charge(currency: str) -> int:
    """The least amount that can be charged, in minor units; 0 where none is known."""
    return MINIMUM_CHARGE.get(currency.upper(), 0)
