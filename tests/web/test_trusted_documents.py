"""Trusted documents over every transport of the real gateway, and what a GET may do with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from gateway.callers import Grant
from gateway.composition.callers import problems_of_documents
from gateway.settings import Settings
from schema.ports import SCOPES, Viewer
from tests.support.served import Served, serving

READ = "query Version { gateway { version } }"
LISTEN = "subscription { invoicePaymentEvents { __typename } }"
INVOICE = "query ($id: ID!) { invoice(id: $id) { id } }"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


WRITE = (
    'mutation { detachPayment(input: {invoiceId: "in_x", paymentIntentId: "pi_x", '
    'idempotencyKey: "k"}) { replayed } }'
)
MANIFEST = {f"sha256:{sha(text)}": text for text in (READ, LISTEN, INVOICE)} | {"write": WRITE}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(MANIFEST))
    async with serving(trusted_documents_file=path) as running:
        yield running


def persisted(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha(text)}}


BODIES = {
    "documentId": {"documentId": f"sha256:{sha(READ)}"},
    "documentId without its prefix": {"documentId": sha(READ)},
    "documentId beside no query": {"documentId": sha(READ), "query": None},
    "documentId beside an empty query": {"documentId": sha(READ), "query": ""},
    "Apollo's extension": {"extensions": persisted(READ)},
    "Apollo's extension and its text": {"extensions": persisted(READ), "query": READ},
    "both, and they agree": {
        "documentId": f"sha256:{sha(READ)}",
        "extensions": persisted(READ),
    },
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_a_post_names_a_document(served: Served, body: dict[str, Any]) -> None:
    """In the way of GraphQL over HTTP, or in Apollo's."""
    async with served.session.post(served.url / "graphql", json=body) as response:
        answer = await response.json()

    assert list(answer) == ["data"]


