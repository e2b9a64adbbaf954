"""What every supplier of the port promises about reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schema.node import decode_cursor, encode_cursor
from schema.ports import (
    ROOT,
    ById,
    Capability,
    Computed,
    CreditNoteDraft,
    ErrorCode,
    Failed,
    Loaded,
    LoadedPage,
    Need,
    Needs,
    Page,
    TimeRange,
    Viewer,
    root_needs,
)
from tests.contract.features import Supplied
from tests.contract.staging import Stage
from tests.support.backends import Backend
from tests.support.wanting import (
    CUSTOMER,
    PAYMENT_INTENT,
    PAYMENTS,
    invoice,
    listing,
    load_one,
)

DAY = 86_400


def ids(page: LoadedPage) -> list[str]:
    return [item.record.id for item in page.items]


def invoices(stage: Stage, page: Page | None = None, **where: Any) -> tuple[str, Need]:
    """Acme's invoices: an account may hold those of others."""
    return ROOT, listing("invoices", page, customer_id=stage.acme, **where)


def after(page: LoadedPage, first: int) -> Page:
    cursor = encode_cursor(page.digest, page.items[-1].record.id)
    return Page(first=first, after=decode_cursor(cursor, "after"))


def before(page: LoadedPage, last: int) -> Page:
    cursor = encode_cursor(page.digest, page.items[0].record.id)
    return Page(first=None, last=last, before=decode_cursor(cursor, "before"))


