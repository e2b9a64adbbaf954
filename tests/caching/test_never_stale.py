"""Never stale after an event: readers, drops, evictions and slow fetches in any order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, product

import pytest
from hypothesis import given, settings

from gateway.backends.caching.redis_cache import redis_cache
from gateway.backends.caching.store import BoundedMemoryCache, Cache
from schema.ports import Viewer
from tests.caching.gated import Trouble
from tests.caching.programs import (
    EVERYTHING,
    PROGRAMS,
    SWITCHES,
    TROUBLES,
    Event,
    Evict,
    Late,
    Part,
    Read,
    Write,
    perform,
    with_every_switch,
)
from tests.caching.stepping import Switch
from tests.caching.world import FIRST, INVOICES, LATER, OPERATOR, PARTNER
from tests.support.long_form import examples
from tests.support.time_and_ids import ManualClock

RUNS = count()
"""Each run on the shared Redis has keys of its own."""


def one_process() -> list[Cache]:
    return [BoundedMemoryCache(ManualClock().monotonic)]


def two_replicas() -> list[Cache]:
    return one_process() * 2


READ, CHANGE = Read(0, 0), Write(0, FIRST)
RACES: dict[str, tuple[list[Part], Callable[[], list[Cache]]]] = {
    "a drop, a read": ([CHANGE, READ], one_process),
    "a drop, a list": ([CHANGE, Read(0, 3)], one_process),
    "a read, a drop, an equal read": ([READ, CHANGE, READ], one_process),
    "a read on another replica, a drop, a read": ([Read(1, 0), CHANGE, READ], two_replicas),
    "an event's read, a read": ([Event(0, FIRST), READ], one_process),
    "an event's read, a drop, a read": ([Event(0, FIRST), CHANGE, READ], one_process),
    "an event that does not say whose": (
        [Event(0, FIRST, late=Late.CUSTOMER), CHANGE, Read(0, 2)],
        one_process,
    ),
    "an event that does not say of what": (
        [Event(0, FIRST, late=Late.INVOICE), CHANGE, READ],
        one_process,
    ),
    "an unknown id that appears": ([Write(0, LATER), Read(0, 1)], one_process),
    "the guard's eviction, a drop, a read": ([Evict(0, 3), CHANGE, READ], one_process),
    "the token's eviction, a drop, a read": ([Evict(0, 5), CHANGE, READ], one_process),
}
"""Parts run in the order of a stack: what stands last goes first, unless it is interrupted. Keys
are counted in the order in which they came up; when a read waits while a drop goes on, those are
the object's two, then two guards and two tokens."""


@pytest.mark.parametrize("viewer", [OPERATOR, PARTNER], ids=["operator", "partner"])
@pytest.mark.parametrize("invoice_id", INVOICES)
def test_every_read_is_fresh_after_every_drop(invoice_id: str, viewer: Viewer) -> None:
    """Nothing is interrupted here, and parents are there again before what hangs on them is asked
    for: so each value must depend on all that it needs by itself."""
    again = [Read(0, needs) for needs in EVERYTHING[-3:]]
    for needs, detaches in product(EVERYTHING, (False, True)):
        read, write = Read(0, needs, viewer), Write(0, invoice_id, detaches)

        perform([read, *again, write, read], [], one_process, is_shared=False, finals=(needs,))


KEPT = [(race, is_shared) for race in RACES for is_shared in (True, False)]
"""What is one process's own no other replica sees. Three parts with an event among them take too
many steps where the cache is shared."""
for race, (parts, _) in RACES.items():
    if len(parts) > 2 and any(isinstance(part, Event) for part in parts):
        KEPT.remove((race, True))
KEPT.remove(("a read on another replica, a drop, a read", False))


@pytest.mark.parametrize(("race", "is_shared"), KEPT)
def test_no_schedule_of_two_switches_is_stale(race: str, *, is_shared: bool) -> None:
    """Most races need one task to be interrupted once or twice: here, at every two places. A drop
    of what is one process's own is one step, so that there are fewer."""
    program, caches = RACES[race]

    def performed(switches: list[Switch]) -> list[int]:
        return perform(program, switches, caches, is_shared=is_shared, finals=(0, 1))

    assert with_every_switch(len(program), performed) > (100 if is_shared else 10)


@settings(print_blob=True, deadline=None, max_examples=examples(60))
@given(program=PROGRAMS, switches=SWITCHES)
def test_no_stale_answer_in_one_process(program: list[Part], switches: list[Switch]) -> None:
    """What a read that began before a drop brings back is never served after it."""
    perform(program, switches, one_process, is_shared=False)


@settings(print_blob=True, deadline=None, max_examples=examples(60))
@given(program=PROGRAMS, switches=SWITCHES, troubles=TROUBLES)
def test_no_stale_answer_from_an_own_cache_in_trouble(
    program: list[Part], switches: list[Switch], troubles: list[Trouble]
) -> None:
    """A cache of one process may fail as well, and forget what it likes."""
    perform(program, switches, one_process, troubles=troubles, is_shared=False)


@settings(print_blob=True, deadline=None, max_examples=examples(60))
@given(program=PROGRAMS, switches=SWITCHES)
def test_no_stale_answer_with_two_replicas(program: list[Part], switches: list[Switch]) -> None:
    """A drop on one replica counts for the other, whatever that one is doing."""
    perform(program, switches, two_replicas)


@settings(print_blob=True, deadline=None, max_examples=examples(60))
@given(program=PROGRAMS, switches=SWITCHES, troubles=TROUBLES)
def test_no_stale_answer_from_a_cache_in_trouble(
    program: list[Part], switches: list[Switch], troubles: list[Trouble]
) -> None:
    """Commands that fail, fail after they happened or happen after they failed are only misses."""
    perform(program, switches, two_replicas, troubles=troubles)


@settings(print_blob=True, deadline=None, max_examples=examples(10))
@given(program=PROGRAMS, switches=SWITCHES)
def test_no_stale_answer_with_replicas_that_share_a_redis(
    redis_url: str, program: list[Part], switches: list[Switch]
) -> None:
    """The same promise over the wire: two processes' worth of clients and one real server."""

    def two_clients() -> list[Cache]:
        clients = [redis_cache(redis_url) for _ in range(2)]
        for client in clients:
            client.namespace = f"run-{runs}"
        return clients

    runs = next(RUNS)
    perform(program, switches, two_clients)