BAD_BODIES = {
    "number": {"documentId": 7},
    "empty": {"documentId": ""},
    "empty beside a query": {"documentId": "", "query": READ},
    "long": {"documentId": "x" * 257},
    "number as query": {"documentId": sha(READ), "query": 7},
    "null and no query": {"documentId": None},
    "extension is no object": {"extensions": {"persistedQuery": 1}},
    "extension of another version": {
        "extensions": {"persistedQuery": {"version": 2, "sha256Hash": sha(READ)}}
    },
    "extension without a hash": {"extensions": {"persistedQuery": {"version": 1}}},
    "extension with a number": {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": 1}}},
    "two names": {"documentId": sha(INVOICE), "extensions": persisted(READ)},
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_a_bad_name_is_a_bad_request(served: Served, body: dict[str, Any]) -> None:
    """It is not looked up, and the text beside it is not run."""
    async with served.session.post(served.url / "graphql", json=body) as response:
        answer = await response.json()

    assert response.status == 400
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "data" not in answer


async def get(served: Served, **parameters: Any) -> tuple[int, dict[str, Any], str | None]:
    """Status, body and `Allow` of a plain GET, which any page can make a browser send."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in parameters.items()
    }
    async with served.session.get(served.url / "graphql", params=texts) as response:
        return response.status, await response.json(), response.headers.get("Allow")


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"documentId": sha(READ)}, id="documentId"),
        pytest.param({"extensions": persisted(READ)}, id="extension"),
        pytest.param({"documentId": sha(READ), "query": ""}, id="empty query"),
    ],
)
async def test_a_get_of_a_trusted_document_needs_no_preflight(
    served: Served, parameters: dict[str, Any]
) -> None:
    """What it does is known to be harmless, so caches and plain links may ask for it."""
    status, body, _ = await get(served, **parameters)

    assert status == 200
    assert list(body) == ["data"]


async def test_a_get_takes_variables(served: Served) -> None:
    """A document is named once and asked with different ids."""
    variables = {"id": "in_demo_open"}

    _, body, _ = await get(served, documentId=sha(INVOICE), variables=variables)

    assert body == {"data": {"invoice": {"id": "in_demo_open"}}}


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"query": READ}, id="text"),
        pytest.param({"query": READ, "documentId": sha(READ)}, id="text and its name"),
        pytest.param({"query": READ, "extensions": persisted(READ)}, id="Apollo's with text"),
    ],
)
async def test_a_get_with_a_text_still_needs_its_preflight(
    served: Served, parameters: dict[str, Any]
) -> None:
    """Else any page could have any query run, and only had to hash it."""
    status, body, _ = await get(served, **parameters)

    assert status == 400
    assert "GraphQL-Preflight" in body["errors"][0]["message"]


async def test_an_empty_first_query_does_not_hide_a_second(served: Served) -> None:
    """A parameter that is given twice counts with its last value, for the preflight too."""
    url = (served.url / "graphql").with_query([("query", ""), ("query", READ)])

    async with served.session.get(url) as response:
        body = await response.json()

    assert response.status == 400
    assert "GraphQL-Preflight" in body["errors"][0]["message"]


async def test_a_mutation_is_never_run_by_a_get(served: Served) -> None:
    """That it is trusted changes nothing."""
    status, body, allow = await get(served, documentId="write")

    assert (status, allow) == (405, "POST")
    assert "data" not in body


async def test_an_unknown_document_is_told_so(served: Served) -> None:
    """The answer says what to do, in a well-formed GraphQL response."""
    status, body, _ = await get(served, documentId=sha("x"))

    assert status == 200  # For application/json, as for every document that is refused.
    assert body["errors"][0]["extensions"]["code"] == "PERSISTED_DOCUMENT_NOT_FOUND"
    assert "manifest" in body["errors"][0]["message"]


async def told_over_http(served: Served, payload: dict[str, Any]) -> Any:
    """The first error over POST."""
    async with served.session.post(served.url / "graphql", json=payload) as response:
        return (await response.json())["errors"][0]


async def told_over_get(served: Served, payload: dict[str, Any]) -> Any:
    _, body, _ = await get(served, **payload)
    return body["errors"][0]


async def told_over_sse(served: Served, payload: dict[str, Any]) -> Any:
    headers = {"Accept": "text/event-stream"}
    url = served.url / "graphql"
    async with served.session.post(url, json=payload, headers=headers) as response:
        data = (await response.text()).partition("data: ")[2].partition("\n")[0]
        return json.loads(data)["errors"][0]


async def told_over_socket(served: Served, payload: dict[str, Any]) -> Any:
    message = await socket_answers(served.session, served.url, payload)
    return message["payload"][0]


TELLERS = pytest.mark.parametrize(
    "told", [told_over_http, told_over_get, told_over_sse, told_over_socket]
)


@TELLERS
async def test_who_asks_in_apollos_way_is_told_in_apollos_words(served: Served, told: Any) -> None:
    """Apollo's link and urql's exchange look for these words and codes, and then send the text."""
    error = await told(served, {"extensions": persisted("query X { __typename }")})

    assert error["message"] == "PersistedQueryNotFound"
    assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


@TELLERS
async def test_without_a_manifest_hashes_are_not_supported(told: Any) -> None:
    """The clients then stop asking by hash, and spare themselves a request each time."""
    async with serving() as served:
        error = await told(served, {"extensions": persisted(READ)})
        by_id = await told(served, {"documentId": sha(READ)})

    assert error["message"] == "PersistedQueryNotSupported"
    assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_SUPPORTED"
    assert by_id["extensions"]["code"] == "PERSISTED_DOCUMENT_NOT_FOUND"


async def test_the_text_that_follows_is_run(served: Served) -> None:
    """With its hash, or with an id of the frontend's own that the manifest does not have yet."""
    text = "query Version { gateway { version backend } }"
    named = {"persistedQuery": {"version": 1, "sha256Hash": "version-of-tomorrow"}}

    async with served.session.post(
        served.url / "graphql", json={"query": text, "extensions": persisted(text)}
    ) as response:
        by_hash = await response.json()
    async with served.session.post(
        served.url / "graphql", json={"query": text, "extensions": named}
    ) as response:
        by_id = await response.json()

    assert by_hash == by_id
    assert list(by_hash) == ["data"]


async def test_an_event_stream_names_a_document(served: Served) -> None:
    """A browser's EventSource can only GET, and cannot set a header."""
    url = (served.url / "graphql").with_query(documentId=sha(LISTEN))

    async with served.session.get(url, headers={"Accept": "text/event-stream"}) as response:
        lines = [await response.content.readuntil(b"\n\n") for _ in range(2)]

    assert b"StreamCheckpoint" in lines[1]


async def socket_answers(session: ClientSession, url: Any, payload: dict[str, Any]) -> Any:
    """The first message about one operation on a socket of its own."""
    protocols = ("graphql-transport-ws",)
    async with session.ws_connect(url / "graphql", protocols=protocols) as socket:
        await socket.send_json({"type": "connection_init"})
        assert (await socket.receive_json())["type"] == "connection_ack"
        await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
        return await socket.receive_json()


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"documentId": sha(LISTEN)}, id="documentId"),
        pytest.param({"extensions": persisted(LISTEN)}, id="extension"),
        pytest.param({"documentId": sha(READ)}, id="query"),
    ],
)
async def test_a_socket_names_a_document(served: Served, payload: dict[str, Any]) -> None:
    """A subscription over WebSocket is asked for in the same ways."""
    message = await socket_answers(served.session, served.url, payload)

    assert message["type"] == "next"
    assert "errors" not in message["payload"]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param(
            {"documentId": sha("x")}, "PERSISTED_DOCUMENT_NOT_FOUND", id="unknown document"
        ),
        pytest.param({"documentId": sha(READ), "query": LISTEN}, "BAD_USER_INPUT", id="other text"),
    ],
)
async def test_a_bad_name_ends_one_operation(
    served: Served, payload: dict[str, Any], code: str
) -> None:
    """The socket and its other operations live on."""
    message = await socket_answers(served.session, served.url, payload)

    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == code


