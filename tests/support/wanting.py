"""Short ways to say what is needed, and to read what was loaded."""

from __future__ import annotations

from typing import Any

from schema.ports import (
    ROOT,
    ById,
    Link,
    ListFilter,
    Listing,
    Loaded,
    Need,
    Needs,
    Page,
    Viewer,
)
from tests.support.backends import Backend

PAYMENTS = Listing("payments", Page())
PAYMENT_INTENT = Link("payment_intent")
CUSTOMER = Link("customer")


def wanting(*path: tuple[str, Need]) -> Needs:
    """Needs one below the other: (type name, need), then (type name, need) below it."""
    root = needs = Needs()
    for type_name, need in path:
        needs = needs.add(type_name, need)
    return root


def invoice(invoice_id: str) -> tuple[str, Need]:
    return ROOT, ById("Invoice", invoice_id)


def listing(name: str, page: Page | None = None, **where: Any) -> Listing:
    return Listing(name, page or Page(), ListFilter(**where))


async def load_one(backend: Backend, viewer: Viewer, *path: tuple[str, Need]) -> Any:
    """What was loaded for the first need of the path, raising what stands in its place."""
    root: Loaded[Any] = await backend.load(viewer, wanting(*path))
    return root.child(path[0][1])
