"""From the bytes of a body, a frame or a query string to an `OperationRequest`.

Whatever anyone sends becomes either a request whose parts have the right JSON types or an
`InvalidRequest` with one sentence; never another exception. The document is not looked into.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import orjson

from gateway.execution.operation import OperationRequest, normal_id
from gateway.web.http_errors import InvalidRequest

_ID_LENGTH_MAX = 256
"""A hash with its prefix has 71 characters; manifests may have ids of their own."""


def decode_object(text: bytes | str, *, what: str) -> dict[str, Any]:
    """A JSON object.

    orjson refuses bad UTF-8, NaN, lone surrogates, endless digits and deep nesting by itself, all
    as JSONDecodeError; integers beyond 64 bits become floats, which our integer scalars refuse.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidRequest(f"{what} is not valid JSON in UTF-8.") from None
    if isinstance(value, list):
        raise InvalidRequest("Batching is off: send one operation per request.")
    if not isinstance(value, dict):
        raise InvalidRequest(f"{what} must be a JSON object.")
    return value


def operation_from(parameters: Mapping[str, Any]) -> OperationRequest:
    """The GraphQL request that these parameters are; unknown ones are ignored as the spec says."""
    extensions = object_or_null(parameters, "extensions")
    document_id = _document_id(parameters.get("documentId"), extensions or {})
    query = parameters.get("query")
    if query is None and document_id is not None:
        query = ""
    if not isinstance(query, str) or not (query or document_id):
        raise InvalidRequest("`query` must be a non-empty string, or `documentId` name a document.")
    operation_name = parameters.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        raise InvalidRequest("`operationName` must be a string or null.")
    return OperationRequest(
        query=query,
        variables=object_or_null(parameters, "variables"),
        operation_name=operation_name,
        extensions=extensions,
        document_id=document_id,
    )


def operation_from_query_string(parameters: Mapping[str, str]) -> OperationRequest:
    """The GraphQL request in the query string of a GET; empty parameters count as absent."""
    decoded: dict[str, Any] = {name: text for name, text in parameters.items() if text}
    for name in ("variables", "extensions"):
        if name in decoded:
            decoded[name] = decode_object(decoded[name], what=f"`{name}`")
    return operation_from(decoded)


def _document_id(named: object, extensions: Mapping[str, Any]) -> str | None:
    """The trusted document that is asked for: by `documentId`, or in the way of Apollo's clients.
    Both at once must name the same."""
    if named is not None and not _is_id(named):
        raise InvalidRequest(f"`documentId` must be a string of 1 to {_ID_LENGTH_MAX} characters.")
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return named
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise InvalidRequest("`extensions.persistedQuery` must be an object of version 1.")
    hashed = persisted.get("sha256Hash")
    if not _is_id(hashed):
        raise InvalidRequest("`extensions.persistedQuery.sha256Hash` must be a string.")
    if named is not None and normal_id(named) != normal_id(hashed):
        raise InvalidRequest("`documentId` and `extensions.persistedQuery` name two documents.")
    return hashed


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _ID_LENGTH_MAX


def object_or_null(parameters: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = parameters.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidRequest(f"`{name}` must be an object or null.")
    return value