class Restricted:
    """Lets everybody in, for trusted documents only."""

    async def identify(self, request: web.Request, connection_params: Any = None) -> Grant:
        viewer = Viewer("operator", frozenset(SCOPES), trusted_documents_only=True)
        return Grant(viewer, None)


async def test_a_restricted_caller_runs_nothing_else(tmp_path: Path) -> None:
    """The allow-list holds on each transport, and proxies see the refusal."""
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(MANIFEST))
    async with serving(trusted_documents_file=path, authenticator=Restricted()) as served:
        url = served.url / "graphql"

        trusted = await served.post(READ)
        async with served.session.post(url, json={"query": "{ __typename }"}) as response:
            foreign = await response.json()
        over_socket = await socket_answers(
            served.session, served.url, {"query": "subscription { wrong }"}
        )

    assert "data" in trusted
    assert response.status == 403
    assert foreign["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert over_socket["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_the_manifest_is_read_again_while_the_gateway_runs(tmp_path: Path) -> None:
    """A deployment of the frontend adds its documents; a bad file changes nothing."""
    path = tmp_path / "manifest.json"
    path.write_text("{}")
    async with serving(trusted_documents_file=path) as served:
        before = await get(served, documentId=sha(READ))
        path.write_text(json.dumps(MANIFEST))
        served.gateway.rereading.again()
        after = await get(served, documentId=sha(READ))
        path.write_text("{")
        served.gateway.rereading.again()
        still = await get(served, documentId=sha(READ))

    assert before[1]["errors"][0]["extensions"]["code"] == "PERSISTED_DOCUMENT_NOT_FOUND"
    assert "data" in after[1]
    assert "data" in still[1]


def test_the_doctor_finds_a_bad_manifest(tmp_path: Path) -> None:
    """One line for each document that could not run."""
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"a": "{ wrong }", "b": "{", "c": READ}))

    lines = problems_of_documents(Settings(trusted_documents_file=path))

    assert [line.split(",")[0] for line in lines] == [
        f"{path}: entry 'a'",
        f"{path}: entry 'b'",
    ]
