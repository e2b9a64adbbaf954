"""Documents, parsed, validated and limited once each.

Keyed by the text and by what the caller may see of the schema. Bounded, as the texts come from
outside. What is wrong with a document is remembered too, so that a flood of one bad document
costs one look.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    ObjectValueNode,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    VariableDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.execution.answers import ERRORS_MAX, SchemaRedaction, coded, with_code
from gateway.execution.document_limits import Excess, excesses_of
from gateway.execution.operation import OperationKind
from gateway.execution.quick_validation import QuickValidation
from gateway.execution.variables import PlainVariables, plain_variables
from gateway.settings import Limits
from schema.cost import cost_of, priced_by
from schema.planner import Selection
from schema.ports import ErrorCode, Needs

log = logging.getLogger(__name__)

DOCUMENTS_MAX = 1000
"""A deployment has tens of distinct documents; clients that inline values make the rest."""
CHARACTERS_MAX = 200_000
"""Of all kept texts together: a parsed document takes up to 300 bytes for each character."""
COSTS_MAX = 100
"""Of one document, each for other sizes of its lists."""
COMPARISONS_MAX = 50_000
"""Steps of comparing fields of one name, which is quadratic: 10 ms. A page of a frontend takes
hundreds."""
ONLY_TOLD = "limit %s is exceeded, and only told: %s"

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
    operations: dict[str | None, OperationDefinitionNode]
    """By name; one that has none stands alone."""
    fragments: dict[str, FragmentDetails]
    plans: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What was compiled of it, kept by `gateway.execution.plans` and gone with it."""

    costs: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    variables: dict[int, PlainVariables | None] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Of its operations."""

    def plain_values(
        self, schema: GraphQLSchema, operation: OperationDefinitionNode, given: dict[str, Any]
    ) -> VariableValues | None:
        """See `PlainVariables.values`."""
        plain = self._plain(schema, operation)
        return None if plain is None else plain.values(given)

    def usual_values(
        self, schema: GraphQLSchema, operation: OperationDefinitionNode
    ) -> VariableValues | None:
        """Values of the right classes, that mean nothing; None where they are not all plain."""
        plain = self._plain(schema, operation)
        return (
            None if plain is None else plain.values({name: kind() for name, kind, _ in plain.known})
        )

    def _plain(
        self, schema: GraphQLSchema, operation: OperationDefinitionNode
    ) -> PlainVariables | None:
        if id(operation) not in self.variables:
            self.variables[id(operation)] = plain_variables(schema, operation)
        return self.variables[id(operation)]

    def cost(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> int:
        """See `schema.cost.cost_of`; worked out once for the variables on which it depends."""
        names = self.costs.get(None)
        if names is None:
            names = self.costs[None] = priced_by(schema, self.node)
        sizes = [variables.get(name) for name in names]
        key = (id(operation), *[len(one) if isinstance(one, list) else one for one in sizes])
        cost: int | None = self.costs.get(key)
        if cost is None:
            cost = cost_of(schema, self.node, operation, variables)
            if len(self.costs) <= COSTS_MAX:
                self.costs[key] = cost
        return cost

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to run. Raises a GraphQLError that says what is to be named."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        found = self.operations.get(name)
        if found is not None:
            return found
        if name is not None:
            problem = f"the document has no operation named {name!r:.60}"
        elif self.operations:
            names = ", ".join(filter(None, self.operations))
            problem = f"operationName must name one of the document's operations: {names}"
        else:
            problem = "the document has no operation"
        raise coded(ErrorCode.GRAPHQL_VALIDATION_FAILED, problem)


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look at a document has found."""

    outcome: Document | list[GraphQLError]
    excesses: Sequence[Excess] = ()


@dataclass(frozen=True, slots=True)
class PreparedOperation:
    """A good document and the operation to run of it, with its variables coerced. `price` is what
    its answer tells of the caller's budget."""

    document: Document
    selection: Selection
    kind: OperationKind
    cost: int
    may_introspect: bool
    price: dict[str, int] | None = None

    def needs(self) -> Needs:
        """Of a whole query. Raises a GraphQLError for a directive whose variable is null."""
        query_type = self.selection.schema.query_type
        assert query_type is not None
        return self.selection.of_root(query_type)


_Key = tuple[str, bool]
"""A text, and whether its caller may introspect."""


