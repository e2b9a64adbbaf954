"""Documents that are plainly valid, told in one pass.

graphql-core asks thirty rules about each node, and takes as long as all else that is done with a
document. Here is no rule of our own and no word of refusal: whatever is not plainly good, and what
is rare, is left to graphql-core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLBoolean,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_enum_type,
    is_input_object_type,
    is_input_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
    is_specified_scalar_type,
    is_type_sub_type_of,
    print_ast,
    type_from_ast,
)
from graphql.utilities import do_types_overlap

from schema.cost import STRAWBERRY, selected_in

LOOKED_AT_MAX = 3000
"""Fields and values of one document, fragments spread out: graphql-core looks at each once, however
often it is spread."""
REPEATS_MAX = 50
"""Fields that are asked for again, and fragments that are spread. graphql-core compares them pair
by pair, and has a ceiling for it that is not known here."""
INT_DIGITS_MAX = 9
"""So many always fit into an Int."""

LITERALS: dict[str, tuple[type, ...]] = {
    "Boolean": (BooleanValueNode,),
    "ID": (StringValueNode, IntValueNode),
    "Int": (IntValueNode,),
    "String": (StringValueNode,),
}
"""What may stand for a scalar of GraphQL's own. Which values are good for one of ours is not known
here."""
CONDITION = GraphQLNonNull(GraphQLBoolean)


class _Unsure(Exception):
    """Left to graphql-core."""


@dataclass(frozen=True, slots=True)
class _Field:
    """What has to be known of a field of the schema. `below` is None for a leaf."""

    name: str
    text: str
    below: Any
    arguments: dict[str, Any]
    required: frozenset[str]


_TYPENAME = _Field("__typename", "String!", None, {}, frozenset())


class QuickValidation:
    """One per schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._fields = {
            (kind.name, name): _Field(
                name,
                str(one.type),
                None if is_leaf_type(get_named_type(one.type)) else get_named_type(one.type),
                one.args,
                frozenset(key for key, each in one.args.items() if is_required_argument(each)),
            )
            for kind in schema.type_map.values()
            if is_composite_type(kind)
            for name, one in getattr(kind, "fields", {}).items()
        }
        self._overlap = cache(lambda one, other: do_types_overlap(schema, one, other))

    def is_good(self, document: DocumentNode) -> bool:
        """Whether graphql-core would find nothing wrong with a document that exceeds no limit.
        False: it has to be asked."""
        try:
            _Look(self._schema, self._fields, self._overlap).into(document)
        except _Unsure:
            return False
        return True


