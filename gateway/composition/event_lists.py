"""Stripe's two lists of events, tied to the intake.

Part of the composition root: the readers know Stripe, and catch-up does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.clock import Clock
from gateway.composition.stores import Stores
from gateway.events.all_lists import SNAPSHOT, THIN, CatchUp
from gateway.events.catch_up import ListCatchUp, ListRefused, ReadEvents
from gateway.events.hints import THIN_TYPES
from gateway.events.intake import Intake
from schema.ports import Failed

if TYPE_CHECKING:
    from gateway.backends.stripe.client import StripeApi


def open_catch_up(api: StripeApi, intake: Intake, stores: Stores, clock: Clock) -> CatchUp:
    """Of the thin events only those that no snapshot event tells."""
    from gateway.backends.stripe.reads.intake_reads import StripeEventReader, StripeThinEventReader

    of_list = partial(
        ListCatchUp,
        receive=intake.receive,
        now=clock.now,
        account=intake.account,
        livemode=intake.livemode,
    )
    thin = StripeThinEventReader(api, tuple(THIN_TYPES), now=clock.now)
    lists = {
        SNAPSHOT: of_list(
            read_events=StripeEventReader(api).events_since, progress=stores.progress
        ),
        THIN: of_list(read_events=if_to_be_had(thin.events_since), progress=stores.thin_progress),
    }
    return CatchUp(lists=lists, sleep=asyncio.sleep)


def if_to_be_had(read_events: ReadEvents) -> ReadEvents:
    """The same, which says by `ListRefused` that the list is not for this account or key."""
    from gateway.backends.stripe.reads.intake_reads import lacks_access

    async def read(created_from: int) -> AsyncGenerator[Mapping[str, Any], None]:
        try:
            async with aclosing(read_events(created_from)) as events:
                async for event in events:
                    yield event
        except Failed as failed:
            if lacks_access(failed):
                raise ListRefused(failed.code, failed.message) from failed
            raise

    return read
