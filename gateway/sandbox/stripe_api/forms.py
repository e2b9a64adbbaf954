"""Stripe's form encoding: names with brackets become nested dictionaries and lists.

`metadata[order]=6`, `expand[]=customer`, `expand[0]=customer` and `items[0][amount]=5` are known.
Values stay strings; what they mean is for the parameter tables to say.
Source: https://docs.stripe.com/api (requests are form-encoded), 2026-10-28.endive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from gateway.sandbox.stripe_api.errors import StripeError, invalid

FIELDS_MAX = 1_000
"""More than any call of Stripe takes; a bound for what is decoded."""
DEPTH_MAX = 8

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_STEP = re.compile(r"\[([^\[\]]*)\]")

Form = dict[str, Any]


def decode(text: str) -> Form:
    """The parameters of a query string or a form body. Raises `StripeError`."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise StripeError("Invalid form encoding in the request.") from error
    return nested(pairs)


def nested(pairs: Iterable[tuple[str, str]]) -> Form:
    """Names with brackets, as the nesting they stand for. Lists are keyed by their indexes."""
    form: Form = {}
    for name, value in pairs:
        match = _NAME.fullmatch(name)
        if match is None:
            raise invalid(f"Invalid parameter name: {name}", name)
        steps = [match[1], *_STEP.findall(match[2])]
        if len(steps) > DEPTH_MAX:
            raise invalid(f"Parameter is nested too deeply: {name}", name)
        _put(form, steps, value, name)
    return form


def _put(form: Form, steps: list[str], value: str, name: str) -> None:
    within = form
    for at, step in enumerate(steps[:-1]):
        key = step or _open_index(within, steps[at + 1])
        inner = within.setdefault(key, {})
        if not isinstance(inner, dict):
            raise invalid(f"Invalid parameter: {name} is given as a value and as a hash", name)
        within = inner
    last = steps[-1] or str(len(within))
    if isinstance(within.get(last), dict):
        raise invalid(f"Invalid parameter: {name} is given as a value and as a hash", name)
    within[last] = value


def _open_index(within: Form, following: str) -> str:
    """`items[][amount]` goes on with the last item until it has an amount."""
    last = str(len(within) - 1)
    begun = within.get(last)
    if isinstance(begun, dict) and following and following not in begun:
        return last
    return str(len(within))
