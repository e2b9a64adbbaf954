"""What the gateway makes of an operation before it runs: cost, needs, calls to Stripe, and the code
of its plan.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from graphql import GraphQLError, OperationType
from graphql.execution.values import get_variable_values

from gateway.cli.imagined_stripe import LENGTH, stripe_calls
from gateway.execution.documents import Document, Documents
from gateway.execution.plans.plans import Plans
from gateway.settings import Limits
from schema.planner import Selection
from schema.ports import Needs
from schema.root import make_schema


def explained(text: str, name: str | None, variables: dict[str, Any], limits: Limits) -> str:
    """The explanation as comments above the code. Raises `ValueError` for what could not run."""
    schema = make_schema()._schema
    document = Documents(schema, limits).get(text, may_introspect=True)
    if not isinstance(document, Document):
        raise ValueError("\n".join(error.message for error in document))
    try:
        operation = document.operation(name)
    except GraphQLError as error:
        raise ValueError(error.message) from error
    values = get_variable_values(schema, operation.variable_definitions or (), variables)
    if isinstance(values, list):
        raise ValueError("\n".join(error.message for error in values))
    selection = Selection(schema, operation, document.fragments, values)
    cost = document.cost(schema, operation, values.coerced)
    plan = Plans(schema).plan(document, selection)
    root = schema.get_root_type(operation.operation)
    assert root is not None
    code = f"# no plan: {plan}\n" if isinstance(plan, str) else plan.text
    needs = selection.of_root(root)
    lines = [f"# cost: {cost} of at most {limits.cost_max}", "# needs:"]
    lines += [f"#   {line}" for line in _told(needs)]
    if operation.operation is OperationType.QUERY:
        lines += _ABOUT_CALLS
        lines += [f"#   {call}" for call in asyncio.run(stripe_calls(needs))]
    return "\n".join([*lines, "", code])


_ABOUT_CALLS = (
    "# calls to Stripe, for a caller who sees all customers, where nothing is cached and each list",
    f"# has {LENGTH} members; braces hold what only an answer tells; each of those is asked for:",
)


def _said(one: Any) -> str:
    """Without what is as it is by default."""
    if not is_dataclass(one):
        return repr(one)
    said = (
        f"{each.name}={_said(value)}"
        for each in fields(one)
        if each.repr and (value := getattr(one, each.name)) != each.default
    )
    return f"{type(one).__name__}({', '.join(said)})"


def _told(needs: Needs, depth: int = 0) -> Iterator[str]:
    for type_name, of_type in needs.by_type.items():
        for need, below in of_type.items():
            yield f"{'  ' * depth}{type_name}: {_said(need)}"
            yield from _told(below, depth + 1)
