"""From records to the tree that was asked for: one walk over `Needs`, whatever the source.

Which field leads to which object stands here once. A source answers single reads synchronously
from what it holds; what is not there is a `Failed` in its place. Rights are checked here too, so
that no path around them exists: what is not the viewer's is NOT_FOUND.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from schema import records
from schema.ports import (
    ROOT,
    ById,
    Computed,
    CreditNoteDraft,
    Deleted,
    ErrorCode,
    Failed,
    Link,
    Listing,
    Loaded,
    LoadedPage,
    Need,
    Needs,
    RefusalCode,
    Refused,
    Viewer,
    list_digest,
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that a source would have to fetch first: an object, by `kind` and `id`; or a list
    or a computed value, by its `need` and its parent's, None at the root."""

    kind: str | None
    id: str | None
    need: Listing | Computed | None = None


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """One page as it came: its members, and whether more lie beyond it on either side."""

    members: tuple[Any, ...]
    has_next: bool
    has_previous: bool


class Missing(Exception):
    """Raised by a source for what it does not hold yet."""

    def __init__(self, ask: Ask) -> None:
        super().__init__(ask)
        self.ask = ask


class RecordSource(Protocol):
    """Where single records and lists come from, at once. Methods raise `Failed` or `Missing`."""

    def get(self, kind: str, record_id: str) -> Any: ...

    def page(
        self, listing: Listing, parent: Any, viewer: Viewer
    ) -> tuple[list[Any], bool, bool]: ...

    def compute(self, need: Computed, parent: Any, viewer: Viewer) -> Any: ...


def not_found(kind: str, record_id: str) -> Failed:
    return Failed(ErrorCode.NOT_FOUND, f"no such {kind}: {record_id}")


def failure_of(refused: Refused) -> Failed:
    """A refusal met while reading (a preview), as an error at its path that names the rule."""
    code = (
        ErrorCode.NOT_FOUND if refused.code is RefusalCode.NOT_FOUND else ErrorCode.BAD_USER_INPUT
    )
    return Failed(code, refused.message, refusal=refused.code.value, rule=refused.rule)


_SOURCE_KINDS = {
    "payment_intent": "PaymentIntent",
    "payment_record": "PaymentRecord",
    "charge": "Charge",
}


def _source_of(payment: records.InvoicePayment) -> tuple[str, str | None]:
    kind = _SOURCE_KINDS.get(payment.source_type)
    return ("", None) if kind is None else (kind, payment.source_id)


def _intent_of(payment: records.InvoicePayment) -> tuple[str, str | None]:
    is_intent = payment.source_type == "payment_intent"
    return ("PaymentIntent", payment.source_id if is_intent else None)


LINKS: Mapping[tuple[type, str], Callable[[Any], tuple[str, str | None]]] = {
    (records.Invoice, "customer"): lambda one: ("Customer", one.customer_id),
    (records.PaymentIntent, "customer"): lambda one: ("Customer", one.customer_id),
    (records.PaymentIntent, "payment_record"): lambda one: ("PaymentRecord", one.payment_record_id),
    (records.CreditNote, "invoice"): lambda one: ("Invoice", one.invoice_id),
    (records.InvoicePayment, "invoice"): lambda one: ("Invoice", one.invoice_id),
    (records.InvoicePayment, "source"): _source_of,
    (records.InvoicePayment, "payment_intent"): _intent_of,
}

MEMBERS = {
    "invoices": "Invoice",
    "payments": "InvoicePayment",
    "invoice_payments": "InvoicePayment",
    "credit_notes": "CreditNote",
    "payment_intents": "PaymentIntent",
}
"""What stands in each list; an invoice's lines have no ids of their own to be asked for."""

PENDING = Failed(ErrorCode.INTERNAL_SERVER_ERROR, "this was not fetched")
"""Stands where something is missing; never left in an answer."""


def assemble_or_ask(
    viewer: Viewer, needs: Needs, source: RecordSource
) -> tuple[Loaded[Any], dict[Ask, Needs]]:
    """The root as far as the source holds it, and what is missing with all that is below it."""
    assembly = Assembly(viewer, source)
    return assembly.root(needs), assembly.missing


