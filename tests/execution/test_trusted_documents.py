"""The manifest of trusted documents: what is read of it, and what it lets callers run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.backends.memory.backend import MemoryBackend
from gateway.events.feed import Feed
from gateway.events.log import MemoryEventLog
from gateway.execution.documents import DOCUMENTS_MAX, Documents
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.runner import GraphQLRunner
from gateway.execution.trusted_documents import ManifestRefused, check_manifest, read_manifest
from gateway.settings import Limits
from schema.ports import Viewer
from tests.support.running import OPERATOR, SCHEMA, Running
from tests.support.stage import Stage

VERSION = "query Version { gateway { version } }"
BACKEND = "query Backend { gateway { backend } }"
RESTRICTED = replace(OPERATOR, trusted_documents_only=True)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def written(folder: Path, content: object) -> Path:
    path = folder / "manifest.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def apollo(*operations: object, **changes: Any) -> dict[str, Any]:
    form = {"format": "apollo-persisted-query-manifest", "version": 1}
    return {**form, "operations": list(operations), **changes}


def entry(text: str, document_id: str | None = None) -> dict[str, Any]:
    return {"id": document_id or sha(text), "name": "Q", "type": "query", "body": text}


FORMS = {
    "hash": {sha(VERSION): VERSION},
    "hash with its prefix": {f"sha256:{sha(VERSION)}": VERSION},
    "hash in capitals": {sha(VERSION).upper(): VERSION},
    "an id of its own": {"version-1": VERSION},
    "Apollo's": apollo(entry(VERSION)),
    "Apollo's with ids of its own": apollo(entry(VERSION, "version-1")),
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS.keys())
async def test_a_manifest_is_read_in_each_form(tmp_path: Path, content: object) -> None:
    """Every document can be named by its hash, whatever the manifest calls it."""
    running = Running()

    running.runner.trust(read_manifest(written(tmp_path, content)), source="manifest.json")

    assert "data" in await ask(running, document_id=f"sha256:{sha(VERSION)}")


BAD_FILES = {
    "no JSON": ("{", "is not a manifest in JSON"),
    "a list": ("[]", "a manifest is a JSON object"),
    "nested without end": ("[" * 100_000, "is not a manifest in JSON"),
    "bad UTF-8": ('{"a": "\udcff"}', "is not a manifest in JSON"),
    "number as document": ({"a": 7}, "entry 'a': an id and a document are texts"),
    "empty id": ({"": VERSION}, "entry '': an id and a document are texts"),
    "another hash": ({sha(BACKEND): VERSION}, f"its text has the hash sha256:{sha(VERSION)}"),
    "another hash with its prefix": ({f"sha256:{sha(BACKEND)}": VERSION}, "its text has the hash"),
    "an id twice": (f'{{"a": "{VERSION}", "a": "{BACKEND}"}}', "'a' stands there twice"),
    "a hash twice": (
        {sha(VERSION): VERSION, f"sha256:{sha(VERSION)}": VERSION},
        "stands there twice",
    ),
    "another format": ({"format": "x", "version": 1, "operations": []}, "the known format is"),
    "another version": (apollo(version=2), "the known format is"),
    "no operations": (apollo(operations=None), "`operations` must be a list"),
    "a text as operation": (apollo("x"), "operations[0] must be an object"),
    "an operation without an id": (apollo({"body": VERSION}), "entry None"),
    "an operation without a body": (apollo({"id": "a"}), "entry 'a'"),
    "an operation twice": (apollo(entry(VERSION), entry(VERSION)), "stands there twice"),
}


@pytest.mark.parametrize(("content", "words"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_manifest_is_refused(tmp_path: Path, content: object, words: str) -> None:
    """In a sentence that names the file and the entry."""
    path = tmp_path / "manifest.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(ManifestRefused) as refused:
        read_manifest(path)

    assert str(path) in str(refused.value)
    assert words in str(refused.value)


def test_a_manifest_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The gateway does not start without the documents that callers rely on."""
    with pytest.raises(ManifestRefused, match="cannot be read: No such file"):
        read_manifest(tmp_path / "manifest.json")


