"""Which ids Stripe can put the objects in place of, so that one call brings what is behind them.

Source: https://docs.stripe.com/api/expanding_objects, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schema.ports import Needs

EXPANSION_LEVELS_MAX = 4
"""Every dot-separated segment counts, `data` included; one more is a 400."""

EXPANSIONS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("Invoice", "customer"): (("customer", "Customer"),),
    ("Invoice", "payments"): (("payments.data", "InvoicePayment"),),
    ("Invoice", "amount_paid_out_of_band"): (("payments.data", "InvoicePayment"),),
    ("Invoice", "confirmation_secret"): (("confirmation_secret", ""),),
    ("InvoicePayment", "invoice"): (("invoice", "Invoice"),),
    ("InvoicePayment", "payment_intent"): (("payment.payment_intent", "PaymentIntent"),),
    ("InvoicePayment", "source"): (
        ("payment.payment_intent", "PaymentIntent"),
        ("payment.payment_record", "PaymentRecord"),
    ),
    ("InvoicePayment", "detach_preview"): (
        ("payment.payment_intent", "PaymentIntent"),
        ("invoice", "Invoice"),
    ),
    ("PaymentIntent", "customer"): (("customer", "Customer"),),
    ("CreditNote", "invoice"): (("invoice", "Invoice"),),
}
"""What Stripe can put in place of an id, and what stands there then."""


def expansions(type_name: str, needs: Needs, prefix: str = "") -> list[str]:
    """The deepest expand paths that serve these needs, at most four levels each."""
    return deepest(_paths(type_name, needs, prefix))


def _paths(type_name: str, needs: Needs, prefix: str) -> list[str]:
    found: list[str] = []
    for need, deeper in needs.of(type_name).items():
        for segment, target in EXPANSIONS.get((type_name, getattr(need, "name", "")), ()):
            path = f"{prefix}.{segment}" if prefix else segment
            # `payments.data` is asked for as `payments`.
            found += [path.removesuffix(".data"), *_paths(target, deeper, path)]
    return [path for path in found if path.count(".") < EXPANSION_LEVELS_MAX]


def deepest(paths: Iterable[str]) -> list[str]:
    """A path expands what it passes through, so a prefix of another is left out."""
    unique = sorted(set(paths))
    return [path for path in unique if not any(other.startswith(f"{path}.") for other in unique)]
