"""The same document written otherwise: with fragments, aliases, directives and variables."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    parse_type,
    print_ast,
    value_from_ast_untyped,
    visit,
)


@dataclass(slots=True)
class Rewritten:
    """A document and the values of its variables."""

    text: str
    variables: dict[str, Any]


def rewritten(text: str, schema: GraphQLSchema, seed: int) -> Rewritten:
    """Another spelling of a valid document; it may show less, where a directive says so."""
    info = TypeInfo(schema)
    rewriting = _Rewriting(info, random.Random(seed))
    document = visit(parse(text), TypeInfoVisitor(info, rewriting))
    definitions = [*document.definitions, *rewriting.fragments]
    definitions = [
        _with_variables(one, rewriting) if isinstance(one, OperationDefinitionNode) else one
        for one in definitions
    ]
    return Rewritten(print_ast(DocumentNode(definitions=tuple(definitions))), rewriting.values)


def _with_variables(
    operation: OperationDefinitionNode, rewriting: _Rewriting
) -> OperationDefinitionNode:
    return OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=tuple(rewriting.definitions),
        directives=operation.directives,
        selection_set=operation.selection_set,
    )


class _Rewriting(Visitor):
    def __init__(self, info: TypeInfo, chance: random.Random) -> None:
        super().__init__()
        self._info = info
        self._chance = chance
        self._names = 0
        self.fragments: list[FragmentDefinitionNode] = []
        self.definitions: list[VariableDefinitionNode] = []
        self.values: dict[str, Any] = {}

    def _name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _variable(self, kind: str, value: Any) -> VariableNode:
        variable = VariableNode(name=NameNode(value=self._name("v")))
        self.definitions.append(VariableDefinitionNode(variable=variable, type=parse_type(kind)))
        self.values[variable.name.value] = value
        return variable

    def leave_argument(self, node: ArgumentNode, *_: object) -> ArgumentNode | None:
        argument = self._info.get_argument()
        if argument is None or self._chance.random() > 0.4:
            return None
        value = value_from_ast_untyped(node.value)
        if value is None:
            return None
        return ArgumentNode(name=node.name, value=self._variable(str(argument.type), value))

    def leave_field(self, node: FieldNode, *_: object) -> FieldNode | None:
        if self._chance.random() > 0.15:
            return None
        alias = NameNode(value=self._name("a")) if self._chance.random() < 0.5 else node.alias
        directives = node.directives if alias is not node.alias else (self._directive(),)
        return FieldNode(
            alias=alias,
            name=node.name,
            arguments=node.arguments,
            directives=directives,
            selection_set=node.selection_set,
        )

    def _directive(self) -> DirectiveNode:
        name = self._chance.choice(("include", "skip"))
        shown = self._chance.random() < 0.8
        value = shown if name == "include" else not shown
        given: Any = BooleanValueNode(value=value)
        if self._chance.random() < 0.6:
            given = self._variable("Boolean!", value)
        return DirectiveNode(
            name=NameNode(value=name),
            arguments=(ArgumentNode(name=NameNode(value="if"), value=given),),
        )

    def leave_selection_set(self, node: SelectionSetNode, *_: object) -> SelectionSetNode | None:
        parent = self._info.get_parent_type()
        if parent is None or self._chance.random() > 0.3:
            return None
        cut = self._chance.randrange(len(node.selections))
        kept, moved = node.selections[:cut], node.selections[cut:]
        on = NamedTypeNode(name=NameNode(value=parent.name))
        inner = SelectionSetNode(selections=moved)
        if self._chance.random() < 0.5:
            part: Any = InlineFragmentNode(type_condition=on, directives=(), selection_set=inner)
        else:
            name = NameNode(value=self._name("F"))
            self.fragments.append(
                FragmentDefinitionNode(
                    name=name, type_condition=on, directives=(), selection_set=inner
                )
            )
            part = FragmentSpreadNode(name=name, directives=())
        # Some of it is asked for twice, and has to be merged.
        again = moved[:1] if self._chance.random() < 0.3 else ()
        return SelectionSetNode(selections=(*kept, part, *again))