BAD_DOCUMENTS = {
    "syntax": ("query {\n gateway { version }", "line 2 of the document, Syntax: Syntax Error"),
    "unknown field": (
        "{ gateway {\n  version\n  versoin\n} }",
        "line 3 of the document, FieldsOnCorrectTypeRule: Cannot query field 'versoin'",
    ),
    "unused variable": ("query ($a: Int) { __typename }", "NoUnusedVariablesRule"),
    "too many tokens": ("{ " + "__typename " * 1001 + "}", "limit tokens: the document has more"),
    "too many aliases": (
        "{ " + " ".join(f"a{n}: __typename" for n in range(16)) + " }",
        "limit aliases: the document has 16 aliases",
    ),
    "pages too large": (
        "{ invoices(first: 100) { nodes { payments(first: 100) { nodes { id } } } } }",
        "limit cost: it may return 10100 objects; at most 5000",
    ),
}


@pytest.mark.parametrize(("text", "words"), BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS.keys())
async def test_a_document_that_could_not_run_is_not_trusted(text: str, words: str) -> None:
    """The whole manifest is refused, naming file, entry, line and rule; the old one stays."""
    running = Running()
    running.runner.trust({"version-1": VERSION}, source="old.json")

    with pytest.raises(ManifestRefused) as refused:
        running.runner.trust({"good": BACKEND, "bad": text}, source="new.json")

    assert "new.json: entry 'bad', " in str(refused.value)
    assert words in str(refused.value)
    assert "data" in await ask(running, document_id="version-1")
    assert code(await ask(running, document_id="good")) == "PERSISTED_DOCUMENT_NOT_FOUND"


async def test_a_replaced_manifest_forgets_the_old_documents() -> None:
    """A document that is taken out of the file cannot be named any more."""
    running = Running()
    running.runner.trust({"version-1": VERSION}, source="manifest.json")

    running.runner.trust({"backend-1": BACKEND}, source="manifest.json")

    assert "data" in await ask(running, document_id="backend-1")
    assert code(await ask(running, document_id="version-1")) == "PERSISTED_DOCUMENT_NOT_FOUND"
    assert code(await ask(running, viewer=RESTRICTED, query=VERSION)) == "FORBIDDEN"


async def ask(
    running: Running,
    *,
    viewer: Viewer = OPERATOR,
    query: str = "",
    document_id: str | None = None,
    name: str | None = None,
) -> dict[str, Any]:
    request = OperationRequest(query, {}, operation_name=name, document_id=document_id)
    prepared = await running.runner.prepare(request, viewer)
    if isinstance(prepared, Answer):
        return prepared.body
    return (await running.runner.execute(prepared, request, viewer, "req_test")).body


def code(body: dict[str, Any]) -> str:
    (error,) = body["errors"]
    found: str = error["extensions"]["code"]
    return found


@pytest.fixture
def running() -> Running:
    """Trusts one document by its hash and one by an id of the manifest's own."""
    running = Running()
    manifest = {f"sha256:{sha(VERSION)}": VERSION, "backend-1": BACKEND}
    running.runner.trust(manifest, source="manifest.json")
    return running


GOOD = {
    "hash": {"document_id": f"sha256:{sha(VERSION)}"},
    "hash without its prefix": {"document_id": sha(VERSION)},
    "id of its own": {"document_id": "backend-1"},
    "hash of what has another id": {"document_id": sha(BACKEND)},
    "text": {"query": VERSION},
    "text and its hash": {"query": VERSION, "document_id": sha(VERSION)},
    "text and its id": {"query": BACKEND, "document_id": "backend-1"},
}


@pytest.mark.parametrize("asked", GOOD.values(), ids=GOOD.keys())
@pytest.mark.parametrize("viewer", [OPERATOR, RESTRICTED], ids=["anybody", "restricted"])
async def test_a_trusted_document_runs(
    running: Running, asked: dict[str, str], viewer: Viewer
) -> None:
    """By id or by its exact text, for those who may run nothing else as well."""
    assert "errors" not in await ask(running, viewer=viewer, **asked)


@pytest.mark.parametrize("by", ["hash", "text"])
async def test_a_trusted_document_goes_the_short_way_from_its_first_answer_on(by: str) -> None:
    """It was read at the start, so that nothing about it has to be waited for."""
    backend, text = MemoryBackend(Stage.empty().twin), '{ invoice(id: "in_unknown") { id } }'
    feed = Feed(MemoryEventLog("test"))
    runner = GraphQLRunner(SCHEMA, backend, backend, feed, limits=Limits())
    runner.trust({"invoice": text}, source="manifest.json")
    named = {"query": text} if by == "text" else {"query": "", "document_id": sha(text)}

    answer = runner.at_once(OperationRequest(**named), OPERATOR, "req_test")

    assert answer is not None
    assert answer.body["data"] == {"invoice": None}