class Documents:
    """One per process."""

    def __init__(
        self, schema: GraphQLSchema, limits: Limits, *, on_exceeded: OnExceeded = nobody
    ) -> None:
        self.schema = schema
        self.limits = limits
        self.redaction = SchemaRedaction(schema)
        self._quick = QuickValidation(schema)
        self._on_exceeded = on_exceeded
        self._characters = 0
        self._known: OrderedDict[_Key, Looked] = OrderedDict()
        self.kept: Mapping[_Key, Looked] = {}
        """What is not given up for whatever else is asked for."""

    def get(self, text: str, *, may_introspect: bool) -> Document | list[GraphQLError]:
        """The document, or at most `ERRORS_MAX` errors that say what is wrong with it."""
        key = (text, may_introspect)
        looked = self.kept.get(key) or self._known.get(key)
        if looked is None:
            looked = self._look(text, may_introspect)
            self._keep(key, looked)
        elif key in self._known:
            self._known.move_to_end(key)
        for excess in looked.excesses:
            self._on_exceeded(excess.limit, self.limits.refuses(excess.limit))
        return looked.outcome

    def known(self, text: str, *, may_introspect: bool) -> Document | None:
        """A good document that is known and exceeds nothing."""
        key = (text, may_introspect)
        looked = self.kept.get(key) or self._known.get(key)
        if looked is None or looked.excesses or not isinstance(looked.outcome, Document):
            return None
        if key in self._known:
            self._known.move_to_end(key)
        return looked.outcome

    def knows(self, text: str, *, may_introspect: bool) -> bool:
        """Whether a look at the document costs nothing any more."""
        key = (text, may_introspect)
        return key in self.kept or key in self._known

    def good(self, texts: Iterable[str]) -> dict[_Key, Looked]:
        """Those that are good, to be kept; what introspects nothing is looked at once for all."""
        found: dict[_Key, Looked] = {}
        for text in texts:
            for least in (False, True):
                looked = self.kept.get((text, least)) or self._look(text, least)
                if isinstance(looked.outcome, Document):
                    found |= {(text, one): looked for one in {least, True}}
                    break
        return found

    def _keep(self, key: _Key, looked: Looked) -> None:
        self._known[key] = looked
        self._characters += len(key[0])
        while len(self._known) > DOCUMENTS_MAX or self._characters > CHARACTERS_MAX:
            (oldest, _), _ = self._known.popitem(last=False)
            self._characters -= len(oldest)

    def _look(self, text: str, may_introspect: bool) -> Looked:
        excesses: list[Excess] = []
        try:
            node = parse_document(text, self.limits)
            excesses = excesses_of(node, self.limits)
            for excess in excesses:
                if self.limits.refuses(excess.limit):
                    return Looked([excess], excesses)
                log.warning(ONLY_TOLD, excess.limit, excess.message)
            errors: list[GraphQLError] = []
            if not self._quick.is_good(node):
                errors = validated(self.schema, node, may_introspect=may_introspect)
        # What is remembered must not keep the frames that it was raised through.
        except Excess as raised:
            excess = Excess(raised.limit, raised.message)
            return Looked([excess], [*excesses, excess])
        except GraphQLError as error:
            return Looked([error.with_traceback(None)])
        if not errors:
            return Looked(_document(node), excesses)
        told = errors if may_introspect else self.redaction.applied(errors, sent=text)
        return Looked(told, excesses)

    def check(self, excess: Excess) -> None:
        """Tell of what exceeds a limit by its variables. Raises it where the limit is enforced."""
        enforced = self.limits.refuses(excess.limit)
        self._on_exceeded(excess.limit, enforced)
        if enforced:
            raise excess
        log.warning(ONLY_TOLD, excess.limit, excess.message)


def parse_document(text: str, limits: Limits) -> DocumentNode:
    """The parsed document. Raises a GraphQLError with its code, which may be an `Excess`."""
    try:
        return parse(text, max_tokens=limits.tokens_max, allow_empty_selection_sets=False)
    except GraphQLError as error:
        if TOKEN_LIMIT_WORDS in error.message:
            sentence = (
                f"the document has more than {limits.tokens_max} tokens; at most "
                f"{limits.tokens_max} are allowed"
            )
            raise Excess("tokens", sentence) from None
        if NESTING_LIMIT_WORDS in error.message:
            raise Excess("nesting", "the document nests more levels than can be read") from None
        raise with_code(error, ErrorCode.GRAPHQL_PARSE_FAILED) from None


def validated(
    schema: GraphQLSchema, node: DocumentNode, *, may_introspect: bool
) -> list[GraphQLError]:
    """What is wrong with the document, each with its code. Raises `Excess`."""
    errors = validate(
        schema,
        node,
        validation_rules(may_introspect),
        max_errors=ERRORS_MAX,
        hide_suggestions=not may_introspect,
    )
    if errors and errors[-1].message == ABORTED_WORDS:
        raise Excess(
            "comparisons",
            "the document asks for the same fields too often to be validated within "
            f"{COMPARISONS_MAX} comparisons; ask for each field once",
        )
    for error in errors:
        _leave_out_foreign_words(error)
        with_code(error, ErrorCode.GRAPHQL_VALIDATION_FAILED)
    return errors[:ERRORS_MAX]


def _leave_out_foreign_words(error: GraphQLError) -> None:
    """graphql-core repeats what else a scalar raised: Python's advice on long numbers, say."""
    cause = error.original_error
    if cause is not None and not isinstance(cause, GraphQLError):
        foreign = f", but encountered error '{cause}'; found"
        error.message = error.message.replace(foreign, ", found")


class FieldsCanBeMergedRule(OverlappingFieldsCanBeMergedRule):
    """graphql-core's rule with a ceiling of ours: its own takes up to 140 ms."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = COMPARISONS_MAX


class OneOfRule(OneOfInputValidationRule):
    """Strawberry's rule, which fails at a variable that the operation before it does not define:
    another rule tells of those."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.variable_definitions: dict[str, VariableDefinitionNode] = {}

    def validate_one_of(self, node: ObjectValueNode, type: GraphQLNamedType) -> None:
        with suppress(KeyError):
            super().validate_one_of(node, type)


def validation_rules(may_introspect: bool) -> list[type]:
    rules: list[type] = [
        FieldsCanBeMergedRule if rule is OverlappingFieldsCanBeMergedRule else rule
        for rule in (*specified_rules, OneOfRule)
    ]
    return rules if may_introspect else [*rules, NoSchemaIntrospectionCustomRule]


def _document(node: DocumentNode) -> Document:
    operations: dict[str | None, OperationDefinitionNode] = {}
    fragments: dict[str, FragmentDetails] = {}
    for one in node.definitions:
        if isinstance(one, OperationDefinitionNode):
            operations[one.name.value if one.name else None] = one
        elif isinstance(one, FragmentDefinitionNode):
            fragments[one.name.value] = FragmentDetails(one)
    return Document(node, operations, fragments)
