"""How large a document may be, told from the document alone.

One pass with each fragment measured once: graphql-core's and Strawberry's own limiters walk a
fragment once per spread, which is exponential. What an operation may cost is told in `cost`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gateway.settings.groups import ALWAYS_ENFORCED, Limits
from schema.ports import ErrorCode

NESTING_MAX = 60
"""Levels of fields, fragments and inline fragments: each is several frames of Python's stack."""
INTROSPECTION_DEPTH_MAX = 20
"""The standard introspection query is 15 levels deep. Its lists are bounded by graphql-core."""
COUNTED_MAX = 1_000_000
"""Where counting stops: fragments that fan out add up to numbers of hundreds of digits."""


@dataclass(frozen=True, slots=True)
class Excess:
    """One ceiling that was exceeded. `limit` is named as its setting is, without `_max`."""

    limit: str
    sentence: str

    @property
    def error(self) -> GraphQLError:
        code = ErrorCode.QUERY_TOO_COMPLEX.value
        return GraphQLError(self.sentence, extensions={"code": code})


def exceeded(limit: str, subject: str, counted: int, ceiling: int, noun: str) -> Excess:
    """An excess in words that name the limit, the count and the ceiling."""
    more = " or more" if counted >= COUNTED_MAX else ""
    return Excess(limit, f"{subject} {counted}{more} {noun}; at most {ceiling} are allowed")


def input_depth(*values: Any) -> int:
    """How deep lists and objects are nested in literals of a document, or in JSON."""
    deepest, waiting = 0, [(value, 1) for value in values]
    while waiting:
        value, depth = waiting.pop()
        children = _children(value)
        if children is not None:
            deepest = max(deepest, depth)
            waiting.extend((child, depth + 1) for child in children)
    return deepest


def _children(value: Any) -> Iterable[Any] | None:
    if isinstance(value, ListValueNode):
        return value.values
    if isinstance(value, ObjectValueNode):
        return [field.value for field in value.fields]
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else None


@dataclass(slots=True)
class _Shape:
    """What a selection set adds up to, fragments spread out."""

    depth: int = 0
    nesting: int = 0
    introspection_depth: int = 0
    input_depth: int = 0
    directives_per_location: int = 0
    fields: int = 0
    root_fields: int = 0
    aliases: int = 0
    introspection_aliases: int = 0
    directives: int = 0

    def add(self, other: _Shape) -> None:
        """Take over a selection set that stands beside or below."""
        for name in _DEEPEST:
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        for name in _SUMS:
            setattr(self, name, min(getattr(self, name) + getattr(other, name), COUNTED_MAX))

    def add_directives(self, directives: Iterable[DirectiveNode]) -> None:
        """Count the directives of one place, and look into their arguments."""
        here = 0
        for directive in directives:
            here += 1
            self._look_into(directive.arguments or ())
        self.directives = min(self.directives + here, COUNTED_MAX)
        self.directives_per_location = max(self.directives_per_location, here)

    def add_field(self, node: FieldNode, inner: _Shape | None) -> None:
        if inner is not None:
            self._add_below(node.name.value, inner)
        self.fields = min(self.fields + 1, COUNTED_MAX)
        self.root_fields = min(self.root_fields + 1, COUNTED_MAX)
        self.depth = max(self.depth, 1)
        self.nesting = max(self.nesting, 1)
        if node.alias:
            self.aliases = min(self.aliases + 1, COUNTED_MAX)
        if node.name.value == "__schema" and node.alias:
            self.introspection_aliases += 1
        if node.arguments:
            self._look_into(node.arguments)

    def _add_below(self, name: str, inner: _Shape) -> None:
        """Introspection is deep by nature, so its levels are counted apart, and its lists
        multiply without a price, so they may not be asked for several times under aliases.
        """
        inner.nesting += 1
        if name in ("__schema", "__type"):
            inner.introspection_depth = max(inner.introspection_depth, inner.depth + 1)
            inner.depth = 1
            inner.introspection_aliases = inner.aliases
        else:
            inner.depth += 1
        self.add(inner)

    def add_spread(self, inner: _Shape) -> None:
        """Add the fields of a fragment, which stand at this very level of the answer."""
        nesting = self.nesting
        self.add(inner)
        self.nesting = max(nesting, inner.nesting + 1)
        self.root_fields = min(self.root_fields + inner.root_fields, COUNTED_MAX)

    def _look_into(self, arguments: Iterable[Any]) -> None:
        nested = input_depth(*(argument.value for argument in arguments))
        self.input_depth = max(self.input_depth, nested)


