"""How large a document may be, told from the document alone.

One pass with each fragment measured once: graphql-core's and Strawberry's own limiters walk a
fragment once per spread, which is exponential. What an operation may cost is told in `cost`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gateway.settings.parts import ALWAYS_ENFORCED, Limits
from schema.ports import ErrorCode

NESTING_MAX = 60
"""Levels of fields, fragments and inline fragments: each is several frames of Python's stack."""
INTROSPECTION_DEPTH_MAX = 20
"""The standard introspection query is 15 levels deep. Its lists are bounded by graphql-core."""
COUNTED_MAX = 1_000_000
"""Where counting stops: fragments that fan out add up to numbers of hundreds of digits."""


class Excess(GraphQLError):
    """One ceiling that was exceeded. `limit` is named as its setting is, without `_max`."""

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message, extensions={"code": ErrorCode.QUERY_TOO_COMPLEX.value})
        self.limit = limit


def exceeded(limit: str, subject: str, counted: int, ceiling: int, noun: str) -> Excess:
    """An excess in words that name the limit, the count and the ceiling."""
    count = f"{COUNTED_MAX} or more" if counted >= COUNTED_MAX else f"{counted}"
    return Excess(limit, f"{subject} {count} {noun}; at most {ceiling} are allowed")


def input_depth(*values: Any) -> int:
    """How deep lists and objects are nested in literals of a document, or in JSON."""
    deepest = 0
    waiting: list[tuple[Iterable[Any], int]] = [(values, 0)]
    while waiting:
        siblings, depth = waiting.pop()
        deepest = max(deepest, depth)
        for value in siblings:
            if isinstance(value, dict):
                waiting.append((value.values(), depth + 1))
            elif isinstance(value, list):
                waiting.append((value, depth + 1))
            elif isinstance(value, ListValueNode):
                waiting.append((value.values, depth + 1))
            elif isinstance(value, ObjectValueNode):
                waiting.append(([field.value for field in value.fields], depth + 1))
    return deepest


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

    def add_directives(self, directives: Sequence[DirectiveNode]) -> None:
        """Count the directives of one place, and look into their arguments."""
        self.directives += len(directives)
        self.directives_per_location = max(self.directives_per_location, len(directives))
        for directive in directives:
            self.look_into(directive.arguments or ())

    def add_below(self, name: str, inner: _Shape) -> None:
        """Add what is selected of a field.

        Introspection is deep by nature, so its levels are counted apart, and its lists multiply
        without a price, so they may not be asked for several times under aliases.
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
        nesting = max(self.nesting, inner.nesting + 1)
        self.add(inner)
        self.nesting = nesting
        self.root_fields = min(self.root_fields + inner.root_fields, COUNTED_MAX)

    def look_into(self, arguments: Iterable[ArgumentNode]) -> None:
        nested = input_depth(*[argument.value for argument in arguments])
        self.input_depth = max(self.input_depth, nested)


_DEEPEST = ("depth", "nesting", "introspection_depth", "input_depth", "directives_per_location")
_SUMS = ("fields", "aliases", "directives", "introspection_aliases")
"""What two selection sets are together: the deeper of both, and both in one. Root fields are added
by a spread alone."""


@dataclass(slots=True)
class _Measure:
    """Measures selection sets, each fragment once."""

    fragments: Mapping[str, FragmentDefinitionNode]
    seen: dict[str, _Shape | None] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode, level: int = 1) -> _Shape:
        if level > NESTING_MAX:
            return _Shape(nesting=1)  # Not looked at: it is too deep, whatever is in it.
        shape = _Shape()
        for node in selections.selections:
            if node.directives:
                shape.add_directives(node.directives)
            if isinstance(node, FieldNode):
                self._add_field(shape, node, level)
            elif isinstance(node, FragmentSpreadNode):
                shape.add_spread(self.of_fragment(node.name.value, level + 1))
            elif isinstance(node, InlineFragmentNode):
                shape.add_spread(self.of(node.selection_set, level + 1))
        return shape

    def _add_field(self, shape: _Shape, node: FieldNode, level: int) -> None:
        if node.selection_set:
            shape.add_below(node.name.value, self.of(node.selection_set, level + 1))
        shape.depth = max(shape.depth, 1)
        shape.nesting = max(shape.nesting, 1)
        shape.fields += 1
        shape.root_fields += 1
        if node.alias:
            shape.aliases += 1
            shape.introspection_aliases += node.name.value == "__schema"
        if node.arguments:
            shape.look_into(node.arguments)

    def of_fragment(self, name: str, level: int = 1) -> _Shape:
        definition = self.fragments.get(name)
        if name in self.seen or definition is None:
            # None while it is being measured: it spreads itself, which validation refuses.
            return self.seen.get(name) or _Shape()
        self.seen[name] = None
        shape = self.of(definition.selection_set, level)
        shape.add_directives(definition.directives or ())
        self.seen[name] = shape
        return shape

    def of_operation(self, definition: OperationDefinitionNode) -> _Shape:
        shape = self.of(definition.selection_set)
        shape.add_directives(definition.directives or ())
        variables = definition.variable_definitions or ()
        for variable in variables:
            shape.add_directives(variable.directives or ())
        defaults = input_depth(*[variable.default_value for variable in variables])
        shape.input_depth = max(shape.input_depth, defaults)
        return shape


def excesses_of(document: DocumentNode, limits: Limits) -> list[Excess]:
    """Every ceiling that the document exceeds, what protects the process first."""
    total = _measured(document)
    if total.nesting > NESTING_MAX:
        # Nothing else is told of it: not all of the document was looked at.
        noun = "levels of fields and fragments in each other"
        return [exceeded("nesting", "the document has", total.nesting, NESTING_MAX, noun)]
    found = [
        exceeded(limit, "the document has", counted, ceiling, noun)
        for limit, counted, ceiling, noun in _counts(total, limits)
        if counted > ceiling
    ]
    return sorted(found, key=lambda one: one.limit not in ALWAYS_ENFORCED)


def _measured(document: DocumentNode) -> _Shape:
    """The document as a whole: sums over its operations, and the largest of the rest."""
    definitions = document.definitions
    fragments = [node for node in definitions if isinstance(node, FragmentDefinitionNode)]
    measure, total = _Measure({node.name.value: node for node in fragments}), _Shape()
    for definition in definitions:
        if isinstance(definition, OperationDefinitionNode):
            operation = measure.of_operation(definition)
            total.add(operation)
            total.root_fields = max(total.root_fields, operation.root_fields)
    for name in measure.fragments:
        if name not in measure.seen:  # Unused: not valid, but looked at before that is known.
            total.add(measure.of_fragment(name))
    return total


def _counts(total: _Shape, limits: Limits) -> Iterable[tuple[str, int, int, str]]:
    """Each limit with what was counted, its ceiling and its noun, in order of precedence."""
    introspection_depth_max = max(INTROSPECTION_DEPTH_MAX, limits.depth_max)
    return (
        ("depth", total.depth, limits.depth_max, "levels of fields"),
        ("depth", total.introspection_depth, introspection_depth_max, "levels of introspection"),
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
