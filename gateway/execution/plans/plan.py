"""A compiled operation at work: what was loaded, shown by generated code.

The quick code runs first. It ends at the first failure, and the careful code shows the same with
each failure at its path; it ends at the first surprise, and graphql-core shows the same. Of large
queries that come again there is a form that makes JSON at once; whatever ends it is left to the
quick code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
)
from graphql.error import located_error
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues
from strawberry.types.field import StrawberryField

from gateway.execution.plans.arguments import Arguments
from gateway.execution.plans.compiler import Compiler
from gateway.execution.plans.leaves import Surprise
from gateway.execution.plans.needs import Branch
from gateway.execution.plans.source import LINES_MAX, Functions, NotPlanned, Slots, Source
from gateway.execution.plans.text import TEXT_LINES_MAX, TextCompiler
from schema.context import Context
from schema.cost import field_definition
from schema.fields import LoadedField, require
from schema.ports import Failed, Needs

Shown = tuple[Any, list[GraphQLError]]
"""Data, and the errors beside its nulls."""


@dataclass(slots=True)
class Run:
    """One run of a plan: what generated code reaches besides the objects. It stands in for
    Strawberry's Info, of which resolvers here use the context alone."""

    plan: Plan
    context: Context
    bound: list[Any]
    needs: Needs
    errors: list[GraphQLError] = field(default_factory=list)
    settled: list[Any] = field(default_factory=list)
    """What asynchronous resolvers have returned, or the `Failed` that they raised."""

    def awaited(self, at: int) -> Any:
        if isinstance(self.settled[at], Failed):
            raise self.settled[at]
        return self.settled[at]

    def child(self, parent: Any, need: Any) -> Any:
        if isinstance(need, tuple):
            return [parent.children[one] for one in need]  # A failure costs its own place.
        if isinstance(need, Failed):
            raise need
        return parent.child(need)

    def require(self, scope: str) -> None:
        require(self.context.viewer, scope)

    def failed(self, failed: Failed, nodes: list[FieldNode], path: tuple[str | int, ...]) -> None:
        """In place of what has failed is null."""
        self.errors.append(self.located(failed, nodes, path))

    @staticmethod
    def located(
        failed: Failed, nodes: list[FieldNode], path: tuple[str | int, ...]
    ) -> GraphQLError:
        return located_error(failed, nodes, list(path))


@dataclass(frozen=True, slots=True)
class RootField:
    """A root field of a mutation or a subscription."""

    key: str
    made: StrawberryField
    type_name: str
    slot: int
    nodes: list[FieldNode]
    branch: Branch

    @property
    def resolver(self) -> Callable[..., Any]:
        assert self.made.base_resolver is not None
        found: Any = self.made.base_resolver.wrapped_func
        return cast(Callable[..., Any], found)


@dataclass(frozen=True, slots=True)
class Code:
    """Generated functions, and what they were made of."""

    source: Source
    roots: list[Callable[..., Any]]
    awaitables: Callable[..., Any] | None
    """Calls the asynchronous resolvers, if there are any."""


