"""Refusals in Stripe's words: keys, addresses, versions, unknown ids and broken rules."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
import stripe

from gateway.sandbox.stripe_api import Sandbox, api_errors
from tests.sandbox.driving import GA, PREVIEW, Api
from tests.support.stage import ACME, GLOBEX, Stage

LIVE = "_".join(("sk", "live", "example"))

KEYS = [
    pytest.param("", id="no key"),
    pytest.param("Bearer ", id="an empty key"),
    pytest.param("Bearer nonsense", id="no key of Stripe's form"),
    pytest.param("Bearer pk_test_abc", id="a publishable key"),
    pytest.param(f"Bearer {LIVE}", id="a live key"),
    pytest.param("Basic %%%", id="broken basic authentication"),
    pytest.param("Digest abc", id="another scheme"),
]


@pytest.mark.parametrize("authorization", KEYS)
async def test_a_wrong_key_is_a_401(api: Api, authorization: str) -> None:
    """No key, no answer; and a key is never repeated in the error."""
    reply = await api.get("/v1/invoices", headers={"Authorization": authorization})

    assert (reply.status, reply.error["type"]) == (401, "invalid_request_error")
    assert "nonsense" not in reply.error["message"]
    assert LIVE not in reply.error["message"]


@pytest.mark.parametrize("key", ["sk_test_1", "rk_test_restricted"])
@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
async def test_any_test_key_will_do(api: Api, key: str, scheme: str) -> None:
    """Bearer as the SDKs send it, basic as curl -u sends it; restricted keys as well."""
    value = key if scheme == "Bearer" else base64.b64encode(f"{key}:".encode()).decode()

    reply = await api.get("/v1/invoices", headers={"Authorization": f"{scheme} {value}"})

    assert reply.status == 200


UNKNOWN_PATHS = [
    pytest.param("POST", "/v1/nothing", GA, id="no such resource"),
    pytest.param("GET", "/v1/invoices/in_1/payments", GA, id="payments are no list of their own"),
    pytest.param("DELETE", "/v1/invoice_payments/inpay_1", GA, id="no such method"),
    pytest.param("POST", "/v1/invoices/in_1/detach_payment", GA, id="preview only"),
]


@pytest.mark.parametrize(("method", "path", "version"), UNKNOWN_PATHS)
async def test_an_unknown_path_is_named(api: Api, method: str, path: str, version: str) -> None:
    """The message is the one that clients look for."""
    reply = await api.send(method, path, version=version)

    assert reply.status == 404
    assert reply.error["message"].startswith(f"Unrecognized request URL ({method}: {path}).")


async def test_detach_exists_in_preview_versions(stage: Stage, api: Api) -> None:
    """The same call is known as soon as the version is a preview."""
    invoice_id, intents = stage.paid_by(1000)

    path = f"/v1/invoices/{invoice_id}/detach_payment"
    reply = await api.post(path, {"payment_intent": intents[0]}, version=PREVIEW)

    assert (reply.status, reply.body["status"]) == (200, "open")
    assert reply.headers["Stripe-Version"] == PREVIEW


async def test_an_invalid_version_is_refused(api: Api) -> None:
    """A version is a date, with a name or without."""
    reply = await api.get("/v1/invoices", version="tomorrow")

    assert reply.error["message"] == "Invalid Stripe API version: tomorrow"


UNKNOWN_IDS = [
    "/v1/customers/cus_nobody",
    "/v1/invoices/in_nobody",
    "/v1/invoice_payments/inpay_nobody",
    "/v1/payment_intents/pi_nobody",
    "/v1/payment_records/pr_nobody",
    "/v1/credit_notes/cn_nobody",
    "/v1/events/evt_nobody",
    "/v1/webhook_endpoints/we_nobody",
    "/v1/invoiceitems/ii_nobody",
]


@pytest.mark.parametrize("path", UNKNOWN_IDS)
async def test_an_unknown_id_is_a_404(api: Api, path: str) -> None:
    """The id of the path is called `id` in Stripe's errors."""
    reply = await api.get(path)

    kind, object_id = path.split("/")[2][:-1], path.split("/")[3]
    assert (reply.status, reply.error["code"]) == (404, "resource_missing")
    assert reply.error["param"] == "id"
    assert reply.error["message"] == f"No such {kind}: '{object_id}'"


async def test_an_unknown_id_in_a_parameter_is_named(stage: Stage, api: Api) -> None:
    """The parameter is named, so that a client knows which id is wrong."""
    invoice_id = stage.open_invoice()

    reply = await api.post(
        f"/v1/invoices/{invoice_id}/attach_payment", {"payment_intent": "pi_nobody"}
    )

    assert (reply.error["code"], reply.error["param"]) == ("resource_missing", "payment_intent")