async def test_text_with_its_own_hash_runs_but_is_not_registered(running: Running) -> None:
    """Apollo's clients send both at their second attempt; nothing is kept of it."""
    text = "{ __typename }"

    both = await ask(running, query=text, document_id=sha(text))

    assert both == {"data": {"__typename": "Query"}}
    assert code(await ask(running, document_id=sha(text))) == "PERSISTED_DOCUMENT_NOT_FOUND"


BAD = {
    "unknown hash": ({"document_id": sha("x")}, "PERSISTED_DOCUMENT_NOT_FOUND"),
    "unknown id": ({"document_id": "version-2"}, "PERSISTED_DOCUMENT_NOT_FOUND"),
    "hash of another kind": ({"document_id": "md5:" + "0" * 32}, "PERSISTED_DOCUMENT_NOT_FOUND"),
    "unknown id with a text": (
        {"document_id": "version-2", "query": VERSION},
        "PERSISTED_DOCUMENT_NOT_FOUND",
    ),
    "text and another hash": ({"query": VERSION, "document_id": sha(BACKEND)}, "BAD_USER_INPUT"),
    "text and another id": ({"query": VERSION, "document_id": "backend-1"}, "BAD_USER_INPUT"),
}


@pytest.mark.parametrize(("asked", "wanted"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("viewer", [OPERATOR, RESTRICTED], ids=["anybody", "restricted"])
async def test_a_document_that_is_not_the_named_one_does_not_run(
    running: Running, asked: dict[str, str], wanted: str, viewer: Viewer
) -> None:
    """One error says what to do instead."""
    body = await ask(running, viewer=viewer, **asked)

    assert code(body) == wanted
    assert "data" not in body


FOREIGN = {
    "good": "{ gateway { livemode } }",
    "almost the same": VERSION + " ",
    "wrong": "{ wrong }",
    "no GraphQL": "{",
    "too large": "{ a " * 2000,
    "introspection": "{ __schema { types { name } } }",
    "a mutation": "mutation { wrong }",
}


@pytest.mark.parametrize("query", FOREIGN.values(), ids=FOREIGN.keys())
async def test_a_restricted_caller_learns_nothing_from_other_documents(
    running: Running, query: str
) -> None:
    """The same answer to all of them, before anything is parsed."""
    body = await ask(running, viewer=RESTRICTED, query=query)

    assert code(body) == "FORBIDDEN"
    assert "may run trusted documents only" in body["errors"][0]["message"]
    assert running.exceeded == []


async def test_one_operation_of_a_trusted_document_is_named() -> None:
    """A manifest may hold documents of several operations."""
    running = Running()
    running.runner.trust({"both": f"{VERSION} {BACKEND}"}, source="manifest.json")

    body = await ask(running, document_id="both", name="Backend")

    assert body == {"data": {"gateway": {"backend": "MEMORY"}}}


async def test_a_trusted_document_needs_the_same_rights() -> None:
    """That the operator trusts a document does not make its caller see more."""
    running = Running()
    running.runner.trust({"names": "{ __schema { types { name } } }"}, source="manifest.json")
    stranger = replace(RESTRICTED, scopes=frozenset({"invoices:read"}))

    body = await ask(running, viewer=stranger, document_id="names")

    assert "data" not in body
    assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_a_trusted_document_is_known_to_all_whatever_else_is_asked() -> None:
    """It was read at the start: nobody who may run it waits for that, after any flood."""
    documents = Documents(SCHEMA._schema, Limits())
    documents.kept = check_manifest({"version-1": VERSION}, documents, source="manifest.json")
    first = documents.get(VERSION, may_introspect=True)

    for number in range(DOCUMENTS_MAX + 1):
        documents.get(f"{{ a{number}: __typename }}", may_introspect=True)

    assert documents.get(VERSION, may_introspect=True) is first
    assert documents.get(VERSION, may_introspect=False) is first
    assert not documents.knows("{ a0: __typename }", may_introspect=True)
