"""Lists: cursors, `has_more`, sizes and filters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.driving import Api
from tests.support.stage import ACME, GLOBEX, Stage


async def test_a_list_is_newest_first(stage: Stage, api: Api) -> None:
    """The newest object is what a page begins with."""
    made = [stage.open_invoice(100) for _ in range(3)]

    reply = await api.get("/v1/invoices")

    assert (reply.ids, reply.body["has_more"]) == (made[::-1], False)
    assert (reply.body["object"], reply.body["url"]) == ("list", "/v1/invoices")


async def test_ten_are_answered_unless_asked_otherwise(stage: Stage, api: Api) -> None:
    """Ten is Stripe's default size."""
    for _ in range(11):
        stage.open_invoice(100)

    reply = await api.get("/v1/invoices")

    assert (len(reply.ids), reply.body["has_more"]) == (10, True)


async def test_pages_go_on_after_the_last_object(stage: Stage, api: Api) -> None:
    """`starting_after` goes towards the older ones."""
    made = [stage.open_invoice(100) for _ in range(5)][::-1]

    first = await api.get("/v1/invoices", {"limit": 2})
    then = await api.get("/v1/invoices", {"limit": 3, "starting_after": first.ids[-1]})

    assert (first.ids, first.body["has_more"]) == (made[:2], True)
    assert (then.ids, then.body["has_more"]) == (made[2:], False)


async def test_pages_go_back_before_an_object(stage: Stage, api: Api) -> None:
    """`ending_before` answers the page just before the cursor, itself newest first."""
    made = [stage.open_invoice(100) for _ in range(5)][::-1]

    near = await api.get("/v1/invoices", {"limit": 2, "ending_before": made[4]})
    far = await api.get("/v1/invoices", {"limit": 2, "ending_before": made[2]})

    assert (near.ids, near.body["has_more"]) == (made[2:4], True)
    assert (far.ids, far.body["has_more"]) == (made[:2], False)


BAD_PAGES = [
    pytest.param({"limit": 0}, "limit", "parameter_invalid_integer", id="none"),
    pytest.param({"limit": 101}, "limit", "parameter_invalid_integer", id="too many"),
    pytest.param({"limit": "ten"}, "limit", "parameter_invalid_integer", id="no number"),
    pytest.param(
        {"starting_after": "in_nobody"}, "starting_after", "resource_missing", id="unknown cursor"
    ),
    pytest.param(
        {"starting_after": "in_1", "ending_before": "in_2"},
        "starting_after",
        "parameters_exclusive",
        id="both ways",
    ),
]


@pytest.mark.parametrize(("params", "param", "code"), BAD_PAGES)
async def test_a_bad_page_is_a_400(api: Api, params: dict[str, Any], param: str, code: str) -> None:
    """The parameter is named."""
    reply = await api.get("/v1/invoices", params)

    assert (reply.status, reply.error["param"], reply.error["code"]) == (400, param, code)


async def test_invoices_are_filtered(stage: Stage, api: Api) -> None:
    """By customer, status and method of collection, alone and together."""
    draft, opened = stage.draft(100), stage.open_invoice(100)
    other = stage.open_invoice(100, customer_id=GLOBEX)

    by_customer = await api.get("/v1/invoices", {"customer": ACME})
    by_status = await api.get("/v1/invoices", {"status": "open"})
    by_both = await api.get("/v1/invoices", {"customer": ACME, "status": "open"})
    by_method = await api.get("/v1/invoices", {"collection_method": "send_invoice"})

    assert by_customer.ids == [opened, draft]
    assert by_status.ids == [other, opened]
    assert (by_both.ids, by_method.ids) == ([opened], [])


WINDOWS = [
    pytest.param({"created[gt]": 2}, [4, 3], id="gt"),
    pytest.param({"created[gte]": 2}, [4, 3, 2], id="gte"),
    pytest.param({"created[lt]": 2}, [1], id="lt"),
    pytest.param({"created[lte]": 2}, [2, 1], id="lte"),
    pytest.param({"created[gt]": 1, "created[lt]": 4}, [3, 2], id="both"),
    pytest.param({"created": 3}, [3], id="one instant"),
]