async def test_invoice_comes_with_payments_and_their_intents(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """One load answers a need three levels deep."""
    invoice_id, (first, second) = await stage.paid_by(700, 300)

    loaded = await load_one(
        backend,
        operator,
        invoice(invoice_id),
        ("Invoice", PAYMENTS),
        ("InvoicePayment", PAYMENT_INTENT),
    )

    payments: LoadedPage = loaded.child(PAYMENTS)
    paid = [one for one in payments.items if one.record.status == "paid"]
    assert loaded.record.amount_paid == 700 + 300
    assert [one.child(PAYMENT_INTENT).record.id for one in paid] == [second, first]


async def test_unknown_id_is_not_found(backend: Backend, operator: Viewer) -> None:
    """A lookup of nothing is told in its place, and never raised from the load itself."""
    root = await backend.load(operator, root_needs([(ById("Invoice", "in_nowhere"), Needs())]))

    outcome = root.children[ById("Invoice", "in_nowhere")]

    assert isinstance(outcome, Failed)
    assert outcome.code is ErrorCode.NOT_FOUND


async def test_quiet_lookup_of_nothing_is_null(backend: Backend, operator: Viewer) -> None:
    """`nodes` shows a null for an unknown id, so such a need is answered without a failure."""
    need = ById("PaymentIntent", "pi_nowhere", quiet=True)

    root = await backend.load(operator, root_needs([(need, Needs())]))

    assert root.children[need] is None


async def test_one_failed_need_leaves_its_siblings_standing(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Partial answers are answers: a failure costs its own place only."""
    good = ById("Invoice", await stage.open_invoice())
    bad = ById("Invoice", "in_nowhere")

    root = await backend.load(operator, root_needs([(good, Needs()), (bad, Needs())]))

    assert isinstance(root.children[bad], Failed)
    assert isinstance(root.children[good], Loaded)


async def test_lists_are_newest_first(backend: Backend, stage: Stage, operator: Viewer) -> None:
    """Stripe's order: the newest invoice leads."""
    made = [await stage.open_invoice() for _ in range(3)]

    page = await load_one(backend, operator, invoices(stage))

    assert ids(page) == made[::-1]


async def test_pages_meet_without_gap_or_repeat(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Forward pages, one after the other, are the whole list once."""
    made = [await stage.open_invoice() for _ in range(5)]

    first = await load_one(backend, operator, invoices(stage, Page(first=2)))
    second = await load_one(backend, operator, invoices(stage, after(first, 2)))
    third = await load_one(backend, operator, invoices(stage, after(second, 2)))

    assert ids(first) + ids(second) + ids(third) == made[::-1]
    assert [page.has_next for page in (first, second, third)] == [True, True, False]


async def test_paging_backward_returns_what_came_before(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """`last` with `before` is the page that a reader came from, in the same order."""
    made = [await stage.open_invoice() for _ in range(5)]
    first = await load_one(backend, operator, invoices(stage, Page(first=2)))
    second = await load_one(backend, operator, invoices(stage, after(first, 2)))

    back = await load_one(backend, operator, invoices(stage, before(second, 2)))

    assert ids(back) == ids(first) == made[::-1][:2]
    assert back.has_previous is False
    assert back.has_next is True


async def test_cursor_of_another_list_is_refused(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """A cursor belongs to one list with its filters; elsewhere it would skip in silence."""
    await stage.open_invoice()
    page = await load_one(backend, operator, invoices(stage))

    with pytest.raises(Failed) as refused:
        await load_one(backend, operator, invoices(stage, after(page, 1), statuses=("open",)))

    assert refused.value.code is ErrorCode.BAD_USER_INPUT


async def test_cursor_of_a_detached_payment_is_gone(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """A detached payment leaves the list, and a cursor at it says so instead of guessing."""
    invoice_id, intents = await stage.paid_by(700, 300)
    loaded = await load_one(backend, operator, invoice(invoice_id), ("Invoice", PAYMENTS))
    page: LoadedPage = loaded.child(PAYMENTS)
    of_second = next(one for one in page.items if one.record.source_id == intents[1])
    cursor = decode_cursor(encode_cursor(page.digest, of_second.record.id), "after")
    await stage.detach(invoice_id, intents[1])

    again = listing("payments", Page(after=cursor))
    loaded = await load_one(backend, operator, invoice(invoice_id), ("Invoice", again))

    with pytest.raises(Failed) as gone:
        loaded.child(again)
    assert gone.value.code is ErrorCode.CURSOR_GONE


Where = Callable[[Stage], dict[str, Any]]


def due_in_a_week(stage: Stage) -> TimeRange:
    return TimeRange(stage.now() + 6 * DAY, stage.now() + 8 * DAY)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param(
            lambda stage: {"customer_id": stage.acme}, {"draft", "open", "due"}, id="customer"
        ),
        pytest.param(
            lambda stage: {"statuses": ("draft",)}, {"draft", "due", "globex"}, id="status"
        ),
        pytest.param(
            lambda stage: {"customer_id": stage.acme, "statuses": ("draft",)},
            {"draft", "due"},
            id="both",
        ),
        pytest.param(lambda stage: {"due": due_in_a_week(stage)}, {"due"}, id="due"),
        pytest.param(lambda stage: {"customer_id": "cus_nobody"}, set(), id="unknown customer"),
    ],
)
async def test_invoices_are_filtered(
    backend: Backend, stage: Stage, operator: Viewer, where: Where, expected: set[str]
) -> None:
    """All that a filter gives must hold."""
    made = {
        "draft": await stage.draft(),
        "open": await stage.open_invoice(),
        "due": await stage.draft(due_date=stage.now() + 7 * DAY),
        "globex": await stage.draft(customer_id=stage.globex),
    }

    page = await load_one(
        backend, operator, (ROOT, listing("invoices", Page(first=100), **where(stage)))
    )

    found = set(ids(page))
    assert {name for name, invoice_id in made.items() if invoice_id in found} == expected


async def test_payments_by_intent_are_found_in_reverse(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """From a PaymentIntent to the invoices that it pays: the link that left the REST object."""
    invoice_id, (intent_id, _) = await stage.paid_by(700, 300)

    page = await load_one(
        backend, operator, (ROOT, listing("invoice_payments", payment_intent_id=intent_id))
    )

    assert [item.record.invoice_id for item in page.items] == [invoice_id]


async def test_amount_paid_out_of_band_is_what_no_intent_paid(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """A payment record is money from outside; an intent's is not."""
    invoice_id = await stage.open_invoice(1000)
    await stage.attach(invoice_id, await stage.succeeded(600))
    await stage.attach(invoice_id, await stage.payment_record(400))
    need = Computed("amount_paid_out_of_band")

    loaded = await load_one(backend, operator, invoice(invoice_id), ("Invoice", need))

    assert loaded.child(need) == 400


async def test_credit_note_preview_writes_nothing(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """A preview splits the amount and leaves the invoice as it is."""
    invoice_id = await stage.open_invoice(1000)
    need = Computed("credit_note_preview", CreditNoteDraft(invoice_id, 300))

    preview = await load_one(backend, operator, (ROOT, need))
    loaded = await load_one(backend, operator, invoice(invoice_id))

    assert preview.record.pre_payment_amount == 300
    assert preview.record.amount_remaining_after == 700
    assert loaded.record.amount_remaining == 1000


async def test_two_viewers_see_only_what_is_theirs(
    backend: Backend, stage: Stage, acme: Viewer, globex: Viewer
) -> None:
    """What is not yours is NOT_FOUND, exactly like what does not exist."""
    of_acme, _ = await stage.paid_by(500, customer_id=stage.acme)
    of_globex, _ = await stage.paid_by(500, customer_id=stage.globex)

    for viewer, own, foreign in ((acme, of_acme, of_globex), (globex, of_globex, of_acme)):
        page = await load_one(backend, viewer, (ROOT, listing("invoices")))
        assert ids(page) == [own]
        assert (await load_one(backend, viewer, invoice(own))).record.id == own
        with pytest.raises(Failed) as hidden:
            await load_one(backend, viewer, invoice(foreign))
        assert hidden.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("kind", ["InvoicePayment", "PaymentIntent", "Customer"])
async def test_foreign_objects_of_every_kind_are_not_found(
    backend: Backend, stage: Stage, acme: Viewer, kind: str
) -> None:
    """`node(id:)` must not get around the parent's checks."""
    invoice_id, (intent_id,) = await stage.paid_by(500, customer_id=stage.globex)
    payments = await stage.payments_of(invoice_id)
    foreign = {
        "InvoicePayment": payments[intent_id],
        "PaymentIntent": intent_id,
        "Customer": stage.globex,
    }

    with pytest.raises(Failed) as hidden:
        await load_one(backend, acme, (ROOT, ById(kind, foreign[kind])))

    assert hidden.value.code is ErrorCode.NOT_FOUND


async def test_restricted_viewer_must_narrow_invoice_payments(
    backend: Backend, acme: Viewer
) -> None:
    """Stripe cannot filter payments by customer, so a restricted caller names an object."""
    with pytest.raises(Failed) as refused:
        await load_one(backend, acme, (ROOT, listing("invoice_payments")))

    assert refused.value.code is ErrorCode.BAD_USER_INPUT
    assert "invoiceId" in refused.value.message


async def test_invoice_and_customer_are_linked(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """A link is followed to the object itself."""
    invoice_id = await stage.open_invoice()

    loaded = await load_one(backend, operator, invoice(invoice_id), ("Invoice", CUSTOMER))

    assert loaded.child(CUSTOMER).record.id == stage.acme


async def test_a_link_to_a_deleted_customer_leads_nowhere(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Nobody has failed: whoever asks for the customer by its id is told, and a link is null; the
    second time, from a cache, as the first."""
    invoice_id = await stage.open_invoice(customer_id=stage.globex)
    await stage.delete_customer(stage.globex)
    by_id = ById("Customer", stage.globex)

    for _ in range(2):
        loaded = await load_one(backend, operator, invoice(invoice_id), ("Invoice", CUSTOMER))
        root = await backend.load(operator, root_needs([(by_id, Needs())]))

        assert loaded.record.customer_id == stage.globex
        assert loaded.child(CUSTOMER) is None
        outcome = root.children[by_id]
        assert isinstance(outcome, Failed)
        assert outcome.code is ErrorCode.NOT_FOUND


async def test_attachable_intents_fit_the_invoice(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Currency, customer, status and amount must fit; what does not is left out."""
    invoice_id = await stage.open_invoice(1000)
    fits, too_large = await stage.succeeded(400), await stage.intent(2000)
    euro = await stage.intent(400, currency="eur")
    canceled = await stage.intent(400, status="canceled")
    every = listing("payment_intents", Page(first=10))
    fitting = listing("payment_intents", Page(first=10), attachable_to=invoice_id)
    customer = (ROOT, ById("Customer", stage.acme))

    all_intents = (await load_one(backend, operator, customer, ("Customer", every))).child(every)
    offered = (await load_one(backend, operator, customer, ("Customer", fitting))).child(fitting)

    assert {fits, too_large, euro, canceled} <= set(ids(all_intents))
    assert set(ids(offered)) & {fits, too_large, euro, canceled} == {fits}


async def test_detach_preview_tells_what_would_follow(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Allowed, what the invoice would become, and what would then be asked for."""
    invoice_id, (_, second) = await stage.paid_by(700, 300)
    payment_id = (await stage.payments_of(invoice_id))[second]
    need = Computed("detach_preview")

    loaded = await load_one(
        backend, operator, (ROOT, ById("InvoicePayment", payment_id)), ("InvoicePayment", need)
    )

    preview = loaded.child(need).record
    assert (preview.allowed, preview.blocked_by) == (True, ())
    assert (preview.status_after, preview.amount_remaining_after) == ("open", 300)
    assert preview.creates_default_payment_intent is True


async def test_detach_preview_names_the_rules_against_it(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """The open default payment is Stripe's own and stays."""
    invoice_id = await stage.open_invoice(1000)
    (default,) = (await stage.payments_of(invoice_id)).values()
    need = Computed("detach_preview")

    loaded = await load_one(
        backend, operator, (ROOT, ById("InvoicePayment", default)), ("InvoicePayment", need)
    )

    preview = loaded.child(need).record
    assert preview.allowed is False
    assert preview.blocked_by == ("PAYMENT_IS_DEFAULT",)


async def test_confirmation_secret_belongs_to_the_default_payment(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """There is one while something can be confirmed, and none once it is paid."""
    still_open = await stage.open_invoice(1000)
    paid, _ = await stage.paid_by(1000)
    need = Computed("confirmation_secret")

    of_open = await load_one(backend, operator, invoice(still_open), ("Invoice", need))
    of_paid = await load_one(backend, operator, invoice(paid), ("Invoice", need))

    assert of_open.child(need).record.client_secret
    assert of_paid.child(need) is None


async def test_credit_notes_of_an_invoice_are_listed(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Newest first, with how each was split."""
    invoice_id = await stage.open_invoice(1000)
    made = [await stage.credit(invoice_id, amount) for amount in (100, 200)]
    need = listing("credit_notes")

    loaded = await load_one(backend, operator, invoice(invoice_id), ("Invoice", need))

    assert ids(loaded.child(need)) == made[::-1]


async def test_payments_are_narrowed_by_status(
    backend: Backend, stage: Stage, operator: Viewer
) -> None:
    """Failed and canceled ones are among them unless the reader narrows."""
    invoice_id, _ = await stage.paid_by(700, 300)
    paid = listing("payments", statuses=("paid",))
    gone_or_open = listing("payments", statuses=("canceled", "open"))

    loaded = await load_one(backend, operator, invoice(invoice_id), ("Invoice", paid))
    others = await load_one(backend, operator, invoice(invoice_id), ("Invoice", gone_or_open))

    assert [one.record.status for one in loaded.child(paid).items] == ["paid", "paid"]
    assert [one.record.status for one in others.child(gone_or_open).items] == ["canceled"]


async def test_backend_says_what_it_is_and_can_do(backend: Backend) -> None:
    """A client hides the button instead of failing the click."""
    description = backend.describe()

    assert description.account
    assert Capability.DETACH in description.capabilities


async def test_closing_twice_is_harmless(supplied: Supplied) -> None:
    """A shutdown that is told twice still ends."""
    await supplied.supplier.close()
    await supplied.supplier.close()