@dataclass(slots=True)
class _Look:
    """One look at a document, with each fragment where it is spread."""

    schema: GraphQLSchema
    fields: dict[tuple[str, str], _Field]
    overlap: Callable[[Any, Any], bool]
    fragments: dict[str, tuple[Any, SelectionSetNode]] = field(default_factory=dict)
    spread: set[str] = field(default_factory=set)
    variables: dict[str, Any] = field(default_factory=dict, repr=False)
    """Of the operation that is looked at, with their types."""
    used: set[str] = field(default_factory=set)
    told: dict[int, set[str]] = field(default_factory=dict)
    """Arguments of fields that are asked for again, printed once."""
    counted: int = 0
    repeats: int = 0

    def into(self, document: DocumentNode) -> None:
        operations: list[OperationDefinitionNode] = []
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                operations.append(node)
            elif isinstance(node, FragmentDefinitionNode):
                self._add_fragment(node)
            else:
                raise _Unsure
        names = {one.name.value if one.name else None for one in operations}
        _must(len(names) == len(operations) and (len(names) == 1 or None not in names))
        if self.fragments:
            self._must_be_without_circles()
        for operation in operations:
            self._operation(operation)
        _must(self.spread == self.fragments.keys())

    def _add_fragment(self, node: FragmentDefinitionNode) -> None:
        name, kind = node.name.value, self.schema.get_type(node.type_condition.name.value)
        _must(name not in self.fragments and is_composite_type(kind))
        _must(not node.directives and not node.variable_definitions)
        self.fragments[name] = (kind, node.selection_set)

    def _must_be_without_circles(self) -> None:
        """Each fragment only after all that it spreads; what is left over goes in circles."""
        waiting = {name: _spreads(one) for name, (_, one) in self.fragments.items()}
        while waiting:
            ready = [name for name, spreads in waiting.items() if not spreads & waiting.keys()]
            _must(bool(ready))
            for name in ready:
                del waiting[name]

    def _operation(self, node: OperationDefinitionNode) -> None:
        kind = self.schema.get_root_type(node.operation)
        _must(kind is not None and not node.directives)
        if node.operation is OperationType.SUBSCRIPTION:
            first: Any = node.selection_set.selections[0]
            _must(len(node.selection_set.selections) == 1 and isinstance(first, FieldNode))
            _must(first.name.value != "__typename" and not first.directives)
        self.variables, self.used = {}, set()
        for one in node.variable_definitions or ():
            name, of_type = one.variable.name.value, type_from_ast(self.schema, one.type)
            _must(name not in self.variables and not one.directives)
            _must(of_type is not None and is_input_type(of_type))
            self.variables[name] = of_type
            if one.default_value is not None:
                self._value(one.default_value, of_type)
        self._level([(kind, node.selection_set)])
        _must(self.used == self.variables.keys())

    def _level(self, waiting: list[tuple[Any, SelectionSetNode]]) -> None:
        """Selection sets whose fields stand beside each other in the answer, with their types."""
        found: dict[str, list[tuple[_Field, FieldNode]]] = {}
        spread: set[str] = set()
        while waiting:
            kind, selections = waiting.pop()
            for node in selections.selections:
                if node.directives:
                    self._conditions(node.directives)
                if isinstance(node, FieldNode):
                    self._field(kind, node, found)
                elif isinstance(node, FragmentSpreadNode):
                    name = node.name.value
                    _must(name in self.fragments)
                    on, inner = self.fragments[name]
                    _must(self.overlap(kind, on))
                    self._repeated()
                    if name not in spread:
                        spread.add(name)
                        waiting.append((on, inner))
                elif isinstance(node, InlineFragmentNode):
                    waiting.append(self._inline(kind, node))
        self.spread |= spread
        for same in found.values():
            below = same[0][0].below
            if below is not None:
                self._level([(below, _selected(node)) for _, node in same])

    def _inline(self, kind: Any, node: InlineFragmentNode) -> tuple[Any, SelectionSetNode]:
        if node.type_condition is not None:
            on = self.schema.get_type(node.type_condition.name.value)
            _must(is_composite_type(on) and self.overlap(kind, on))
            kind = on
        return kind, node.selection_set

    def _field(
        self, kind: Any, node: FieldNode, found: dict[str, list[tuple[_Field, FieldNode]]]
    ) -> None:
        name = node.name.value
        known = _TYPENAME if name == "__typename" else self.fields.get((kind.name, name))
        if known is None:
            raise _Unsure
        self._looked_at()
        if (known.below is None) is not (node.selection_set is None):
            raise _Unsure
        if node.arguments or known.required:
            self._given(node.arguments, known.arguments, known.required)
        key = node.alias.value if node.alias else name
        same = found.setdefault(key, [])
        same.append((known, node))
        if len(same) > 1:
            first, other = same[0]
            self._repeated()
            _must(first.name == name and first.text == known.text)
            _must(self._told(node) == self._told(other))

    def _told(self, node: FieldNode) -> set[str]:
        if id(node) not in self.told:
            self.told[id(node)] = {print_ast(one) for one in node.arguments or ()}
        return self.told[id(node)]

    def _looked_at(self) -> None:
        self.counted += 1
        _must(self.counted <= LOOKED_AT_MAX)

    def _repeated(self) -> None:
        self.repeats += 1
        _must(self.repeats <= REPEATS_MAX)

    def _conditions(self, directives: Sequence[DirectiveNode]) -> None:
        names = [one.name.value for one in directives]
        _must(len(set(names)) == len(names) and {"skip", "include"}.issuperset(names))
        for one in directives:
            arguments = one.arguments or ()
            _must([each.name.value for each in arguments] == ["if"])
            self._value(arguments[0].value, CONDITION)

    def _given(
        self,
        nodes: Iterable[ArgumentNode | ObjectFieldNode] | None,
        known: dict[str, Any],
        required: frozenset[str],
        *,
        is_one_of: bool = False,
    ) -> None:
        """Arguments, or the fields of an input."""
        given = set()
        for node in nodes or ():
            name = node.name.value
            _must(name in known and name not in given)
            given.add(name)
            self._value(node.value, known[name].type, is_one_of=is_one_of)
        _must(required <= given)

    def _value(self, node: Any, kind: Any, *, is_one_of: bool = False) -> None:
        """`is_one_of`: null would be none of them."""
        self._looked_at()
        if isinstance(node, VariableNode):
            given = self.variables.get(node.name.value)
            _must(given is not None and is_type_sub_type_of(self.schema, given, kind))
            _must(not is_one_of or is_non_null_type(given))
            self.used.add(node.name.value)
            return
        is_nullable = not is_non_null_type(kind)
        kind = kind if is_nullable else kind.of_type
        if isinstance(node, NullValueNode):
            _must(is_nullable and not is_one_of)
        elif is_list_type(kind):
            for item in node.values if isinstance(node, ListValueNode) else (node,):
                self._value(item, kind.of_type)
        elif is_input_object_type(kind):
            _must(isinstance(node, ObjectValueNode))
            required = (name for name, one in kind.fields.items() if is_required_input_field(one))
            is_one_of = _is_one_of(kind)
            self._given(node.fields, kind.fields, frozenset(required), is_one_of=is_one_of)
            _must(not is_one_of or len(node.fields) == 1)
        elif is_enum_type(kind):
            _must(isinstance(node, EnumValueNode) and node.value in kind.values)
        else:
            _must(is_specified_scalar_type(kind) and isinstance(node, LITERALS.get(kind.name, ())))
            _must(kind.name != "Int" or len(node.value.lstrip("-")) <= INT_DIGITS_MAX)


def _must(is_so: bool) -> None:
    if not is_so:
        raise _Unsure


def _is_one_of(kind: GraphQLInputObjectType) -> bool:
    """Strawberry has a mark and a rule of its own for it."""
    return kind.is_one_of or kind.extensions[STRAWBERRY].is_one_of


def _selected(node: FieldNode) -> SelectionSetNode:
    assert node.selection_set is not None
    return node.selection_set


def _spreads(selections: SelectionSetNode) -> set[str]:
    return {
        one.name.value
        for one in selected_in(selections.selections)
        if isinstance(one, FragmentSpreadNode)
    }
