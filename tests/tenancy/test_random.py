"""Whatever a restricted caller does, no byte of any answer is another tenant's."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.events.log import encode_position
from tests.support.long_form import examples
from tests.tenancy.account import ACME, GLOBEX
from tests.tenancy.documents import PAGE, STREAM, pays
from tests.tenancy.programs import EPOCH, Step, steps
from tests.tenancy.streams import over_sse
from tests.tenancy.words import strayed
from tests.tenancy.world import BACKENDS, World, within_seconds


@pytest.mark.parametrize("backend", BACKENDS)
@given(program=st.lists(steps(), min_size=6, max_size=12), is_warm=st.booleans())
@settings(
    print_blob=True,
    deadline=None,
    max_examples=examples(30),
    # To make a program that fails shorter would take minutes, and it can be read as it is.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
async def test_nothing_of_anothers_is_in_any_answer(
    backend: str, program: list[Step], is_warm: bool
) -> None:
    """Any documents with any ids and cursors, by two tenants of which one has a second client,
    while Globex reads the same; then the log, as a page and as a stream."""
    with TemporaryDirectory() as folder:
        async with BACKENDS[backend](Path(folder)) as world:
            for customer_id in (GLOBEX, ACME):
                await pays(world, customer_id)
            for step in program:
                if is_warm:
                    await world.ask("globex", step.document)
                await taken(world, step)
            for caller in ("acme", "holding", "colleague"):
                await listened(world, caller)


async def taken(world: World, step: Step) -> None:
    """One step, with Globex's beside it where it is so; what came is looked through."""
    asking = world.text(step.caller, step.document)
    if step.together:
        (text, _), _ = await asyncio.gather(asking, world.ask("globex", step.document))
    else:
        text, _ = await asking
    assert strayed(text, world.hidden_from(step.caller), step.document) == set(), step


async def listened(world: World, caller: str) -> None:
    await world.tell()
    sent = {"first": 100, "after": encode_position(EPOCH, 0)}
    text, _ = await world.text(caller, PAGE, **sent)
    items: list[Any] = [text]
    async with aclosing(over_sse(world, caller, STREAM, sent)) as stream:
        while not is_through(items[-1]):
            items.append(await within_seconds(anext(stream)))
    assert strayed(json.dumps(items), world.hidden_from(caller), sent) == set()


def is_through(item: Any) -> bool:
    """Whether the stream has told all that was in the log."""
    if isinstance(item, str):
        return False
    told = item["data"]["invoicePaymentEvents"]
    return told["__typename"] == "StreamCheckpoint" and bool(told["live"])