class Assembly:
    """One tree as it is put together; what is missing can be tried again once it is there."""

    def __init__(self, viewer: Viewer, source: RecordSource) -> None:
        self.viewer = viewer
        self.source = source
        self.missing: dict[Ask, Needs] = {}
        """What the source does not hold, each with all that is below it."""
        self.objects = 0
        self.has_secret = False
        """Whether it was asked for what nobody may keep."""
        self._pending: list[tuple[dict[Need, Any], Need, Any, Needs]] = []
        self._answers: dict[type, Callable[[Any, Any, Needs], Any]] = {
            ById: self._by_id,
            Link: self._link,
            Listing: self._page,
            Computed: self._computed,
        }

    def root(self, needs: Needs) -> Loaded[Any]:
        return self._below(None, needs.of(ROOT))

    def retry(self) -> None:
        """Fill in what was missing, where the source has it now."""
        pending, self._pending, self.missing = self._pending, [], {}
        for children, need, record, deeper in pending:
            self._fill(children, need, record, deeper)

    def _below(self, record: Any, needs: Mapping[Need, Needs]) -> Loaded[Any]:
        """The record, None for the root, with what it needs."""
        self.objects += 1
        children: dict[Need, Any] = {}
        for need, deeper in needs.items():
            self._fill(children, need, record, deeper)
        return Loaded(record, children)

    def _fill(self, children: dict[Need, Any], need: Need, record: Any, deeper: Needs) -> None:
        try:
            children[need] = self._answers[type(need)](need, record, deeper)
        except Failed as failed:
            children[need] = failed
        except Missing as missing:
            self.missing.setdefault(missing.ask, Needs()).merge(deeper)
            self._pending.append((children, need, record, deeper))
            children[need] = PENDING

    def _record(self, record: Any, needs: Needs) -> Loaded[Any]:
        return self._below(record, needs.of(type(record).__name__))

    def _link(self, need: Link, parent: Any, deeper: Needs) -> Any:
        kind, record_id = LINKS[type(parent), need.name](parent)
        if record_id is None:
            return None
        return self._record(self._behind(kind, record_id), deeper)

    def _computed(self, need: Computed, parent: Any, deeper: Needs) -> Any:
        self.has_secret |= need.name == "confirmation_secret"
        if isinstance(need.argument, CreditNoteDraft) and self.viewer.customers is not None:
            self._own("Invoice", need.argument.invoice_id)
        value = self.source.compute(need, parent, self.viewer)
        is_plain = value is None or isinstance(value, int)
        return value if is_plain else Loaded(value)

    def _by_id(self, need: ById, parent: None, deeper: Needs) -> Any:
        try:
            record = self._own(need.kind, need.id)
        except Failed as failed:
            if need.quiet and failed.code is ErrorCode.NOT_FOUND:
                return None
            raise
        return self._record(record, deeper)

    def _own(self, kind: str, record_id: str) -> Any:
        """The viewer's object of this id. Raises `Failed`, `Missing`."""
        return self._shown(kind, record_id, self.viewer.sees)

    def _behind(self, kind: str, record_id: str) -> Any:
        """What an object of the viewer's points to: it is theirs too, or nobody's."""
        return self._shown(kind, record_id, lambda owner: owner is None or self.viewer.sees(owner))

    def _shown(self, kind: str, record_id: str, may_see: Callable[[str | None], bool]) -> Any:
        """The object, if its owner says that the viewer may see it. Raises `Deleted` where it is
        known to be deleted, `Failed`, `Missing`.

        What is not there is told in the same words whoever missed it: the source's own would part
        the unknown from the hidden, or name the invoice of a foreign payment.
        """
        try:
            record = self.source.get(kind, record_id)
            if self.viewer.customers is None or may_see(self._owner(record)):
                return record
        except Deleted as deleted:
            if self._may_know(deleted):
                raise
        except Failed as failed:
            if failed.code is not ErrorCode.NOT_FOUND:
                raise
        raise not_found(kind, record_id)

    def _may_know(self, deleted: Deleted) -> bool:
        """Whose a deleted object was is not known any more, unless it is a customer."""
        if deleted.kind == "Customer":
            return self.viewer.sees(deleted.id)
        return self.viewer.customers is None

    def _owner(self, record: Any) -> str | None:
        """The customer whose object this is."""
        if isinstance(record, records.Customer):
            return record.id
        if isinstance(record, records.InvoicePayment):
            invoice: records.Invoice = self.source.get("Invoice", record.invoice_id)
            return invoice.customer_id
        return record.customer_id  # type: ignore[no-any-return]

    def _page(self, need: Listing, parent: Any, deeper: Needs) -> LoadedPage:
        parent_id = None if parent is None else parent.id
        check_cursor(need, parent_id)
        check_restricted(need, parent, self.viewer)
        if self.viewer.customers is not None:
            self._check_named(need)
        members, has_next, has_previous = self.source.page(need, parent, self.viewer)
        if self.viewer.customers is not None and need.name == "invoice_payments":
            members = [one for one in members if self.viewer.sees(self._owner(one))]
        items = [self._record(one, deeper) for one in members]
        return LoadedPage(need, parent_id, items, has_next, has_previous)

    def _check_named(self, need: Listing) -> None:
        """What a list's arguments name must be the viewer's: a cursor can be made of any id, and
        Stripe counts from any object that exists. Raises `Failed`, `Missing`."""
        if need.where.attachable_to is not None:
            self._own("Invoice", need.where.attachable_to)
        cursor, kind = need.page.after or need.page.before, MEMBERS.get(need.name)
        if cursor is None or kind is None:
            return
        try:
            self._own(kind, cursor.object_id)
        except Failed as failed:
            if failed.code is ErrorCode.NOT_FOUND:
                raise cursor_gone() from failed
            raise


def check_cursor(need: Listing, parent_id: str | None) -> None:
    """A cursor of another list is refused. Raises `Failed` BAD_USER_INPUT."""
    for argument, cursor in (("after", need.page.after), ("before", need.page.before)):
        if cursor is None:
            continue
        if cursor.list_digest != list_digest(need.name, parent_id, need.where):
            raise Failed(
                ErrorCode.BAD_USER_INPUT,
                f"{argument} is a cursor of another list: give one that this list, with these "
                "filters, has given out",
            )


def check_restricted(need: Listing, parent: Any, viewer: Viewer) -> None:
    """What a viewer restricted to customers must say at the root. Raises `Failed`."""
    if parent is not None or viewer.customers is None:
        return
    where = need.where
    if need.name == "invoices" and where.customer_id is None and len(viewer.customers) > 1:
        raise Failed(
            ErrorCode.BAD_USER_INPUT,
            "filter.customerId must name one of the customers that this caller may see",
        )
    ids = (where.invoice_id, where.payment_intent_id, where.payment_record_id)
    if need.name == "invoice_payments" and not any(ids):
        raise Failed(
            ErrorCode.BAD_USER_INPUT,
            "filter must give invoiceId, paymentIntentId or paymentRecordId: this caller is "
            "restricted to customers, and Stripe cannot filter payments by customer",
        )


def cursor_gone() -> Failed:
    return Failed(
        ErrorCode.CURSOR_GONE,
        "the object behind this cursor has left the list: read the list again from its start",
    )
