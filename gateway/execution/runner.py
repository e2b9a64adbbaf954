"""Runs operations: plan, load, project, once and in this order, for every kind of operation.

A query is planned and loaded as a whole, with one call of the port, before its first resolver
runs. A mutation's fields and a subscription's items plan and load for themselves. Knows no
transport.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import strawberry
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType
from graphql.execution.values import VariableValues, get_variable_values

from gateway.execution.admission import COST_MIN, CostQuotas, FairQueue, Round
from gateway.execution.answers import ERRORS_MAX, answered, failed, refused, with_code
from gateway.execution.document_limits import Excess, exceeded, input_depth
from gateway.execution.documents import Document, Documents, OnExceeded, PreparedOperation, nobody
from gateway.execution.graphql_core import executed, streamed
from gateway.execution.operation import (
    Answer,
    Answers,
    OneByOne,
    OperationKind,
    OperationRequest,
    Prepared,
)
from gateway.execution.plans.plans import OnFallback, Plans, nobody_counts
from gateway.execution.queries import TEXT_COST_MIN, Queries
from gateway.execution.streams.groups import Groups, Opening
from gateway.execution.streams.subscription import Subscription
from gateway.execution.trusted_documents import TrustedDocuments, check_manifest
from gateway.execution.warm_answers import WarmAnswers
from gateway.settings import Limits
from schema.context import Context
from schema.planner import Selection
from schema.ports import (
    UPSTREAM_CALLS_MAX,
    BackendKind,
    ErrorCode,
    EventStream,
    Failed,
    Meter,
    Reads,
    Viewer,
    Writes,
)

LONG_CHARACTERS = 1000
"""A longer document that is new takes milliseconds to be read, and waits for its turn."""

COSTLY = 50
"""From this cost on an operation waits for its turns, unless it can be answered at once: it may
take the thread for about a millisecond or more."""

AT_ONCE_COST_MAX = 1000
"""From this cost on it always waits for them: a plan alone takes the thread for about that long."""

OPERATION_SECONDS_MAX = 30.0
"""A query that takes longer is given up; a mutation never is, once it has begun."""


class GraphQLRunner:
    """See `gateway.execution.operation.Runner`."""

    def __init__(
        self,
        schema: strawberry.Schema,
        reads: Reads,
        writes: Writes,
        events: EventStream,
        *,
        limits: Limits,
        quotas: CostQuotas | None = None,
        operation_seconds_max: float = OPERATION_SECONDS_MAX,
        upstream_calls_max: int = UPSTREAM_CALLS_MAX,
        on_exceeded: OnExceeded = nobody,
        documents: Documents | None = None,
        compiled_plans: bool = True,
        warm_answers: bool = True,
        text_cost_min: int = TEXT_COST_MIN,
        on_fallback: OnFallback = nobody_counts,
    ) -> None:
        self._schema = schema._schema
        self._reads = reads
        self._has_upstream = reads.describe().kind is BackendKind.STRIPE
        self._writes = writes
        self._events = events
        self._quotas = quotas
        self._upstream_calls_max = upstream_calls_max
        self._documents = documents or Documents(self._schema, limits, on_exceeded=on_exceeded)
        self._plans = Plans(self._schema, on_fallback, is_on=compiled_plans)
        warm = WarmAnswers() if warm_answers and compiled_plans else None
        self._queries = Queries(self._plans, warm, operation_seconds_max, text_cost_min)
        self._groups = Groups(self._plans)
        self._trusted = TrustedDocuments()
        self._fair_queue = FairQueue()
        self._round = Round()

    def trust(self, manifest: Mapping[str, str], *, source: str) -> None:
        """Trust these documents, and no others, from now on.

        Raises `ManifestRefused`, and goes on as before, if one of them could not run. `source` is
        the name of the file that they come from.
        """
        with uncollected():
            self._documents.kept = check_manifest(manifest, self._documents, source=source)
            self._trusted.replace(manifest)
            for text in manifest.values():
                document = self._documents.get(text, may_introspect=True)
                if isinstance(document, Document):
                    self._plans.make(document)

    async def prepare(self, request: OperationRequest, viewer: Viewer) -> Prepared | Answer:
        quotas = self._quotas
        if quotas is None:
            return await self._read(request, viewer)
        if refusal := await quotas.refusal_before_reading(viewer):
            return refusal
        prepared = await self._read(request, viewer)
        cost = COST_MIN if isinstance(prepared, Answer) else prepared.cost
        price = await quotas.charge(viewer, cost)
        if price is None:
            return prepared
        if isinstance(price, Answer):
            return price
        if isinstance(prepared, PreparedOperation):
            return replace(prepared, price=price)
        _tell(prepared, "cost", price)
        return prepared

    async def _read(self, request: OperationRequest, viewer: Viewer) -> PreparedOperation | Answer:
        """Parse, validate, limit and price."""
        try:
            text = self._trusted.text_for(request, viewer)
            may_introspect = viewer.may_introspect
            is_long = len(text) > LONG_CHARACTERS
            if is_long and not self._documents.knows(text, may_introspect=may_introspect):
                await self._fair_queue.turn(viewer.tenant)
            document = self._documents.get(text, may_introspect=may_introspect)
            if isinstance(document, list):
                return refused(document)
            operation = document.operation(request.operation_name)
            variables = self._variables(document, operation, request, text, may_introspect)
            if isinstance(variables, list):
                return refused(variables)
            cost = self._cost(document, operation, variables)
        except GraphQLError as error:
            return refused([error])
        selection = Selection(self._schema, operation, document.fragments, variables)
        kind = OperationKind(operation.operation.value)
        return PreparedOperation(document, selection, kind, cost, may_introspect)

    def _variables(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        request: OperationRequest,
        text: str,
        may_introspect: bool,
    ) -> VariableValues | list[GraphQLError]:
        """The variables coerced, or what is wrong with them. Raises `Excess`."""
        given = request.variables or {}
        depth, depth_max = input_depth(*given.values()), self._documents.limits.input_depth_max
        if depth > depth_max:
            noun = "levels of lists and objects"
            excess = exceeded("input_depth", "the variables have", depth, depth_max, noun)
            self._documents.check(excess)
        values = self._coerced(document, operation, given, may_introspect)
        if isinstance(values, list):
            if not may_introspect:
                self._documents.redaction.applied(values, sent=f"{text} {given}")
            return [with_code(error, ErrorCode.BAD_USER_INPUT) for error in values]
        return values

    def _coerced(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        given: dict[str, Any],
        may_introspect: bool,
    ) -> VariableValues | list[GraphQLError]:
        plain = document.plain_values(self._schema, operation, given)
        if plain is not None:
            return plain
        return get_variable_values(
            self._schema,
            operation.variable_definitions or (),
            given,
            max_errors=ERRORS_MAX,
            hide_suggestions=not may_introspect,
        )

    def _cost(
        self, document: Document, operation: OperationDefinitionNode, variables: VariableValues
    ) -> int:
        cost = document.cost(self._schema, operation, variables.coerced)
        cost_max = self._documents.limits.cost_max
        if cost > cost_max:
            sentence = (
                f"the operation may return {cost} objects; at most {cost_max} are allowed: ask for "
                "smaller pages"
            )
            self._documents.check(Excess("cost", sentence))
        return cost

    async def execute(
        self, prepared: Prepared, request: OperationRequest, viewer: Viewer, request_id: str
    ) -> Answer:
        operation = cast(PreparedOperation, prepared)
        context = self._context(operation, viewer, request_id)
        if operation.kind is OperationKind.QUERY:
            answer = await self._queries.answer(operation, request, context)
        else:
            answer = answered(await self._mutation(operation, request, context), request_id)
        meter = context.meter
        return self._with_figures(answer, viewer, meter.calls, meter.cached, operation.price)

    def _with_figures(
        self,
        answer: Answer,
        viewer: Viewer,
        calls: int,
        cached: int,
        price: dict[str, int] | None,
    ) -> Answer:
        """What the operation has cost upstream, and its caller."""
        # From a call less one could tell that another's object exists and is cached.
        if self._has_upstream and answer.executed and viewer.customers is None:
            _tell(answer, "upstream", {"calls": calls, "cached": cached})
        if price is not None:
            _tell(answer, "cost", price)
        return answer

    def at_once(self, request: OperationRequest, viewer: Viewer, request_id: str) -> Answer | None:
        """It is paid for last, as nothing may be paid for twice: so who has nothing left is not
        answered here."""
        quotas = self._quotas
        if quotas is not None and not quotas.is_at_once(viewer):
            return None
        try:
            text = self._trusted.text_for(request, viewer)
            document = self._documents.known(text, may_introspect=viewer.may_introspect)
            operation = None if document is None else document.operation(request.operation_name)
        except GraphQLError:
            return None
        if document is None or operation is None or operation.operation is not OperationType.QUERY:
            return None
        cursor = self._events.position()
        known = self._queries.known(document, request, viewer)
        if (warm := known.answer) is not None and warm.basis.holds():
            answer, cost, cached = warm.answer(cursor), warm.cost, warm.basis.cached
        else:
            prepared = self._cheap(document, operation, request, viewer)
            if prepared is None:
                return None
            context = self._context(prepared, viewer, request_id)
            context.event_cursor = cursor
            anew = self._queries.at_once(prepared, context, known)
            if anew is None:
                return None
            answer, cost, cached = anew, prepared.cost, context.meter.cached
            if cost >= COSTLY:
                self._round.take(cost)
        price = None if quotas is None else quotas.charge_at_once(viewer, cost)
        if isinstance(price, Answer):
            return None  # Nothing was taken, and it is to be refused in full.
        return self._with_figures(answer, viewer, 0, cached, price)

    def _cheap(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        request: OperationRequest,
        viewer: Viewer,
    ) -> PreparedOperation | None:
        """The operation, if nothing is wrong with it and it need not wait for its turn: it is
        cheap, or there is room for it in this round."""
        given, may_introspect = request.variables or {}, viewer.may_introspect
        if input_depth(*given.values()) > self._documents.limits.input_depth_max:
            return None
        variables = self._coerced(document, operation, given, may_introspect)
        if isinstance(variables, list):
            return None
        cost = document.cost(self._schema, operation, variables.coerced)
        if cost >= min(AT_ONCE_COST_MAX, self._documents.limits.cost_max):
            return None
        if cost >= COSTLY and not self._round.has_room(cost):
            return None
        selection = Selection(self._schema, operation, document.fragments, variables)
        return PreparedOperation(document, selection, OperationKind.QUERY, cost, may_introspect)

    async def _mutation(
        self, operation: PreparedOperation, request: OperationRequest, context: Context
    ) -> ExecutionResult:
        run = self._plans.run(operation, context)
        shown = None if run is None else await self._plans.written(run)
        return await executed(operation, request, context, None) if shown is None else shown

    def _context(
        self,
        operation: PreparedOperation,
        viewer: Viewer,
        request_id: str,
        resume_after: str | None = None,
    ) -> Context:
        return Context(
            viewer=viewer,
            reads=self._reads,
            writes=self._writes,
            events=self._events,
            selection=operation.selection,
            request_id=request_id,
            meter=Meter(viewer.tenant, self._upstream_calls_max, request_id=request_id),
            turn=None if operation.cost < COSTLY else self._fair_queue.turn,
            resume_after=resume_after,
        )

    def subscribe(
        self,
        prepared: Prepared,
        request: OperationRequest,
        viewer: Viewer,
        request_id: str,
        resume_after: str | None = None,
    ) -> Answers:
        """The stream is paid for once; its first item tells the price."""
        operation = cast(PreparedOperation, prepared)
        context = self._context(operation, viewer, request_id, resume_after)
        run = self._plans.run(operation, context)
        if run is None:
            return OneByOne(self._items(operation, request, context))
        return Subscription(self._groups, Opening(run, operation, request))

    async def _items(
        self, operation: PreparedOperation, request: OperationRequest, context: Context
    ) -> AsyncGenerator[Answer, None]:
        """By graphql-core, of what has no plan."""
        stream: Any = await streamed(operation, request, context)
        if isinstance(stream, list):
            yield refused(stream, context.request_id)
            return
        has_begun = False
        try:
            async for result in stream:
                answer = answered(result, context.request_id, context.item_cursor)
                if operation.price is not None and not has_begun:
                    _tell(answer, "cost", operation.price)
                has_begun = True
                yield answer
        except Failed as failure:
            yield failed(failure, context.request_id, has_begun=has_begun)
        finally:
            await stream.aclose()


@contextmanager
def uncollected() -> Iterator[None]:
    """Without looks for cycles: of what a manifest becomes all stays, and looking through it again
    and again takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _tell(answer: Answer, name: str, figures: Mapping[str, int]) -> None:
    answer.body.setdefault("extensions", {})[name] = figures