class Plan:
    """One operation with certain values of its `@skip` and `@include`, compiled.

    Raises `NotPlanned` for what is left to graphql-core.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDetails],
        variables: VariableValues,
        leaves: dict[str, Any],
        functions: Functions,
    ) -> None:
        self._parts = (schema, operation, fragments, variables)
        self._leaves = leaves
        self._functions = functions
        self._slots = Slots()
        self._is_query = operation.operation is OperationType.QUERY
        self.branch = Branch()
        self.fields: list[RootField] = []
        self.context_fields: set[str] = set()
        """Fields of which more decides than the objects."""
        self._quick = self._compiled(functions, careful=False)
        self._careful: Code | None = None
        self._text: Code | None = None
        self._has_text: bool | None = None
        """Whether there is, or can be, code that makes JSON; None until it was asked for."""
        self._fixed = [self._bound_once(one) for one in self._slots.arguments]

    @property
    def text(self) -> str:
        return self._quick.source.text

    def _compiled(self, functions: Functions, *, careful: bool) -> Code:
        compiler = Compiler(
            *self._parts,
            slots=self._slots,
            leaves=self._leaves,
            functions=functions,
            careful=careful,
            # What fails is shown by at most three times the lines.
            lines_max=LINES_MAX * (3 if careful else 1),
        )
        if self._is_query:
            roots = [compiler.root(self.branch if not careful else Branch())]
        else:
            roots = self._root_fields(compiler, careful)
        self.context_fields |= compiler.context_fields
        return _executed(compiler, roots)

    def _compiled_text(self) -> Code | None:
        """None for what is too long. A record that is not plain is shown by the quick code."""
        try:
            compiler = TextCompiler(
                *self._parts,
                slots=self._slots,
                leaves=self._leaves,
                functions=self._functions,
                lines_max=TEXT_LINES_MAX,
            )
            return _executed(compiler, [compiler.root(Branch())])
        except NotPlanned:
            return None

    def _root_fields(self, compiler: Compiler, careful: bool) -> list[str]:
        schema = self._parts[0]
        kind, grouped = compiler.root_fields()
        roots = []
        for key, details in grouped.items():
            definition = kind.fields.get(details[0].node.name.value)
            if definition is None:
                raise NotPlanned("introspection")
            branch = Branch()
            roots.append(compiler.field(definition, details, branch))
            if not careful:
                made = field_definition(definition)
                assert made is not None
                slot = self._slots.number(schema, definition, details[0].node)
                nodes = [one.node for one in details]
                type_name = get_named_type(definition.type).name
                self.fields.append(RootField(key, made, type_name, slot, nodes, branch))
        return roots

    def _bound_once(self, one: Arguments) -> Any:
        return self._bound(one, one.given(self._parts[3])) if one.is_fixed else None

    def _bound(self, one: Arguments, arguments: dict[str, Any]) -> Any:
        if not isinstance(one.made, LoadedField):
            return arguments
        assert callable(one.made.wanted)
        try:
            return one.made.wanted(**arguments)
        except Failed as failed:
            return failed

    def run(self, context: Context, variables: VariableValues) -> Run:
        """Bound to these variables. Raises `Surprise`."""
        return Run(self, context, *self.bound(variables))

    def bound(self, variables: VariableValues) -> tuple[list[Any], Needs]:
        """What resolvers and needs are given, and the needs. Raises `Surprise`."""
        try:
            bound = [
                known if one.is_fixed else self._bound(one, one.given(variables))
                for one, known in zip(self._slots.arguments, self._fixed, strict=True)
            ]
            return bound, self.branch.needs(bound)
        except Exception as error:
            raise _surprise(error) from error

    @property
    def waits_for_nothing(self) -> bool:
        """Whether a query has no asynchronous resolvers."""
        return self._quick.awaitables is None

    async def settle(self, run: Run) -> None:
        """Await the asynchronous resolvers of a query. Raises `Surprise`."""
        awaitables = self._quick.awaitables
        for call in () if awaitables is None else awaitables(None, run):
            try:
                run.settled.append(await call)
            except Failed as failed:
                run.settled.append(failed)
            except Exception as error:
                raise _surprise(error) from error

    def encoded(self, root: Any, run: Run) -> str | None:
        """The data of a whole query as JSON. None where `shown` is to be asked: if anything has
        failed or is a surprise, and the first time, as making the code takes longer than it saves.
        """
        if self._has_text is None:
            self._has_text = self._is_query and self.waits_for_nothing
            return None
        if not self._has_text:
            return None
        if self._text is None:
            self._text = self._compiled_text()
            self._has_text = self._text is not None
            return self.encoded(root, run)
        try:
            made: str = self._text.roots[0](root, run)
        except Exception:  # noqa: BLE001  # Whatever it is, `shown` meets it, too.
            return None
        return made

    def shown(self, root: Any, run: Run, at: int = 0) -> Shown:
        """What is shown of a whole query, or of what the root field `at` has returned. Raises
        `Surprise` where graphql-core has to decide."""
        try:
            try:
                return self._quick.roots[at](root, run), []
            except Failed:
                pass
            if self._careful is None:
                self._careful = self._compiled(Functions(), careful=True)
            run.errors = []
            path = () if self._is_query else (self.fields[at].key,)
            return self._careful.roots[at](root, run, path), run.errors
        except Exception as error:
            raise _surprise(error) from error


def _executed(compiler: Compiler, roots: list[str]) -> Code:
    source = compiler.source
    awaitables = compiler.awaitables() if source.awaited else None
    names = source.made()
    return Code(
        source,
        [names[name] for name in roots],
        None if awaitables is None else names[awaitables],
    )


def _surprise(error: Exception) -> Surprise:
    return error if isinstance(error, Surprise) else Surprise(type(error).__name__)
