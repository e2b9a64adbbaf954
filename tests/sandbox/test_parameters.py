"""Parameters: the form encoding, and the tables that say what each operation takes."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
import stripe.params
from stripe import RequestOptions

from gateway.sandbox.stripe_api.api_errors import StripeError
from gateway.sandbox.stripe_api.parameters import STATED, decode, taken_by
from gateway.sandbox.stripe_api.routing import OPERATIONS
from tests.sandbox.driving import PREVIEW, Api
from tests.support.stage import ACME, Stage

FORMS = [
    pytest.param("a=1&b=two+words", {"a": "1", "b": "two words"}, id="plain"),
    pytest.param("a%5Bb%5D=1&a[c]=2", {"a": {"b": "1", "c": "2"}}, id="a hash"),
    pytest.param("a[]=x&a[]=y", {"a": {"0": "x", "1": "y"}}, id="a list"),
    pytest.param("a[0]=x&a[1]=y", {"a": {"0": "x", "1": "y"}}, id="a list with indexes"),
    pytest.param("a[0][b]=x&a[1][b]=y", {"a": {"0": {"b": "x"}, "1": {"b": "y"}}}, id="hashes"),
    pytest.param(
        "a[][b]=1&a[][c]=2&a[][b]=3",
        {"a": {"0": {"b": "1", "c": "2"}, "1": {"b": "3"}}},
        id="hashes without indexes",
    ),
    pytest.param("a=", {"a": ""}, id="empty"),
    pytest.param("", {}, id="nothing"),
]


@pytest.mark.parametrize(("text", "form"), FORMS)
def test_brackets_stand_for_nesting(text: str, form: dict[str, Any]) -> None:
    """What the SDKs and curl send is read the same way."""
    assert decode(text) == form


BAD_FORMS = [
    pytest.param("a[b=1", id="no closing bracket"),
    pytest.param("=1", id="no name"),
    pytest.param("a=1&a[b]=2", id="a value and a hash"),
    pytest.param("a[b]=1&a=2", id="a hash and a value"),
    pytest.param("a" + "[b]" * 20 + "=1", id="too deep"),
    pytest.param("a=%FF", id="no UTF-8"),
    pytest.param("&".join(f"a{at}=1" for at in range(2000)), id="too many"),
]


@pytest.mark.parametrize("text", BAD_FORMS)
def test_a_form_that_is_none_is_refused(text: str) -> None:
    """A mistake of the sender is an error of Stripe's kind, never a crash."""
    with pytest.raises(StripeError):
        decode(text)


INTENT = {"amount": 1000, "currency": "usd"}

REFUSED = [
    pytest.param({"currency": "usd"}, "parameter_missing", "amount", id="missing"),
    pytest.param({**INTENT, "surprise": 1}, "parameter_unknown", "surprise", id="unknown"),
    pytest.param({"surprise": 1}, "parameter_unknown", "surprise", id="unknown before missing"),
    pytest.param({**INTENT, "amount": ""}, "parameter_invalid_empty", "amount", id="empty"),
    pytest.param(
        {**INTENT, "amount": "10.5"}, "parameter_invalid_integer", "amount", id="a fraction"
    ),
    pytest.param({**INTENT, "amount": 0}, "parameter_invalid_integer", "amount", id="nothing"),
    pytest.param({**INTENT, "amount": 10**12}, "amount_too_large", "amount", id="too large"),
    pytest.param({**INTENT, "currency": "dollars"}, None, "currency", id="no currency"),
    pytest.param({**INTENT, "confirm": "yes"}, None, "confirm", id="no boolean"),
    pytest.param({**INTENT, "capture_method": "soon"}, None, "capture_method", id="no such word"),
    pytest.param({**INTENT, "metadata": "x"}, None, "metadata", id="no hash"),
    pytest.param({**INTENT, "metadata[a][b]": "x"}, None, "metadata[a]", id="metadata in metadata"),
    pytest.param({**INTENT, "expand": "customer"}, None, "expand", id="no array"),
    pytest.param({"currency": "usd", "amount[a]": 1}, None, "amount", id="a hash for an integer"),
    pytest.param(
        {**INTENT, "automatic_payment_methods[on]": "true"},
        "parameter_unknown",
        "automatic_payment_methods[on]",
        id="unknown in a hash",
    ),
    pytest.param(
        {**INTENT, "transfer_data[destination]": "acct_1"}, None, "transfer_data", id="Connect"
    ),
]


@pytest.mark.parametrize(("given", "code", "param"), REFUSED)
async def test_a_bad_parameter_is_named(
    api: Api, given: dict[str, Any], code: str | None, param: str
) -> None:
    """Code and parameter are what a client shows its user."""
    reply = await api.post("/v1/payment_intents", given)

    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    assert (reply.error.get("code"), reply.error["param"]) == (code, param)


async def test_unknown_parameters_are_all_named(api: Api) -> None:
    """The message is Stripe's."""
    reply = await api.get("/v1/invoices", {"one": 1, "two": 2})

    assert reply.error["message"] == "Received unknown parameters: one, two"


