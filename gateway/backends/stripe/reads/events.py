"""Stripe's list of events in the order in which they happened, a page at a time.

The list is newest first and can be read forwards only from a known event, so the event before the
wanted time is looked up first. It is not filtered by type: a filter takes 20 names and the gateway
follows more, some of which cannot be named on every account. It judges no event.
Source: https://docs.stripe.com/api/events/list and
https://docs.stripe.com/webhooks/process-undelivered-events, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
from gateway.backends.stripe.reads.intake_lookup import Api
from gateway.stripe_objects.reading import embedded_list, is_id, malformed
from schema.ports import ErrorCode, Failed, Meter

PATH = "/v1/events"
PAGE_SIZE = 100
"""Stripe's largest page."""
PAGES_MAX = 100_000
"""Ten million events: no account's 30 days; a guard against reading in circles."""

Page = list[dict[str, Any]]


class StripeEventReader:
    """Reads one account's events with the gateway's own share of the rate budget."""

    def __init__(
        self,
        api: Api,
        *,
        page_size: int = PAGE_SIZE,
        pages_max: int = PAGES_MAX,
    ) -> None:
        self._api = api
        self._meter = Meter.without_cap(SYSTEM_CALLER)
        self._page_size = page_size
        self._pages_max = pages_max

    async def events_since(self, created_from: int) -> AsyncGenerator[dict[str, Any], None]:
        """Every event from this second on, oldest first, up to what there is at the end.

        Holds one page at a time. Events that happen while it reads come as well. Raises `Failed`.
        """
        cursor = await self._event_before(created_from)
        if cursor is None:
            oldest = await self._oldest()
            if oldest is None:
                return
            yield oldest
            cursor = _id_of(oldest)
        for _ in range(self._pages_max):
            page, has_more = await self._page(self._page_size, ending_before=cursor)
            for event in reversed(page):
                yield event
            if not page or not has_more:
                return
            cursor = _id_of(page[0])
        raise _endless()

    async def _event_before(self, created_from: int) -> str | None:
        """The newest event before this second; None where Stripe lists none as old."""
        page, _ = await self._page(1, created={"lt": created_from})
        return _id_of(page[0]) if page else None

    async def _oldest(self) -> dict[str, Any] | None:
        """The oldest event of all, found by walking back: only where the wanted time is before it,
        which is on a young account, or 30 days back."""
        oldest: dict[str, Any] | None = None
        where: dict[str, Any] = {}
        for _ in range(self._pages_max):
            page, has_more = await self._page(self._page_size, **where)
            oldest = page[-1] if page else oldest
            if not page or not has_more:
                return oldest
            where = {"starting_after": _id_of(oldest)}
        raise _endless()

    async def _page(self, limit: int, **where: Any) -> tuple[Page, bool]:
        """One page, newest first, as Stripe lists it in either direction. Raises `Failed`."""
        raw = await self._api.get(PATH, {"limit": limit, **where}, self._meter)
        rows, has_more = embedded_list(raw)
        for row in rows:
            _id_of(row)
        return rows, has_more


def _id_of(event: object) -> str:
    """The id to read on from."""
    event_id = event.get("id") if isinstance(event, dict) else None
    if not is_id(event_id):
        raise malformed("event", None, "id", "must be an id")
    return event_id


def _endless() -> Failed:
    return Failed(ErrorCode.UPSTREAM_ERROR, "Stripe's list of events does not end")
