"""How large a document may be, told from the document alone.

One pass with each fragment measured once: graphql-core's and Strawberry's own limiters walk a
fragment once per spread, which is exponential. What an operation may cost is told in `cost`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from graphql import (
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

from schema.ports import ErrorCode

NESTING_MAX = 60
"""Levels of fields, fragments and inline fragments: each is several frames of Python's stack."""
INTROSPECTION_DEPTH_MAX = 20
"""The standard introspection query is 15 levels deep. Its lists are bounded by graphql-core."""
COUNTED_MAX = 1_000_000
"""The largest count that is told: fragments that fan out add up to hundreds of digits."""

ALWAYS_ENFORCED = frozenset(
    {"tokens", "nesting", "fields", "input_depth", "introspection_aliases", "comparisons"}
)
"""What protects the process itself, and is refused in warn mode too."""


DOCUMENT = "the document has"
NOUNS = {
    "depth": "levels of fields",
    "introspection_depth": "levels of introspection",
    "aliases": "aliases with fragments spread out",
    "introspection_aliases": "aliases within introspection",
    "root_fields": "root fields in an operation",
    "directives_per_location": "directives in one place",
    "directives": "directives",
    "fields": "fields with fragments spread out",
    "input_depth": "levels of lists and objects",
}
"""What of a document has a ceiling, in order of precedence."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings for one document and its variables, named as their settings are. Cost is counted in
    objects.
    """

    tokens_max: int = 1000
    depth_max: int = 15
    aliases_max: int = 15
    root_fields_max: int = 25
    directives_max: int = 50
    directives_per_location_max: int = 10
    fields_max: int = 2000
    input_depth_max: int = 10
    cost_max: int = 5000
    limits_mode: Literal["enforce", "warn"] = "enforce"
    """With `warn`, what exceeds a ceiling runs and is told, save for `ALWAYS_ENFORCED`."""

    @classmethod
    def of(cls, settings: object) -> Limits:
        """The limits that stand in the settings of the same names."""
        return cls(**{one.name: getattr(settings, one.name) for one in fields(cls)})

    def refuses(self, limit: str) -> bool:
        """Whether what exceeds this limit is refused, not only told."""
        return self.limits_mode == "enforce" or limit in ALWAYS_ENFORCED


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
    told = f"{COUNTED_MAX} or more" if counted >= COUNTED_MAX else counted
    return Excess(limit, f"{subject} {told} {noun}; at most {ceiling} are allowed")


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
    """What a selection set adds up to, fragments spread out: first maxima, then sums."""

    depth: int = 0
    nesting: int = 0
    introspection_depth: int = 0
    input_depth: int = 0
    directives_per_location: int = 0
    fields: int = 0
    aliases: int = 0
    introspection_aliases: int = 0
    directives: int = 0
    root_fields: int = 0

    def add(self, other: _Shape) -> None:
        """Take over a selection set that stands beside or below. Its root fields are not ours."""
        self.depth = max(self.depth, other.depth)
        self.nesting = max(self.nesting, other.nesting)
        self.introspection_depth = max(self.introspection_depth, other.introspection_depth)
        self.look_into(other.input_depth)
        self.directives_per_location = max(
            self.directives_per_location, other.directives_per_location
        )
        self.fields += other.fields
        self.aliases += other.aliases
        self.introspection_aliases += other.introspection_aliases
        self.directives += other.directives

    def add_directives(self, directives: Sequence[DirectiveNode] | None) -> None:
        """Count the directives of one place, and look into their arguments."""
        for directive in directives or ():
            self.look_into(_arguments_depth(directive))
        here = len(directives or ())
        self.directives += here
        self.directives_per_location = max(self.directives_per_location, here)

    def add_field(self, node: FieldNode, inner: _Shape | None) -> None:
        """Count a field, and take over what is selected below it. Introspection is deep by nature,
        so its levels are counted apart, and its lists multiply without a price, so they may not be
        asked for several times under aliases.
        """
        depth = 1
        if inner is not None:
            if node.name.value in ("__schema", "__type"):
                inner.introspection_depth = max(inner.introspection_depth, inner.depth + 1)
                inner.introspection_aliases = inner.aliases
                inner.depth = 0
            depth += inner.depth
            self.add(inner)
        self.depth = max(self.depth, depth)
        self.nesting = max(self.nesting, 1 + (inner.nesting if inner else 0))
        self.fields += 1
        self.root_fields += 1
        if node.alias:
            self.aliases += 1
            self.introspection_aliases += node.name.value == "__schema"
        if node.arguments:
            self.look_into(_arguments_depth(node))

    def add_spread(self, inner: _Shape) -> None:
        """Add the fields of a fragment, which stand at this very level of the answer."""
        self.add(inner)
        self.nesting = max(self.nesting, inner.nesting + 1)
        self.root_fields += inner.root_fields

    def look_into(self, depth: int) -> None:
        self.input_depth = max(self.input_depth, depth)


def _arguments_depth(node: FieldNode | DirectiveNode) -> int:
    return input_depth(*(argument.value for argument in node.arguments or ()))


class _NestedTooDeep(Exception):
    """The document goes deeper than it can be followed."""


@dataclass(slots=True)
class _Measure:
    """Measures selection sets, each fragment once."""

    fragments: Mapping[str, FragmentDefinitionNode]
    seen: dict[str, _Shape | None] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode, level: int = 1) -> _Shape:
        shape = _Shape()
        if level > NESTING_MAX:
            raise _NestedTooDeep
        for node in selections.selections:
            if node.directives:
                shape.add_directives(node.directives)
            if isinstance(node, FieldNode):
                inner = self.of(node.selection_set, level + 1) if node.selection_set else None
                shape.add_field(node, inner)
            elif isinstance(node, FragmentSpreadNode):
                shape.add_spread(self.of_fragment(node.name.value, level + 1))
            elif isinstance(node, InlineFragmentNode):
                shape.add_spread(self.of(node.selection_set, level + 1))
        return shape

    def of_fragment(self, name: str, level: int = 1) -> _Shape:
        if name in self.seen:
            # None while it is being measured: it spreads itself, which validation refuses.
            return self.seen[name] or _Shape()
        definition = self.fragments.get(name)
        if definition is None:
            return _Shape()
        self.seen[name] = None
        shape = self.of(definition.selection_set, level)
        shape.add_directives(definition.directives)
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
        exceeded(name.replace("introspection_depth", "depth"), DOCUMENT, counted, ceiling, noun)
        for name, noun in NOUNS.items()
        if (counted := getattr(total, name)) > (ceiling := _ceiling(name, limits))
    ]
    return sorted(found, key=lambda one: one.limit not in ALWAYS_ENFORCED)


def _too_deep(nesting: int) -> Excess:
    noun = "levels of fields and fragments in each other"
    return exceeded("nesting", DOCUMENT, nesting, NESTING_MAX, noun)


def _ceiling(counted: str, limits: Limits) -> int:
    if counted == "introspection_depth":
        return max(INTROSPECTION_DEPTH_MAX, limits.depth_max)
    ceiling: int = 0 if counted == "introspection_aliases" else getattr(limits, f"{counted}_max")
    return ceiling


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
    shape.add_directives(definition.directives)
    for variable in definition.variable_definitions or ():
        shape.add_directives(variable.directives)
        if variable.default_value is not None:
            shape.look_into(input_depth(variable.default_value))
    return shape
