"""Stripe's errors in Stripe's envelope, and what a refusal of the ledger becomes.

Stripe documents no code for what attach and detach refuse, so a ledger's rule goes into the
message and the code is the most plausible one of Stripe's list, or none.
Source: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes,
2026-10-28.endive.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from importlib.resources import files
from typing import Any

from gateway.ledger import amounts
from schema.ports import RefusalCode, Refused

_TABLES = tomllib.loads(files(__package__).joinpath("errors.toml").read_text())
SENTENCES: Mapping[str, Mapping[str, Any]] = _TABLES["sentences"]
CODES = {RefusalCode[name]: code for name, code in _TABLES["codes"].items()}
"""Stripe's code for a refusal, where that for its rule is not known."""
CODES_OF_RULES: Mapping[str, str] = _TABLES["codes_of_rules"]
PARAMS: Mapping[str, str] = _TABLES["params"]
"""Stripe's parameter for the last step of a refusal's path."""


IDEMPOTENCY_ERROR = "idempotency_error"


def doc_url(code: str) -> str:
    return f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"


@dataclass(eq=False)
class StripeError(Exception):
    """One answer that is an error; `details` are further fields of the envelope."""

    message: str
    _: KW_ONLY
    status: int = 400
    kind: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {"type": self.kind, "message": self.message}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = doc_url(self.code)
        if self.param is not None:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": {**error, **self.details}}

    def body_in_v2(self) -> dict[str, Any]:
        """The envelope of v2. Documented for what is spoken here are the codes `not_found` and
        `idempotency_error` alone; the others are v1's. A `type` is told where the SDK knows one.

        Source: https://docs.stripe.com/api/v2/core/event-destinations/enable, 2026-10-28.endive.
        """
        code = self.code or self.kind
        error: dict[str, Any] = {"code": CODES_IN_V2.get(code, code), "message": self.message}
        if error["code"] in TYPES_IN_V2:
            error["type"] = error["code"]
        return {"error": error}


CODES_IN_V2 = {"resource_missing": "not_found"}
"""What v2 calls a code of v1."""
TYPES_IN_V2 = frozenset({IDEMPOTENCY_ERROR, "rate_limit"})


def no_such(kind: str, object_id: str, param: str, *, status: int = 404) -> StripeError:
    """An id that stands for nothing. `param` is `id` where the id is part of the path.

    404 was seen for ids in the path only; for those in a parameter 400 is as likely.
    """
    return StripeError(
        f"No such {kind}: '{object_id}'", status=status, code="resource_missing", param=param
    )


def missing(param: str) -> StripeError:
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def invalid(message: str, param: str | None, code: str | None = None) -> StripeError:
    return StripeError(message, code=code, param=param)


def stated(name: str, param: str | None = None, **words: object) -> StripeError:
    """The error of this name in `errors.toml`, with these words in its message."""
    error = SENTENCES[name]
    message = error["message"].format(param=param, **words)
    status, code = error.get("status", 400), error.get("code")
    return StripeError(message, status=status, code=code, param=param)


def exclusive(*names: str, param: str) -> StripeError:
    message = f"You may only specify one of these parameters: {', '.join(names)}."
    return invalid(message, param, "parameters_exclusive")


def check_charge(value: int, currency: str, param: str) -> None:
    """Raises `StripeError` for an amount that cannot be charged in this currency."""
    _raise_amount(amounts.charge_refusal(value, currency, ()), param)


def check_step(value: int, currency: str, param: str) -> None:
    """Raises `StripeError` for an amount that this currency cannot move, charged or not."""
    _raise_amount(amounts.step_refusal(value, currency, ()), param)


def _raise_amount(refusal: Refused | None, param: str) -> None:
    if refusal is not None:
        raise StripeError(refusal.message, code=refusal.rule, param=param)


def of_refusal(refused: Refused, ids: Mapping[str, str]) -> StripeError:
    """A refusal of the ledger. `ids` are those in the path, which Stripe's errors call `id`."""
    last = refused.path[-1] if refused.path else ""
    param = PARAMS.get(last)
    if param is not None and param in ids:
        param = "id"
    if refused.code is RefusalCode.NOT_FOUND:
        kind, _, object_id = refused.message.removeprefix("no such ").partition(": ")
        return no_such(kind, object_id, param or "id")
    code = CODES_OF_RULES.get(refused.rule, CODES.get(refused.code))
    return StripeError(f"{refused.message} ({refused.rule})", code=code, param=param)
