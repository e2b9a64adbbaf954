"""A small, honest runner over graphql-core, the web layer's peer in its tests.

It keeps the promises of `Runner` with a schema of a few fields, and lets a test decide when its
mutation ends. It stays when the real runner exists: these tests are about transports.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    build_schema,
    execute,
    get_operation_ast,
    get_variable_values,
    parse,
    specified_rules,
    subscribe,
    validate,
)
from graphql.language import DocumentNode

from gateway.execution.operation import (
    Answer,
    Answers,
    OneByOne,
    OperationKind,
    OperationRequest,
    Prepared,
)
from gateway.web.http_errors import refused
from schema.ports import ErrorCode, Viewer

_SCHEMA = build_schema("""
  type Query {
    hello(name: String = "world"): String!
    wait: String!
    broken: String!
    nothing: String
  }
  type Mutation { pay: String! }
  type Subscription {
    count(to: Int!): Int!
    held: Int!
    flood(characters: Int!): String!
    broken: Int!
  }
""")


Info = GraphQLResolveInfo[Any]


class MistakeError(Exception):
    """What our own mistake looks like: the runner lets it out."""


@dataclass(frozen=True, slots=True)
class PeerPrepared:
    """A valid document and the operation picked from it."""

    document: DocumentNode
    operation: OperationDefinitionNode

    @property
    def kind(self) -> OperationKind:
        return OperationKind(self.operation.operation.value)

    @property
    def cost(self) -> int:
        return 1


class PeerRunner:
    """What a test can see and decide of the operations it sends."""

    def __init__(self) -> None:
        self.may_pay = asyncio.Event()
        self.asked_to_pay = asyncio.Event()
        self.waiting = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.paid = 0
        self.items_sent = 0
        self.open_streams = 0
        self.stream_opened = asyncio.Event()
        self.streams_closed = asyncio.Event()
        self.executed: list[str] = []

    def at_once(self, request: OperationRequest, viewer: Viewer, request_id: str) -> None:
        """Nothing: every operation goes the long way."""

    async def prepare(self, request: OperationRequest, viewer: Viewer) -> Prepared | Answer:
        try:
            document = parse(request.query, max_tokens=1000)
        except GraphQLError as error:
            return _refusal(ErrorCode.GRAPHQL_PARSE_FAILED, [error])
        rules = specified_rules if viewer.may_introspect else _WITHOUT_INTROSPECTION
        if errors := validate(_SCHEMA, document, rules, max_errors=5):
            return _refusal(ErrorCode.GRAPHQL_VALIDATION_FAILED, errors)
        operation = get_operation_ast(document, request.operation_name)
        if operation is None:
            return refused(ErrorCode.BAD_USER_INPUT, "There is no such operation.")
        definitions = operation.variable_definitions or ()
        variables = get_variable_values(_SCHEMA, definitions, request.variables or {})
        if isinstance(variables, list):
            return _refusal(ErrorCode.BAD_USER_INPUT, variables)
        return PeerPrepared(document, operation)

    async def execute(
        self, prepared: Prepared, request: OperationRequest, viewer: Viewer, request_id: str
    ) -> Answer:
        self.executed.append(request.query)
        result = execute(**self._arguments(prepared, request))
        if not isinstance(result, ExecutionResult):
            result = await result
        return _answer(result)

    def subscribe(
        self,
        prepared: Prepared,
        request: OperationRequest,
        viewer: Viewer,
        request_id: str,
        resume_after: str | None = None,
    ) -> Answers:
        return OneByOne(self._items(prepared, request, resume_after))

    async def _items(
        self, prepared: Prepared, request: OperationRequest, resume_after: str | None
    ) -> AsyncGenerator[Answer, None]:
        self.executed.append(request.query)
        arguments = self._arguments(prepared, request, resume_after)
        results = cast(AsyncGenerator[ExecutionResult, None], await _subscribed(arguments))
        async with aclosing(results):
            async for result in results:
                number = (result.data or {}).get("count")
                yield _answer(result, cursor=number and f"c-{number}")

    def _arguments(
        self, prepared: Prepared, request: OperationRequest, resume_after: str | None = None
    ) -> dict[str, Any]:
        assert isinstance(prepared, PeerPrepared)
        return {
            "schema": _SCHEMA,
            "document": prepared.document,
            "root_value": _Root(self, resume_after),
            "variable_values": request.variables,
            "operation_name": request.operation_name,
        }


class _Root:
    """The resolvers, found by name as graphql-core's default resolver does."""

    def __init__(self, runner: PeerRunner, resume_after: str | None) -> None:
        self._runner = runner
        self._resume_after = resume_after

    def hello(self, info: Info, name: str) -> str:
        return f"Hello {name}"

    async def wait(self, info: Info) -> Any:
        self._runner.waiting.set()
        try:
            return await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self._runner.cancelled.set()
            raise

    def broken(self, info: Info) -> Any:
        raise MistakeError("the secret of line 1")

    async def pay(self, info: Info) -> str:
        self._runner.asked_to_pay.set()
        await self._runner.may_pay.wait()
        self._runner.paid += 1
        return "paid"

    async def count(self, info: Info, to: int) -> AsyncGenerator[Any, None]:
        first = int((self._resume_after or "c-0").removeprefix("c-")) + 1
        with _Counted(self._runner):
            for number in range(first, to + 1):
                yield {"count": number}

    async def held(self, info: Info) -> AsyncGenerator[Any, None]:
        with _Counted(self._runner):
            yield {"held": 1}
            await asyncio.get_running_loop().create_future()

    async def flood(self, info: Info, characters: int) -> AsyncGenerator[Any, None]:
        with _Counted(self._runner):
            while True:
                self._runner.items_sent += 1
                yield {"flood": "x" * characters}


class _Counted:
    """One open stream of the runner, from its first item to its closing."""

    def __init__(self, runner: PeerRunner) -> None:
        self._runner = runner

    def __enter__(self) -> None:
        self._runner.open_streams += 1
        self._runner.stream_opened.set()

    def __exit__(self, *_: object) -> None:
        self._runner.open_streams -= 1
        if not self._runner.open_streams:
            self._runner.streams_closed.set()


_WITHOUT_INTROSPECTION = (*specified_rules, NoSchemaIntrospectionCustomRule)


async def _subscribed(arguments: dict[str, Any]) -> Any:
    results = subscribe(**arguments)
    results = await results if asyncio.iscoroutine(results) else results
    if isinstance(results, ExecutionResult):
        _answer(results)
    return results


def _answer(result: ExecutionResult, cursor: str | None = None) -> Answer:
    for error in result.errors or []:
        if isinstance(error.original_error, MistakeError):
            raise error.original_error
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    return Answer(body=body, executed=True, cursor=cursor)


def _refusal(code: ErrorCode, errors: list[GraphQLError]) -> Answer:
    formatted = [{**error.formatted, "extensions": {"code": code.value}} for error in errors]
    return Answer(body={"errors": formatted}, executed=False)
