"""Documents that the operator trusts: named by an id instead of sent, and all that some may run.

A manifest maps ids to texts. An id is the text's SHA-256 (`sha256:<hex>`, the prefix may be left
out) or a name of the manifest's own. Nothing is ever registered by a request.
Source: https://github.com/graphql/graphql-over-http, appendix "Persisted Documents"; Apollo's
manifest: https://www.apollographql.com/docs/graphos/platform/security/persisted-queries (read
November 2026)
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphql import GraphQLError, validate

from gateway.execution.answers import coded
from gateway.execution.document_limits import Excess, excesses_of
from gateway.execution.documents import (
    Document,
    Documents,
    Looked,
    parse_document,
    validation_rules,
)
from gateway.execution.operation import OperationRequest, normal_id
from schema.ports import ErrorCode, Viewer

APOLLO_FORMAT = "apollo-persisted-query-manifest"
PROBLEMS_MAX = 20
"""Sentences about one manifest: enough to see what kind of mistake it is."""


class ManifestRefused(ValueError):
    """The manifest cannot be trusted; the message says why, one sentence a line."""


def hash_of(text: str) -> str:
    """The id that every document has, whatever the manifest calls it."""
    return "sha256:" + hashlib.sha256(text.encode(errors="replace")).hexdigest()


def read_manifest(path: Path) -> dict[str, str]:
    """Id -> text of every document in the file. Raises `ManifestRefused`."""
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=_without_repeats)
    except OSError as error:
        raise ManifestRefused(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ManifestRefused(f"{path} is not a manifest in JSON: {error}") from error
    try:
        return _entries(content)
    except ValueError as error:
        raise ManifestRefused(f"{path}: {error}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, times in Counter(key for key, _ in pairs).items():
        if times > 1:
            raise ValueError(f"{key!r:.80} stands there twice")
    return dict(pairs)


def _entries(content: object) -> dict[str, str]:
    """The entries of either form. Raises a ValueError that names the entry."""
    if not isinstance(content, dict):
        raise ValueError("a manifest is a JSON object from ids to documents")
    documents: dict[str, str] = {}
    for document_id, text in _apollo_pairs(content) if "format" in content else content.items():
        if not isinstance(document_id, str) or not document_id or not isinstance(text, str):
            raise ValueError(f"entry {document_id!r:.80}: an id and a document are texts")
        known = normal_id(document_id)
        if known in documents:
            raise ValueError(f"entry {document_id!r:.80} stands there twice")
        if known.startswith("sha256:") and known != hash_of(text):
            raise ValueError(
                f"entry {document_id!r:.80}: its text has the hash {hash_of(text)}; make the "
                "manifest anew"
            )
        documents[known] = text
    return documents


def _apollo_pairs(content: dict[str, Any]) -> Iterator[tuple[object, object]]:
    if content["format"] != APOLLO_FORMAT or content.get("version") != 1:
        raise ValueError(f"the known format is {APOLLO_FORMAT}, version 1")
    operations = content.get("operations")
    if not isinstance(operations, list):
        raise ValueError("`operations` must be a list")
    for number, operation in enumerate(operations):
        if not isinstance(operation, dict):
            raise ValueError(f"operations[{number}] must be an object")
        yield operation.get("id"), operation.get("body")


def check_manifest(
    manifest: Mapping[str, str], documents: Documents, *, source: str
) -> Mapping[tuple[str, bool], Looked]:
    """Every document is one that could run; they are answered, to be kept. Raises
    `ManifestRefused`: entry, line and rule."""
    good = documents.good(manifest.values())
    problems = [
        f"{source}: entry {document_id!r:.80}, {problem}"
        for document_id, text in manifest.items()
        for problem in _problems_of(text, good.get((text, True)), documents)
    ]
    if problems:
        raise ManifestRefused("\n".join(problems[:PROBLEMS_MAX]))
    return good


def _problems_of(text: str, looked: Looked | None, documents: Documents) -> list[str]:
    limits = documents.limits
    if looked is not None and isinstance(looked.outcome, Document):
        return _too_costly(looked.outcome, documents)
    try:
        node = parse_document(text, limits)
    except Excess as excess:
        return [_beyond(excess)]
    except GraphQLError as error:
        return [_told(error, "Syntax")]
    excesses = [one for one in excesses_of(node, limits) if limits.refuses(one.limit)]
    if excesses:
        return [*map(_beyond, excesses)]
    return [
        _told(error, rule.__name__)
        for rule in validation_rules(may_introspect=True)
        for error in validate(documents.schema, node, [rule])
    ]


def _too_costly(document: Document, documents: Documents) -> list[str]:
    """What no variables could make cheap enough: the pages whose sizes stand in the document."""
    cost_max = documents.limits.cost_max
    operations = document.operations.values()
    costs = [document.cost(documents.schema, operation, {}) for operation in operations]
    return [
        f"limit cost: it may return {cost} objects; at most {cost_max} are allowed"
        for cost in costs
        if cost > cost_max and documents.limits.refuses("cost")
    ]


def _beyond(excess: Excess) -> str:
    return f"limit {excess.limit}: {excess.message}"


def _told(error: GraphQLError, rule: str) -> str:
    line = error.locations[0].line if error.locations else 1
    return f"line {line} of the document, {rule}: {error.message}"


class TrustedDocuments:
    """The manifest as it stands; replaced as a whole."""

    def __init__(self, manifest: Mapping[str, str] | None = None) -> None:
        self.replace(manifest or {})

    def replace(self, manifest: Mapping[str, str]) -> None:
        """From now on these documents are trusted, and no others."""
        by_hash = {hash_of(text): text for text in manifest.values()}
        self._texts = {**manifest, **by_hash}

    def text_for(self, request: OperationRequest, viewer: Viewer) -> str:
        """The document that this caller asks to be run. Raises a GraphQLError with its code."""
        text = self._named(request) if request.document_id is not None else request.query
        if viewer.trusted_documents_only and hash_of(text) not in self._texts:
            raise coded(
                ErrorCode.FORBIDDEN,
                "this caller may run trusted documents only, and this document is none of them: "
                "have it added to the manifest, or name one by its documentId",
            )
        return text

    def _named(self, request: OperationRequest) -> str:
        sent, wanted = request.query, normal_id(request.document_id or "")
        if sent and wanted.startswith("sha256:"):
            if wanted != hash_of(sent):
                raise coded(
                    ErrorCode.BAD_USER_INPUT,
                    "the document that was sent has another hash than the one that was named: "
                    f"{hash_of(sent)}",
                )
            return sent
        text = self._texts.get(wanted)
        if text is None:
            return self._unknown(request)
        if sent and sent != text:
            raise coded(
                ErrorCode.BAD_USER_INPUT,
                "the document that was sent is not the one that was named: send one of the two",
            )
        return text

    def _unknown(self, request: OperationRequest) -> str:
        """The text that was sent in Apollo's way after its id was not found. Raises otherwise, in
        the words by which Apollo's and urql's links know that they have to send the text: they
        compare the whole message. Without a manifest they need not ask by hash again."""
        if (request.extensions or {}).get("persistedQuery") is None:
            raise coded(
                ErrorCode.PERSISTED_DOCUMENT_NOT_FOUND,
                "no trusted document has this id: send the document itself, or have it added to "
                "the gateway's manifest; requests register nothing",
            )
        if request.query:
            return request.query
        if self._texts:
            raise coded(ErrorCode.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
        raise coded(ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")
