"""Stripe's two lists of events in the order they happened, read with the gateway's own share of the
rate budget. Whatever keeps Stripe from answering raises `Failed`.

Source: https://docs.stripe.com/api/events/list, https://docs.stripe.com/api/v2/core/events/list and
https://docs.stripe.com/webhooks/process-undelivered-events, 2026-10-28.endive.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gateway.backends.stripe.client import StripeApi
from gateway.backends.stripe.errors import KeyRefused
from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
from gateway.stripe_objects.reading import embedded_list, is_id, malformed
from schema.ports import PAGE_SIZE_MAX, ErrorCode, Failed, Meter

EVENT_PAGES_MAX = 100_000
"""Ten million events: no account's 30 days; a guard against reading in circles."""
PATH = "/v1/events"
THIN_PATH = "/v2/core/events"
WINDOW_SECONDS = 3600
"""How much of the thin list is asked for at first."""

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
        raise _endless()

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
        raise _endless()

    async def _page(self, limit: int, **where: Any) -> tuple[Page, bool]:
        """One page of events with ids, newest first in either direction. Raises `Failed`."""
        raw = await self._api.get(PATH, {"limit": limit, **where}, self._meter)
        return _events_in(raw), raw.get("has_more") is True


class StripeThinEventReader:
    """Reads one account's thin events of at most 20 types.

    This list too is newest first, but it can be asked for by time from both ends: so it is read
    forwards in windows that fit into a page, half as wide where one did not, and twice as wide
    where little has happened.
    """

    def __init__(
        self,
        api: StripeApi,
        types: Sequence[str],
        *,
        now: Callable[[], int],
        page_size: int = PAGE_SIZE_MAX,
        pages_max: int = EVENT_PAGES_MAX,
    ) -> None:
        self._api = api
        self._meter = Meter.without_cap(SYSTEM_CALLER)
        self._types = list(types)
        self._now = now
        self._page_size = page_size
        self._pages_max = pages_max

    async def events_since(self, created_from: int) -> AsyncGenerator[dict[str, Any], None]:
        """Every event from this second on, oldest first, up to what there is at the end: the last
        window has none, as our clock may be behind. Holds one window at a time. Raises `Failed`."""
        start, width = created_from, WINDOW_SECONDS
        for _ in range(self._pages_max):
            end = start + width if start + width < self._now() else None
            rows, following = await self._page(self._window(start, end))
            if following and width > 1:
                width = max(1, min(width, self._now() - start) // 2)
                continue
            for event in reversed(rows + await self._rest(following)):
                yield event
            if end is None:
                return
            start = end
            if 2 * len(rows) <= self._page_size:
                width *= 2
        raise _endless()

    async def _rest(self, following: Mapping[str, Any]) -> Page:
        """What is behind a page of a second that holds more than one."""
        rows: Page = []
        for _ in range(self._pages_max):
            if not following:
                return rows
            page, following = await self._page(following)
            rows += page
        raise _endless()

    def _window(self, start: int, end: int | None) -> Mapping[str, Any]:
        created = {"gte": _instant(start)} | ({} if end is None else {"lt": _instant(end)})
        return {"types": self._types, "created": created, "limit": self._page_size}

    async def _page(self, params: Mapping[str, Any]) -> tuple[Page, Mapping[str, Any]]:
        """One page, newest first, and what asks for the one behind it, if there is one."""
        raw = await self._api.get(THIN_PATH, params, self._meter)
        rows, following = _events_in(raw), raw.get("next_page_url")
        if not isinstance(following, str):
            return rows, {}
        return rows, dict(parse_qsl(urlsplit(following).query))


def lacks_access(failed: Failed) -> bool:
    """Whether Stripe has no such list for this account, or does not let this key read it."""
    return isinstance(failed, KeyRefused) or failed.code is ErrorCode.NOT_FOUND


def _instant(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _events_in(raw: dict[str, Any]) -> Page:
    """The events of a page. Raises `Failed`."""
    rows, _ = embedded_list(raw)
    if not all(isinstance(row, dict) and is_id(row.get("id")) for row in rows):
        raise malformed("event", None, "id", "must be an id")
    return rows


def _endless() -> Failed:
    return Failed(ErrorCode.UPSTREAM_ERROR, "Stripe's list of events does not end")
