"""Canaries: values that no log, trace or metric may hold, each to be found by a word of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields

WORD = "c4n4ry"
"""Part of every canary, so that one search finds even what was cut off or masked in part."""


def _value(form: str) -> str:
    return field(default=form.format(WORD))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Canaries:
    """One of each kind. Names, keys of callers and free text look like nothing in particular, so
    that no pattern can hide a log call that should not be there."""

    stripe_key: str = _value("sk_test_{}key0")
    webhook_secret: str = _value("whsec_{}hook0")
    redis_password: str = _value("{}redis0")
    token: str = _value("igw_{}token00000000000")
    wrong_token: str = _value("{}wrongtoken0")
    jwt_secret: str = _value("{}jwt0000000000000000000000000000")
    jwt_subject: str = _value("{}subject0")
    customer_name: str = _value("Nora {}name0")
    customer_email: str = _value("nora.{}mail0@example.com")
    description: str = _value("for the house of {}text0")
    metadata: str = _value("{}meta0")
    idempotency_key: str = _value("{}idem0")
    reference: str = _value("cheque {}ref0")
    literal: str = _value("{}literal0")
    variable: str = _value("{}variable0")
    header: str = _value("{}header0")
    quoted_by_stripe: str = _value("{}quoted0")

    def all(self) -> list[str]:
        return [getattr(self, one.name) for one in fields(self)]

    @property
    def token_digest(self) -> str:
        return hashlib.sha256(self.token.encode()).hexdigest()


CANARIES = Canaries()
