"""The plans of known documents, made when they are first used, and operations run by them.

Whatever a plan does not know is left to graphql-core, and counted by its reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import product
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import VariableValues

from gateway.execution.documents import Document, PreparedOperation
from gateway.execution.plans.leaves import Surprise
from gateway.execution.plans.plan import Plan, Run
from gateway.execution.plans.source import Functions, NotPlanned
from schema.context import Context
from schema.cost import selected_in, variables_of
from schema.payloads import WriteField
from schema.planner import Selection
from schema.ports import Failed

VARIANTS_MAX = 32
"""Of one document: values of the variables in its `@skip` and `@include`."""
SHARED_MAX = 20_000
"""Functions that trusted documents share, of two kilobytes each. A thousand documents that have
nothing in common have ten thousand; beyond it those that come have new ones."""

OnFallback = Callable[[str], None]
"""Told each time, and why, that an operation is left to graphql-core."""


def nobody_counts(reason: str) -> None:
    """Nobody counts what is left to graphql-core."""


class Plans:
    """One per process. A document keeps its own plans, which go with it."""

    def __init__(
        self, schema: GraphQLSchema, on_fallback: OnFallback = nobody_counts, *, is_on: bool = True
    ) -> None:
        self._schema = schema
        self.fell_back = on_fallback
        self._is_on = is_on
        self._leaves: dict[str, Any] = {}
        self._shared = Functions()

    def run(self, operation: PreparedOperation, context: Context) -> Run | None:
        """The operation's plan bound to its variables; None where it is left to graphql-core."""
        if not self._is_on:
            return None
        plan = self.plan(operation.document, operation.selection)
        if isinstance(plan, str):
            self.fell_back(plan)
            return None
        try:
            return plan.run(context, operation.selection.variables)
        except Surprise:
            self.fell_back("arguments")
            return None

    def make(self, document: Document) -> None:
        """Make the plans of a trusted document before it is asked for: for all values of its
        switches, or, where those are more than a document may have, for none."""
        if not self._is_on:
            return
        if len(self._shared.known) > SHARED_MAX:
            self._shared = Functions()
        for operation in document.operations.values():
            switches = self._switches(document, operation)
            if 2 ** len(switches) + len(document.plans) > VARIANTS_MAX + 1:
                continue
            for values in product((True, False), repeat=len(switches)):
                variables = VariableValues({}, dict(zip(switches, values, strict=True)))
                selection = Selection(self._schema, operation, document.fragments, variables)
                plan = self.plan(document, selection, self._shared)
                usual = document.usual_values(self._schema, operation)
                if isinstance(plan, Plan) and usual is not None:
                    with suppress(Surprise):
                        plan.bound(usual)  # What every run needs is worked out once, here.

    def plan(
        self, document: Document, selection: Selection, functions: Functions | None = None
    ) -> Plan | str:
        """The plan, or why there is none. `functions` are those that it may share with others."""
        if not self._is_on:
            return "off"
        variables = selection.variables.coerced
        switches = self._switches(document, selection.operation)
        key = (id(selection.operation), *[variables.get(one) for one in switches])
        plan: Plan | str | None = document.plans.get(key)
        if plan is None:
            if len(document.plans) > VARIANTS_MAX:
                return "variants"
            plan = document.plans[key] = self._made(selection, functions or Functions())
        return plan

    @staticmethod
    def _switches(document: Document, operation: OperationDefinitionNode) -> tuple[str, ...]:
        known: tuple[str, ...] | None = document.plans.get(id(operation))
        if known is None:
            known = document.plans[id(operation)] = switches_of(document, operation)
        return known

    def _made(self, selection: Selection, functions: Functions) -> Plan | str:
        try:
            return Plan(
                self._schema,
                selection.operation,
                selection.fragments,
                selection.variables,
                self._leaves,
                functions,
            )
        except NotPlanned as why:
            return str(why)
        except GraphQLError:  # Of an argument, or of a directive whose variable is null.
            return "arguments"

    async def written(self, run: Run) -> ExecutionResult | None:
        """A mutation, field by field. What was done before graphql-core has to decide is kept in
        the context, and not done again."""
        data: dict[str, Any] = {}
        errors: list[GraphQLError] = []
        done = run.context.done
        for at, root in enumerate(run.plan.fields):
            assert isinstance(root.made, WriteField)
            try:
                done[root.key] = await root.made.answer(
                    run.context, root.branch.needs(run.bound), root.type_name, run.bound[root.slot]
                )
                data[root.key], failures = run.plan.shown(done[root.key], run, at)
                errors += failures
            except Failed as failed:
                done[root.key], data[root.key] = failed, None
                errors.append(run.located(failed, root.nodes, (root.key,)))
            except Surprise:
                self.fell_back("surprise")
                return None
            except Exception as error:  # noqa: BLE001  # Whatever was written is not written again.
                done[root.key] = error
                self.fell_back("exception")
                return None
        return ExecutionResult(data, errors or None)

    async def item(
        self, run: Run, item: Any, judge: Callable[[Any], Awaitable[ExecutionResult]]
    ) -> ExecutionResult:
        """An item of a subscription, shown by the plan, or else by graphql-core: `judge`."""
        try:
            shown, errors = run.plan.shown(item, run)
        except Surprise:
            self.fell_back("surprise")
            return await judge(item)
        return ExecutionResult({run.plan.fields[0].key: shown}, errors or None)


def switches_of(document: Document, operation: OperationDefinitionNode) -> tuple[str, ...]:
    """The variables that decide which fields are selected."""
    fragments = (one.definition for one in document.fragments.values())
    return variables_of(
        argument
        for part in selected_in([operation, *fragments])
        for directive in part.directives or ()
        for argument in directive.arguments or ()
    )
