"""Stripe's list of events in the order they happened, read with the gateway's own share of the rate
budget. Whatever keeps Stripe from answering raises `Failed`.

Source: https://docs.stripe.com/api/events/list and
https://docs.stripe.com/webhooks/process-undelivered-events, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
from gateway.stripe_objects.reading import embedded_list, is_id, malformed
from schema.ports import PAGE_SIZE_MAX, ErrorCode, Failed, Meter

EVENT_PAGES_MAX = 100_000
"""Ten million events: no account's 30 days; a guard against reading in circles."""
PATH = "/v1/events"

Page = list[dict[str, Any]]


class StripeEventReader:
    """Reads one account's events, a page at a time.

    Stripe's list is newest first and can be read forwards only from a known event, so the event
    before the wanted time is looked up first. It is not filtered by type: a filter takes 20 names
    and the gateway follows more, some of which cannot be named on every account.
    """

    def __init__(
        self, api: StripeApi, *, page_size: int = PAGE_SIZE_MAX, pages_max: int = EVENT_PAGES_MAX
    ) -> None:
        self._api = api
        self._meter = Meter.without_cap(SYSTEM_CALLER)
        self._page_size = page_size
        self._pages_max = pages_max

    async def events_since(self, created_from: int) -> AsyncGenerator[dict[str, Any], None]:
        """Every event from this second on, oldest first, up to what there is at the end.

        Holds one page at a time. Events that happen while it reads come as well. Raises `Failed`.
        """
        before, _ = await self._page(1, created={"lt": created_from})
        last = before[0] if before else None
        if last is None:
            last = await self._oldest()
            if last is None:
                return
            yield last
        for _ in range(self._pages_max):
            page, has_more = await self._page(self._page_size, ending_before=last["id"])
            for event in reversed(page):
                yield event
            if not page or not has_more:
                return
            last = page[0]
        raise Failed(ErrorCode.UPSTREAM_ERROR, "Stripe's list of events does not end")

    async def _oldest(self) -> dict[str, Any] | None:
        """The oldest event of all, found by walking back: only where the wanted time is before it,
        which is on a young account, or 30 days back."""
        oldest: dict[str, Any] | None = None
        where: dict[str, Any] = {}
        for _ in range(self._pages_max):
            page, has_more = await self._page(self._page_size, **where)
            oldest = page[-1] if page else oldest
            if oldest is None or not page or not has_more:
                return oldest
            where = {"starting_after": oldest["id"]}
        raise Failed(ErrorCode.UPSTREAM_ERROR, "Stripe's list of events does not end")

    async def _page(self, limit: int, **where: Any) -> tuple[Page, bool]:
        """One page of events with ids, newest first in either direction. Raises `Failed`."""
        raw = await self._api.get(PATH, {"limit": limit, **where}, self._meter)
        rows, has_more = embedded_list(raw)
        if not all(isinstance(row, dict) and is_id(row.get("id")) for row in rows):
            raise malformed("event", None, "id", "must be an id")
        return rows, has_more