async def test_each_error_names_its_request(api: Api) -> None:
    """The id in the header is the id under which the request was noted."""
    reply = await api.get("/v1/invoices/in_nobody")

    requests = (await api.control("GET", "/requests")).body
    assert reply.headers["Request-Id"] == requests[-1]["id"]
    assert reply.error["request_log_url"].endswith(requests[-1]["id"])
    assert reply.error["doc_url"].endswith("resource-missing")


RULES = [
    pytest.param("attach a draft", "status_transition_invalid", id="draft"),
    pytest.param("attach other currency", None, id="currency"),
    pytest.param("attach other customer", None, id="customer"),
    pytest.param("attach twice", "payment_intent_unexpected_state", id="twice"),
    pytest.param("attach too much", "amount_too_large", id="too much"),
    pytest.param("attach canceled", "payment_intent_unexpected_state", id="canceled"),
]


def _broken(stage: Stage, rule: str) -> tuple[str, str]:
    """An invoice and an intent that the rule keeps apart."""
    match rule:
        case "attach a draft":
            return stage.draft(1000), stage.succeeded(1000)
        case "attach other currency":
            return stage.open_invoice(1000), stage.succeeded(1000, currency="eur")
        case "attach other customer":
            return stage.open_invoice(1000), stage.succeeded(1000, customer_id=GLOBEX)
        case "attach twice":
            invoice_id, intent_id = stage.open_invoice(1000), stage.succeeded(400)
            stage.twin.attach(invoice_id, intent_id)
            return invoice_id, intent_id
        case "attach too much":
            return stage.open_invoice(1000), stage.succeeded(2000)
        case _:
            return stage.open_invoice(1000), stage.intent(1000, status="canceled")


@pytest.mark.parametrize(("rule", "code"), RULES)
async def test_a_refusal_of_the_ledger_is_a_400(
    stage: Stage, api: Api, rule: str, code: str | None
) -> None:
    """Stripe documents no codes for attach: a plausible one or none, and nothing changes."""
    invoice_id, intent_id = _broken(stage, rule)
    before = stage.twin.book(invoice_id)

    path = f"/v1/invoices/{invoice_id}/attach_payment"
    reply = await api.post(path, {"payment_intent": intent_id})

    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    assert reply.error.get("code") == code
    assert stage.twin.book(invoice_id) == before


SOURCES = [
    pytest.param({}, "parameter_missing", id="none"),
    pytest.param(
        {"payment_intent": "pi_1", "payment_record": "pr_1"}, "parameters_exclusive", id="two"
    ),
]


@pytest.mark.parametrize(("given", "code"), SOURCES)
async def test_exactly_one_source_is_attached(
    stage: Stage, api: Api, given: dict[str, str], code: str
) -> None:
    """None of the sources is required by itself, and two are one too many."""
    invoice_id = stage.open_invoice()

    reply = await api.post(f"/v1/invoices/{invoice_id}/attach_payment", given)

    assert (reply.status, reply.error["code"]) == (400, code)


async def test_search_is_refused_in_words(api: Api) -> None:
    """Better no search than one that finds other things than Stripe's."""
    reply = await api.get("/v1/invoices/search", {"query": "status:'open'"})

    assert reply.status == 400
    assert "does not support search" in reply.error["message"]


async def test_the_sdk_raises_its_own_errors(sandbox: Sandbox, sdk: stripe.StripeClient) -> None:
    """Types of errors are chosen by the status and the envelope."""
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await sdk.v1.invoices.retrieve_async("in_nobody")
    with pytest.raises(stripe.AuthenticationError):
        await sdk.v1.invoices.list_async({}, {"api_key": "nonsense"})

    assert (missing.value.http_status, missing.value.param) == (404, "id")
    assert missing.value.request_id == sandbox.requests[0].id


async def test_connect_is_refused(api: Api) -> None:
    """There is one account; an answer for another would be a wrong one."""
    reply = await api.get(f"/v1/customers/{ACME}", headers={"Stripe-Account": "acct_other"})

    assert reply.status == 403


def test_the_table_of_errors_holds_what_is_raised() -> None:
    """A name that the table lacks would be an error of ours; one that nobody raises is dead."""
    modules = Path(api_errors.__file__).parent.glob("*.py")
    raised = {
        name for one in modules for name in re.findall(r'stated\(\s*"(\w+)"', one.read_text())
    }

    assert raised == set(api_errors.SENTENCES)
