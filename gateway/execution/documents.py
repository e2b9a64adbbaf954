"""Documents, parsed, validated and limited once each.

Keyed by the text and by what the caller may see of the schema. Bounded, as the texts come from
outside. What is wrong with a document is remembered too, so that a flood of one bad document
costs one look.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.collect_fields import FragmentDetails
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from schema.limits import Limits, check_document
from schema.ports import ErrorCode

DOCUMENTS_MAX = 1000
"""A deployment has tens of distinct documents; clients that inline values make the rest."""
TOKEN_LIMIT_WORDS = "Document contains more than"
"""graphql-core has no class of its own for this error (3.3.2); a test fails if the words move."""
ERRORS_MAX = 5
"""Errors of one document that are told; more of them help nobody."""


@dataclass(frozen=True, slots=True)
class Document:
    """One good document."""

    node: DocumentNode
    operations: tuple[OperationDefinitionNode, ...]
    fragments: dict[str, FragmentDetails]

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to run. Raises a GraphQLError that says what is to be named."""
        if name is None:
            if len(self.operations) == 1:
                return self.operations[0]
            names = ", ".join(one.name.value for one in self.operations if one.name)
            raise _bad(
                "the document has no operation"
                if not self.operations
                else f"operationName must name one of the document's operations: {names}"
            )
        for operation in self.operations:
            if operation.name is not None and operation.name.value == name:
                return operation
        raise _bad(f"the document has no operation named {name!r:.60}")


def _bad(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": ErrorCode.GRAPHQL_VALIDATION_FAILED.value})


class Documents:
    """One per process."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self._known: OrderedDict[tuple[str, bool], Document | list[GraphQLError]] = OrderedDict()

    def get(self, text: str, *, may_introspect: bool) -> Document | list[GraphQLError]:
        """The document, or at most `ERRORS_MAX` errors that say what is wrong with it."""
        key = (text, may_introspect)
        known = self._known.get(key)
        if known is None:
            known = self._look(text, may_introspect)
            self._known[key] = known
            if len(self._known) > DOCUMENTS_MAX:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return known

    def _look(self, text: str, may_introspect: bool) -> Document | list[GraphQLError]:
        try:
            node = parse(text, max_tokens=self._limits.tokens_max, no_location=False)
        except GraphQLError as error:
            return [_parse_error(error)]
        except RecursionError:
            return [_parse_error(GraphQLError("the document is nested too deep"))]
        try:
            check_document(node, self._limits)
        except GraphQLError as error:
            return [error]
        errors = validate(
            self._schema,
            node,
            self._rules(may_introspect),
            max_errors=ERRORS_MAX,
            hide_suggestions=not may_introspect,
        )
        if errors:
            return [_with_code(error) for error in errors[:ERRORS_MAX]]
        return _document(node)

    def _rules(self, may_introspect: bool) -> list[type]:
        rules = [*specified_rules, OneOfInputValidationRule]
        return rules if may_introspect else [*rules, NoSchemaIntrospectionCustomRule]


def _document(node: DocumentNode) -> Document:
    operations = tuple(one for one in node.definitions if isinstance(one, OperationDefinitionNode))
    fragments = {
        one.name.value: FragmentDetails(one)
        for one in node.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    return Document(node, operations, fragments)


def _parse_error(error: GraphQLError) -> GraphQLError:
    is_limit = TOKEN_LIMIT_WORDS in error.message
    code = ErrorCode.QUERY_TOO_COMPLEX if is_limit else ErrorCode.GRAPHQL_PARSE_FAILED
    error.extensions = {**(error.extensions or {}), "code": code.value}
    return error


def _with_code(error: GraphQLError) -> GraphQLError:
    extensions = error.extensions or {}
    if "code" not in extensions:
        error.extensions = {**extensions, "code": ErrorCode.GRAPHQL_VALIDATION_FAILED.value}
    return error