@pytest.mark.parametrize(("window", "kept"), WINDOWS)
async def test_a_window_of_time_is_kept_to(
    stage: Stage, api: Api, window: dict[str, int], kept: list[int]
) -> None:
    """Instants are epoch seconds; here they count from the first object."""
    made = {at: stage.open_invoice(100) for at in range(1, 5)}
    start = stage.twin.invoice(made[1]).created - 1

    params = {name: start + value for name, value in window.items()}
    reply = await api.get("/v1/invoices", params)

    assert reply.ids == [made[at] for at in kept]


async def test_a_window_of_due_dates_is_kept_to(stage: Stage, api: Api) -> None:
    """Invoices without a due date are in no such window."""
    stage.draft(100)
    soon, later = stage.draft(100, due_date=1_800_000_000), stage.draft(100, due_date=1_900_000_000)

    reply = await api.get("/v1/invoices", {"due_date[lt]": 1_900_000_000})

    assert later not in reply.ids
    assert reply.ids == [soon]


async def test_invoice_payments_are_found_by_what_pays(stage: Stage, api: Api) -> None:
    """The way from a PaymentIntent to its invoices."""
    invoice_id, intents = stage.paid_by(300, 700)

    by_intent = await api.get(
        "/v1/invoice_payments",
        {"payment[type]": "payment_intent", "payment[payment_intent]": intents[0]},
    )
    by_status = await api.get("/v1/invoice_payments", {"invoice": invoice_id, "status": "paid"})
    by_type = await api.get("/v1/invoice_payments", {"payment[type]": "payment_record"})

    assert [one["amount_paid"] for one in by_intent.body["data"]] == [300]
    assert [one["amount_paid"] for one in by_status.body["data"]] == [700, 300]
    assert by_type.ids == []


async def test_a_payment_filter_needs_its_type(stage: Stage, api: Api) -> None:
    """As in Stripe's table: the type is required within the hash."""
    reply = await api.get("/v1/invoice_payments", {"payment[payment_intent]": "pi_1"})

    assert (reply.error["code"], reply.error["param"]) == ("parameter_missing", "payment[type]")


async def test_the_lines_of_an_invoice_are_paged(stage: Stage, api: Api) -> None:
    """An invoice shows its first ten lines; here are all of them, in their order."""
    draft = await api.made("/v1/invoices", {"customer": ACME})
    for amount in range(1, 13):
        await api.made("/v1/invoiceitems", {"invoice": draft["id"], "amount": amount})

    path = f"/v1/invoices/{draft['id']}/lines"
    invoice = (await api.get(f"/v1/invoices/{draft['id']}")).body
    first = await api.get(path, {"limit": 10})
    rest = await api.get(path, {"starting_after": first.ids[-1]})

    assert (len(invoice["lines"]["data"]), invoice["lines"]["has_more"]) == (10, True)
    assert [one["amount"] for one in rest.body["data"]] == [11, 12]
    assert (first.body["has_more"], rest.body["has_more"]) == (True, False)


async def test_events_are_filtered_by_type(stage: Stage, api: Api) -> None:
    """One type, several, or all of a family."""
    stage.open_invoice(100)

    one = await api.get("/v1/events", {"type": "invoice.created"})
    several = await api.get(
        "/v1/events", {"types[0]": "invoice.created", "types[1]": "invoice.finalized"}
    )
    family = await api.get("/v1/events", {"type": "payment_intent.*"})

    assert [event["type"] for event in one.body["data"]] == ["invoice.created"]
    assert len(several.ids) == 2
    assert [event["type"] for event in family.body["data"]] == ["payment_intent.created"]


async def test_new_events_are_found_before_the_last_seen(stage: Stage, api: Api) -> None:
    """How a client catches up after it was away."""
    stage.open_invoice(100)
    seen = (await api.get("/v1/events", {"limit": 1})).ids[0]
    stage.clock.advance(1)
    stage.succeeded(100)

    reply = await api.get("/v1/events", {"ending_before": seen})

    assert [event["type"] for event in reply.body["data"]] == [
        "payment_intent.succeeded",
        "payment_intent.created",
    ]


async def test_events_from_before_the_sandbox_are_listed(stage: Stage, api: Api) -> None:
    """What happened on the twin is history, whoever caused it."""
    customer = await api.made("/v1/customers", {"name": "Pebble"})

    events = (await api.get("/v1/events", {"type": "customer.created"})).body["data"]

    assert [event["data"]["object"]["id"] for event in events] == [customer["id"]]
    assert events[0]["request"]["id"] is not None