PREVIEW_ONLY = [
    pytest.param({"amount_requested": 100}, "amount_requested", id="amount_requested"),
    pytest.param(
        {"payment_record_data[amount]": 5}, "payment_record_data", id="payment_record_data"
    ),
]


@pytest.mark.parametrize(("given", "param"), PREVIEW_ONLY)
async def test_preview_parameters_are_unknown_to_others(
    stage: Stage, api: Api, given: dict[str, Any], param: str
) -> None:
    """A GA version does not take them, and says so instead of ignoring them."""
    path = f"/v1/invoices/{stage.open_invoice()}/attach_payment"

    ga = await api.post(path, given)
    in_preview = await api.post(path, given, version=PREVIEW)

    assert (ga.error["code"], ga.error["param"]) == ("parameter_unknown", param)
    assert in_preview.error["code"] == "parameter_missing"


async def test_metadata_is_merged(api: Api) -> None:
    """Keys are set one by one; an empty value removes its key, an empty hash all of them."""
    made = await api.made("/v1/customers", {"metadata[a]": "1", "metadata[b]": "2"})
    path = f"/v1/customers/{made['id']}"

    changed = await api.made(path, {"metadata[b]": "", "metadata[c]": "3"})
    cleared = await api.made(path, {"metadata": ""})

    assert changed["metadata"] == {"a": "1", "c": "3"}
    assert cleared["metadata"] == {}


async def test_an_empty_string_unsets_what_can_be_unset(api: Api) -> None:
    """A customer can lose the email, a page cannot lose its size."""
    made = await api.made("/v1/customers", {"email": "a@example.com"})

    changed = await api.made(f"/v1/customers/{made['id']}", {"email": ""})
    reply = await api.get("/v1/customers", {"limit": ""})

    assert changed["email"] is None
    assert reply.error["code"] == "parameter_invalid_empty"


async def test_what_would_change_amounts_is_not_ignored(api: Api) -> None:
    """Better a refusal than an invoice without the discount that was asked for."""
    reply = await api.post("/v1/invoices", {"customer": ACME, "discounts[0][coupon]": "half"})

    assert reply.error["message"] == "The sandbox does not support the parameter discounts."


TABLES = [
    pytest.param("POST /v1/customers", "CustomerCreateParams"),
    pytest.param("POST /v1/customers/{customer}", "CustomerModifyParams"),
    pytest.param("POST /v1/invoices", "InvoiceCreateParams"),
    pytest.param("POST /v1/invoices/{invoice}", "InvoiceModifyParams"),
    pytest.param("GET /v1/invoices", "InvoiceListParams"),
    pytest.param("POST /v1/invoices/{invoice}/pay", "InvoicePayParams"),
    pytest.param("POST /v1/invoices/{invoice}/attach_payment", "InvoiceAttachPaymentParams"),
    pytest.param("POST /v1/invoiceitems", "InvoiceItemCreateParams"),
    pytest.param("POST /v1/payment_intents", "PaymentIntentCreateParams"),
    pytest.param("POST /v1/payment_intents/{intent}", "PaymentIntentModifyParams"),
    pytest.param("POST /v1/payment_intents/{intent}/confirm", "PaymentIntentConfirmParams"),
    pytest.param("POST /v1/payment_intents/{intent}/cancel", "PaymentIntentCancelParams"),
    pytest.param("POST /v1/payment_intents/{intent}/capture", "PaymentIntentCaptureParams"),
    pytest.param("POST /v1/payment_records/report_payment", "PaymentRecordReportPaymentParams"),
    pytest.param("POST /v1/payment_records/{id}/report_refund", "PaymentRecordReportRefundParams"),
    pytest.param("POST /v1/credit_notes", "CreditNoteCreateParams"),
    pytest.param("GET /v1/credit_notes/preview", "CreditNotePreviewParams"),
    pytest.param("POST /v1/webhook_endpoints", "WebhookEndpointCreateParams"),
]


@pytest.mark.parametrize(("operation", "params"), TABLES)
def test_a_table_knows_what_the_sdk_sends(operation: str, params: str) -> None:
    """Nothing that the installed SDK may send is unknown, and nothing else is known to GA."""
    kind = getattr(stripe.params, params)
    of_request = {"expand", *taken_by("list"), *RequestOptions.__annotations__}

    ga = {name for name, row in taken_by(operation).items() if not row.preview}

    assert ga == set(kind.__annotations__) - of_request


def test_each_table_belongs_to_an_operation() -> None:
    """A table under a name that no operation has would be read by nobody."""
    operations = {f"{one.method} {one.path}" for one in OPERATIONS}
    shared = {"every", "list", *(name for row in STATED.values() for name in row.get("takes", ()))}

    assert set(STATED) <= operations | shared


def test_each_operation_stands_once() -> None:
    """Two operations at one place would hide each other."""
    places = [(operation.method, operation.path) for operation in OPERATIONS]

    assert len(places) == len(set(places))