_DEEPEST = ("depth", "nesting", "introspection_depth", "input_depth", "directives_per_location")
_SUMS = ("fields", "aliases", "directives", "introspection_aliases")
"""What two selection sets are together: the deeper of both, and both in one. Root fields are added
by a spread alone."""


class _NestedTooDeep(Exception):
    """The document goes deeper than it can be followed."""


@dataclass(slots=True)
class _Measure:
    """Measures selection sets, each fragment once."""

    fragments: Mapping[str, FragmentDefinitionNode]
    seen: dict[str, _Shape | None] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode | None, level: int = 1) -> _Shape:
        shape = _Shape()
        if level > NESTING_MAX:
            raise _NestedTooDeep
        for node in selections.selections if selections else ():
            self._add(shape, node, level)
        return shape

    def _add(self, shape: _Shape, node: Any, level: int) -> None:
        if node.directives:
            shape.add_directives(node.directives)
        if isinstance(node, FieldNode):
            inner = self.of(node.selection_set, level + 1) if node.selection_set else None
            shape.add_field(node, inner)
        elif isinstance(node, FragmentSpreadNode):
            shape.add_spread(self.of_fragment(node.name.value, level + 1))
        else:
            shape.add_spread(self.of(node.selection_set, level + 1))

    def of_fragment(self, name: str, level: int = 1) -> _Shape:
        if name in self.seen:
            # None while it is being measured: it spreads itself, which validation refuses.
            return self.seen[name] or _Shape()
        definition = self.fragments.get(name)
        if definition is None:
            return _Shape()
        self.seen[name] = None
        shape = self.of(definition.selection_set, level)
        shape.add_directives(definition.directives or ())
        self.seen[name] = shape
        return shape


def excesses_of(document: DocumentNode, limits: Limits) -> list[Excess]:
    """Every ceiling that the document exceeds, what protects the process first."""
    try:
        total = _measured(document)
    except _NestedTooDeep:
        return [_too_deep(NESTING_MAX + 1)]
    if total.nesting > NESTING_MAX:
        return [_too_deep(total.nesting)]
    found = [
        exceeded(limit, "the document has", counted, ceiling, noun)
        for limit, counted, ceiling, noun in _counts(total, limits)
        if counted > ceiling
    ]
    return sorted(found, key=lambda one: one.limit not in ALWAYS_ENFORCED)


def _too_deep(nesting: int) -> Excess:
    noun = "levels of fields and fragments in each other"
    return exceeded("nesting", "the document has", nesting, NESTING_MAX, noun)


def _counts(total: _Shape, limits: Limits) -> Iterable[tuple[str, int, int, str]]:
    """Each limit with what was counted, its ceiling and its noun, in order of precedence."""
    return (
        ("depth", total.depth, limits.depth_max, "levels of fields"),
        (
            "depth",
            total.introspection_depth,
            max(INTROSPECTION_DEPTH_MAX, limits.depth_max),
            "levels of introspection",
        ),
        ("aliases", total.aliases, limits.aliases_max, "aliases with fragments spread out"),
        ("introspection_aliases", total.introspection_aliases, 0, "aliases within introspection"),
        ("root_fields", total.root_fields, limits.root_fields_max, "root fields in an operation"),
        (
            "directives_per_location",
            total.directives_per_location,
            limits.directives_per_location_max,
            "directives in one place",
        ),
        ("directives", total.directives, limits.directives_max, "directives"),
        ("fields", total.fields, limits.fields_max, "fields with fragments spread out"),
        ("input_depth", total.input_depth, limits.input_depth_max, "levels of lists and objects"),
    )


def _measured(document: DocumentNode) -> _Shape:
    """The document as a whole: sums over its operations, and the largest of the rest."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    measure, total = _Measure(fragments), _Shape()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operation = _operation(definition, measure)
            total.add(operation)
            total.root_fields = max(total.root_fields, operation.root_fields)
    for name in fragments:
        if name not in measure.seen:  # Unused: not valid, but looked at before that is known.
            total.add(measure.of_fragment(name))
    return total


def _operation(definition: OperationDefinitionNode, measure: _Measure) -> _Shape:
    shape = measure.of(definition.selection_set)
    shape.add_directives(definition.directives or ())
    for variable in definition.variable_definitions or ():
        shape.add_directives(variable.directives or ())
        if variable.default_value is not None:
            shape.input_depth = max(shape.input_depth, input_depth(variable.default_value))
    return shape
