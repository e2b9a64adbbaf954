"""Answers queries: with an answer that was given before, or by plan, load and project."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import ExecutionResult, GraphQLError

from gateway.execution.answers import answered, failed, refused
from gateway.execution.documents import Document, PreparedOperation
from gateway.execution.graphql_core import executed
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.plans.leaves import Surprise
from gateway.execution.plans.plan import Run
from gateway.execution.plans.plans import Plans
from gateway.execution.warm_answers import CURSOR, WarmAnswer, WarmAnswers, key_of
from schema.context import Context
from schema.event_loading import load_query
from schema.ports import ROOT, ErrorCode, EventListing, Failed, Root, Viewer, still_holds

FILLED_IN = frozenset({"event_cursor"})
"""Fields of which more decides than the objects, and that a kept answer can show all the same."""

TEXT_COST_MIN = 50
"""From this cost on an answer is made as JSON at once; for a smaller one that saves little."""


@dataclass(frozen=True, slots=True)
class Queries:
    """One per process. A query that takes longer than `seconds_max` is given up."""

    plans: Plans
    warm: WarmAnswers | None
    seconds_max: float
    text_cost_min: int = TEXT_COST_MIN

    def known(self, document: Document, request: OperationRequest, viewer: Viewer) -> Known:
        """What is known of earlier answers."""
        if self.warm is None:
            return Known(None, None)
        key = key_of(document, request, viewer)
        return Known(key, None if key is None else self.warm.get(key))

    async def answer(
        self, operation: PreparedOperation, request: OperationRequest, context: Context
    ) -> Answer:
        """Never raises for what a client sent."""
        known = self.known(operation.document, request, context.viewer)
        try:
            async with asyncio.timeout(self.seconds_max):
                cursor = context.events.position()
                if known.answer is not None and await still_holds(known.answer.basis):
                    context.meter.cached += known.answer.basis.cached
                    return known.answer.answer(cursor)
                return await self._anew(operation, request, context, known)
        except GraphQLError as wrong:  # Of a directive whose variable is null.
            return refused([wrong], context.request_id)
        except TimeoutError:
            late = Failed(ErrorCode.TIMEOUT, "the operation took too long and was given up")
            return failed(late, context.request_id)

    async def _anew(
        self,
        operation: PreparedOperation,
        request: OperationRequest,
        context: Context,
        known: Known,
    ) -> Answer:
        run = self.plans.run(operation, context)
        root = await load_query(context, operation.needs() if run is None else run.needs)
        if run is not None:
            try:
                await run.plan.settle(run)
                return self._shown(run, root, operation, known)
            except Surprise:
                self.plans.fell_back("surprise")
        shown = await executed(operation, request, context, root)
        return answered(shown, context.request_id)

    def at_once(
        self, operation: PreparedOperation, context: Context, known: Known
    ) -> Answer | None:
        """The same where nothing has to be waited for; None: it has to be, or graphql-core has to
        decide."""
        plan = self.plans.plan(operation.document, operation.selection)
        if isinstance(plan, str) or not plan.waits_for_nothing:
            return None
        try:
            run = plan.run(context, operation.selection.variables)
            if EventListing in map(type, run.needs.of(ROOT)):
                return None
            root = context.reads.at_once(context.viewer, run.needs, context.meter)
            return None if root is None else self._shown(run, root, operation, known)
        except Surprise:
            return None

    def _shown(self, run: Run, root: Any, operation: PreparedOperation, known: Known) -> Answer:
        """What the plan shows, kept where it may be. Raises `Surprise`."""
        context, basis = run.context, root.basis if isinstance(root, Root) else None
        if self.warm is None or known.key is None or basis is None:
            return self._not_kept(run, root, operation.cost)
        if not run.plan.context_fields <= FILLED_IN:
            return self._not_kept(run, root, operation.cost)
        cursor, context.event_cursor = context.event_cursor, CURSOR
        try:
            data, errors = run.plan.shown(root, run)
        finally:
            context.event_cursor = cursor
        if errors:
            return self._not_kept(run, root, operation.cost)
        warm = WarmAnswer.of(operation.document, basis, operation.cost, data)
        self.warm.keep(known.key, warm)
        return warm.answer(cursor)

    def _not_kept(self, run: Run, root: Any, cost: int) -> Answer:
        if cost >= self.text_cost_min and (text := run.plan.encoded(root, run)) is not None:
            return Answer({"data": orjson.Fragment(text)}, executed=True)
        data, errors = run.plan.shown(root, run)
        return answered(ExecutionResult(data, errors or None), run.context.request_id)


@dataclass(frozen=True, slots=True)
class Known:
    """Where an answer is kept, None where it is not to be; and the one that is there."""

    key: Hashable | None
    answer: WarmAnswer | None
