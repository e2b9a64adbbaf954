"""Which subscriptions are shown the same, and so are a group.

Two that select the same with the same rights differ in nothing but which events they want: they
have one projection, and each wish its group.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from graphql import FieldNode
from graphql.execution.values import VariableValues

from gateway.execution.documents import PreparedOperation
from gateway.execution.operation import OperationRequest
from gateway.execution.plans.plan import Run
from gateway.execution.plans.plans import Plans
from gateway.execution.streams.deliveries import Projection, RecentDeliveries
from gateway.execution.streams.group import Group
from gateway.logs import tell_from_here
from schema.context import Context
from schema.cost import selected_in
from schema.event_loading import Listening
from schema.planner import Selection
from schema.ports import EventFilter, Needs


@dataclass(frozen=True, slots=True)
class Opening:
    """What a subscription needs until it has begun."""

    run: Run
    operation: PreparedOperation
    request: OperationRequest


@dataclass(frozen=True, slots=True)
class _Kind:
    """Groups that show events alike."""

    projection: Projection
    groups: dict[EventFilter, Group] = field(default_factory=dict)


class Groups:
    """The groups of this process, each for as long as somebody is in it."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._recent = RecentDeliveries()
        self._kinds: dict[Hashable, _Kind] = {}

    def of(self, opening: Opening, listened: Listening) -> Group:
        """The group of those who are shown the same as this one."""
        key = _key(opening.run)
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _Kind(_projection(self._plans, opening, listened))
        where = listened.where
        group = kind.groups.get(where)
        if group is None:
            forget = partial(self._forget, key, where)
            group = kind.groups[where] = Group(kind.projection, where, self._recent, forget)
        return group

    def _forget(self, key: Hashable, where: EventFilter) -> None:
        groups = self._kinds[key].groups
        del groups[where]
        if not groups:
            del self._kinds[key]


def _projection(plans: Plans, opening: Opening, listened: Listening) -> Projection:
    """Nothing of it is about where and of what to listen: that may be all by which thousands of
    groups differ."""
    operation, asked, run = opening.operation, opening.request, opening.run
    selection, context = operation.selection, run.context
    bare = Selection(
        selection.schema, selection.operation, selection.fragments, VariableValues({}, {})
    )
    (root,) = run.plan.fields
    bound = [{} if slot == root.slot else one for slot, one in enumerate(run.bound)]
    context = Context(
        viewer=context.viewer,
        reads=context.reads,
        writes=context.writes,
        events=context.events,
        selection=bare,
        request_id=context.request_id,
        meter=context.meter,
        turn=context.turn,
    )
    variables = copy_context()
    variables.run(tell_from_here)
    # Its text is the document's, and would be held once more for each group.
    request = OperationRequest("", asked.variables, asked.operation_name)
    return Projection(
        plans,
        Run(run.plan, context, bound, Needs()),
        replace(operation, selection=bare, price=None),
        request,
        listened.objects,
        shows_key=_selects(operation, "idempotencyKey"),
        variables=variables,
    )


def _selects(operation: PreparedOperation, name: str) -> bool:
    fragments = (one.definition for one in operation.document.fragments.values())
    parts = selected_in([operation.selection.operation, *fragments])
    return any(isinstance(one, FieldNode) and one.name.value == name for one in parts)


def _key(run: Run) -> Hashable:
    """Equal for those who are shown the same of an event: what is selected with which arguments,
    and the rights. Where one reads on, and which events are wanted, does not change an answer."""
    (root,) = run.plan.fields
    viewer = run.context.viewer
    bound = [one for slot, one in enumerate(run.bound) if slot != root.slot]
    try:
        arguments = _hashable(bound)
    except TypeError:
        return object()
    return (run.plan, arguments, viewer.scopes, viewer.customers)


def _hashable(value: Any) -> Hashable:
    """Raises TypeError for what cannot be compared by what it holds."""
    if isinstance(value, dict):
        return tuple((name, _hashable(one)) for name, one in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    hash(value)
    return value  # type: ignore[no-any-return]
