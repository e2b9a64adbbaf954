"""What an event of Stripe's carries: the object as it is now, what it was before, and who asked."""

from __future__ import annotations

from collections.abc import Callable

from gateway.backends.memory.twin import Request
from gateway.ledger.facts import Fact, facts
from schema.records import Invoice
from tests.ledger.builders import Account

CREATED = "payment_intent.created"
PAYMENT_PAID = "invoice_payment.paid"
DETACHED = "invoice_payment.detached"
UPDATED = "invoice.updated"


def invoice_update(
    account: Account, change: Callable[[], object]
) -> tuple[Invoice, dict[str, object]]:
    """The invoice as the one update shows it, and what it says was there before."""
    (updated,) = [event for event in account.events_of(change) if event.type == UPDATED]
    return updated.object, dict(updated.previous)


def test_an_update_names_exactly_what_was_different_before(account: Account) -> None:
    """A reopening has no event of its own: it is seen by the previous status and totals."""
    invoice = account.open_invoice(1000)
    intent = account.succeeded_intent(1000)
    account.twin.attach(invoice.id, intent.id)
    paid_at = account.now(invoice).paid_at

    now, previous = invoice_update(account, lambda: account.twin.detach(invoice.id, intent.id))

    assert now == account.now(invoice)
    assert previous == {
        "status": "paid",
        "amount_paid": 1000,
        "amount_remaining": 0,
        "paid_at": paid_at,
    }


def test_only_updates_carry_previous_attributes(account: Account) -> None:
    """Stripe sends previous_attributes with updates alone."""
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(1000)

    heard = account.events_of(lambda: account.twin.attach(invoice.id, intent.id))

    assert [event.type for event in heard if event.previous] == [UPDATED]


def test_detached_shows_the_payment_as_it_was(account: Account) -> None:
    """The payment cannot be read any more, so the event is the last word about it."""
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(600)
    payment = account.twin.attach(invoice.id, intent.id)

    heard = account.events_of(lambda: account.twin.detach(invoice.id, intent.id))

    (detached,) = [event for event in heard if event.type == DETACHED]
    assert detached.object == payment


def test_paid_shows_the_payment_with_its_money(account: Account) -> None:
    """A snapshot is taken after the change: what was paid, and for which invoice."""
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(600)

    heard = account.events_of(lambda: account.twin.attach(invoice.id, intent.id))

    (paid,) = [event for event in heard if event.type == PAYMENT_PAID]
    assert (paid.object.status, paid.object.amount_paid) == ("paid", 600)


def test_events_name_the_request_behind_them(account: Account) -> None:
    """By its idempotency key a caller recognises what it did itself."""
    invoice, intent = account.open_invoice(1000), account.succeeded_intent(1000)
    request = Request("req_1", "key-1")

    heard = account.events_of(lambda: account.twin.attach(invoice.id, intent.id, request=request))

    assert heard
    assert all(event.request == request for event in heard)


def test_events_have_ids_of_their_own(account: Account) -> None:
    """Events are told apart by id; two updates of one invoice are two."""
    invoice = account.open_invoice(1000)
    for amount in (200, 300):
        account.twin.attach(invoice.id, account.succeeded_intent(amount).id)

    ids = [event.id for event in account.twin.events]

    assert len(set(ids)) == len(ids)


def test_the_same_book_has_no_facts(account: Account) -> None:
    """Where nothing has changed there is nothing to announce."""
    book = account.twin.book(account.paid_invoice().id)

    assert facts(book, book) == []


def test_a_fresh_default_intent_is_announced_and_an_attached_one_is_not(
    account: Account,
) -> None:
    """The attached intent was announced when it was made; only Stripe's own one is new."""
    draft = account.draft_invoice(1000)
    before = account.twin.book(draft.id)
    account.twin.finalize(draft.id, number="N-1")
    account.twin.attach(draft.id, account.intent(600).id)

    created = [one for one in facts(before, account.twin.book(draft.id)) if one.type == CREATED]

    assert created == [Fact(CREATED, account.default_intent(draft))]
