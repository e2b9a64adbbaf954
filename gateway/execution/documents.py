"""Documents, parsed, validated and limited once each.

Keyed by the text and by what the caller may see of the schema. Bounded, as the texts come from
outside. What is wrong with a document is remembered too, so that a flood of one bad document
costs one look.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.collect_fields import FragmentDetails
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.execution.document_limits import Excess, excesses_of
from gateway.execution.schema_redaction import SchemaRedaction
from gateway.settings import Limits
from schema.ports import ErrorCode

log = logging.getLogger(__name__)

DOCUMENTS_MAX = 1000
"""A deployment has tens of distinct documents; clients that inline values make the rest."""
CHARACTERS_MAX = 200_000
"""Of all kept texts together: a parsed document takes up to 300 bytes for each character."""
COMPARISONS_MAX = 50_000
"""Steps of comparing fields of one name, which is quadratic: 10 ms. A page of a frontend takes
hundreds."""
ERRORS_MAX = 5
"""Errors of one document that are told; more of them help nobody."""

# graphql-core has no class of its own for these errors (3.3.2); a test fails if the words move.
TOKEN_LIMIT_WORDS = "Document contains more than"
NESTING_LIMIT_WORDS = "Document is nested too deeply"
ABORTED_WORDS = "Validation aborted."

OnExceeded = Callable[[str, bool], None]
"""Told each time that a document exceeds a limit: the limit, and whether it was refused for it."""


def nobody(limit: str, enforced: bool) -> None:
    """Nobody counts what exceeds a limit."""


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


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one look at a document has found."""

    outcome: Document | list[GraphQLError]
    excesses: tuple[Excess, ...] = ()


class Documents:
    """One per process."""

    def __init__(
        self, schema: GraphQLSchema, limits: Limits, *, on_exceeded: OnExceeded = nobody
    ) -> None:
        self.schema = schema
        self.limits = limits
        self.redaction = SchemaRedaction(schema)
        self._on_exceeded = on_exceeded
        self._characters = 0
        self._known: OrderedDict[tuple[str, bool], _Looked] = OrderedDict()

    def get(self, text: str, *, may_introspect: bool) -> Document | list[GraphQLError]:
        """The document, or at most `ERRORS_MAX` errors that say what is wrong with it."""
        key = (text, may_introspect)
        looked = self._known.get(key)
        if looked is None:
            looked = self._look(text, may_introspect)
            self._keep(key, looked)
        else:
            self._known.move_to_end(key)
        for excess in looked.excesses:
            self._on_exceeded(excess.limit, self.limits.refuses(excess.limit))
        return looked.outcome

    def knows(self, text: str, *, may_introspect: bool) -> bool:
        """Whether a look at the document costs nothing any more."""
        return (text, may_introspect) in self._known

    def _keep(self, key: tuple[str, bool], looked: _Looked) -> None:
        self._known[key] = looked
        self._characters += len(key[0])
        while len(self._known) > DOCUMENTS_MAX or self._characters > CHARACTERS_MAX:
            (oldest, _), _ = self._known.popitem(last=False)
            self._characters -= len(oldest)

    def _look(self, text: str, may_introspect: bool) -> _Looked:
        try:
            node = parse_document(text, self.limits)
        except Exceeds as exceeds:
            return _Looked([exceeds.excess.error], (exceeds.excess,))
        except GraphQLError as error:
            return _Looked([error])
        excesses = tuple(excesses_of(node, self.limits))
        for excess in excesses:
            if self.limits.refuses(excess.limit):
                return _Looked([excess.error], excesses)
            log.warning("limit %s is exceeded, and only told: %s", excess.limit, excess.sentence)
        try:
            errors = validated(self.schema, node, may_introspect=may_introspect)
        except Exceeds as exceeds:
            return _Looked([exceeds.excess.error], (*excesses, exceeds.excess))
        if errors:
            told = errors if may_introspect else self.redaction.applied(errors, sent=text)
            return _Looked(told, excesses)
        return _Looked(_document(node), excesses)


class Exceeds(Exception):
    """The document is beyond a ceiling that graphql-core enforces for us."""

    def __init__(self, limit: str, sentence: str) -> None:
        super().__init__(sentence)
        self.excess = Excess(limit, sentence)


def parse_document(text: str, limits: Limits) -> DocumentNode:
    """The parsed document. Raises a GraphQLError with its code, or `Exceeds`."""
    try:
        return parse(text, max_tokens=limits.tokens_max, allow_empty_selection_sets=False)
    except GraphQLError as error:
        if TOKEN_LIMIT_WORDS in error.message:
            raise Exceeds(
                "tokens",
                f"the document has more than {limits.tokens_max} tokens; at most "
                f"{limits.tokens_max} are allowed",
            ) from None
        if NESTING_LIMIT_WORDS in error.message:
            raise Exceeds("nesting", "the document nests more levels than can be read") from None
        raise _with_code(error, ErrorCode.GRAPHQL_PARSE_FAILED) from None


def validated(
    schema: GraphQLSchema, node: DocumentNode, *, may_introspect: bool
) -> list[GraphQLError]:
    """What is wrong with the document, each with its code. Raises `Exceeds`."""
    errors = validate(
        schema,
        node,
        validation_rules(may_introspect),
        max_errors=ERRORS_MAX,
        hide_suggestions=not may_introspect,
    )
    if errors and errors[-1].message == ABORTED_WORDS:
        raise Exceeds(
            "comparisons",
            "the document asks for the same fields too often to be validated within "
            f"{COMPARISONS_MAX} comparisons; ask for each field once",
        )
    told = [_without_foreign_words(error) for error in errors[:ERRORS_MAX]]
    return [_with_code(error, ErrorCode.GRAPHQL_VALIDATION_FAILED) for error in told]


def _without_foreign_words(error: GraphQLError) -> GraphQLError:
    """graphql-core repeats what else a scalar raised: Python's advice on long numbers, say."""
    cause = error.original_error
    if cause is not None and not isinstance(cause, GraphQLError):
        foreign = f", but encountered error '{cause}'; found"
        error.message = error.message.replace(foreign, ", found")
    return error


class FieldsCanBeMergedRule(OverlappingFieldsCanBeMergedRule):
    """graphql-core's rule with a ceiling of ours: its own takes up to 140 ms."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = COMPARISONS_MAX


def validation_rules(may_introspect: bool) -> list[type]:
    rules: list[type] = [
        FieldsCanBeMergedRule if rule is OverlappingFieldsCanBeMergedRule else rule
        for rule in (*specified_rules, OneOfInputValidationRule)
    ]
    return rules if may_introspect else [*rules, NoSchemaIntrospectionCustomRule]


def _document(node: DocumentNode) -> Document:
    operations = tuple(one for one in node.definitions if isinstance(one, OperationDefinitionNode))
    fragments = {
        one.name.value: FragmentDetails(one)
        for one in node.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    return Document(node, operations, fragments)


def _bad(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": ErrorCode.GRAPHQL_VALIDATION_FAILED.value})


def _with_code(error: GraphQLError, code: ErrorCode) -> GraphQLError:
    extensions = error.extensions or {}
    if "code" not in extensions:
        error.extensions = {**extensions, "code": code.value}
    return error
