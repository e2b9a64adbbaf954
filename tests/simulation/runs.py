"""Many histories over all cores, and one of them told to the end."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import stripe
from stripe import _api_requestor, _stripe_response, _util

from tests.simulation.checker import broken
from tests.simulation.history import History
from tests.simulation.plan import Plan
from tests.simulation.planning import plan_of
from tests.simulation.shrinking import promises_of, shrunk
from tests.simulation.world import PROBED_OF, Twist, play

OfSeed = Callable[[int], tuple[int, list[str]]]

CHUNK = 16
COLLECTED_AFTER = 50
"""Histories between two looks for cycles, which take a tenth of the time where they are left to
themselves; a history leaves half a megabyte."""
AS_IT_COMES = 20
TOLD_AFTER = 1_000
"""Histories between two lines of a long run."""


def quietly() -> None:
    """What gateways log in a history of faults is no news, and formatting it costs time; so does
    what the SDK finds out anew for each call: who runs it, and on which machine."""
    logging.disable(logging.CRITICAL)
    stripe.enable_telemetry = False
    _util.logfmt = _nothing
    _api_requestor._APIRequestor._detect_ai_agent = staticmethod(_nothing)
    _api_requestor.json = _FastJson  # type: ignore[attr-defined]
    _stripe_response.json = _FastJson  # type: ignore[attr-defined]
    gc.disable()


def _nothing(of: object) -> str:
    return ""


class _FastJson:
    """In place of the module that reads the bodies of Stripe's answers, and writes who asks."""

    @staticmethod
    def dumps(value: object, default: Callable[[Any], Any] | None = None) -> str:
        return orjson.dumps(value, default).decode()

    @staticmethod
    def loads(body: str, **_: object) -> object:
        return orjson.loads(body)


def played(plan: Plan, *, with_story: bool = False, twist: Twist = Twist()) -> History:
    """The history; what it dies of is its trouble."""
    try:
        return play(plan, with_story=with_story, twist=twist, folder=_folder())
    except Exception as bug:  # noqa: BLE001 - a gateway or a harness that falls over is a finding
        history = History()
        lines = traceback.format_exception(bug)
        history.trouble.append("".join(lines[-1:] + lines[-4:-1]))
        return history


def breaks(plan: Plan, twist: Twist = Twist()) -> list[str]:
    """What this plan's history breaks."""
    history = played(plan, twist=twist)
    return _judged(plan, history)


def _judged(plan: Plan, history: History) -> list[str]:
    if history.trouble:
        return [f"trouble: {one}" for one in history.trouble]
    return broken(plan, history)


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"gateway-simulation-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    return folder


def _moving_of_seed(seed: int) -> tuple[int, list[str]]:
    return _of_seed(seed, moves=True)


def _of_seed(seed: int, moves: bool | None = None) -> tuple[int, list[str]]:
    if seed % COLLECTED_AFTER == 0:
        gc.collect()
        gc.freeze()  # What the modules made stays for good, and is not looked through again.
    return seed, breaks(plan_of(seed, moves=moves))


@dataclass(slots=True)
class Outcome:
    """What many histories came to."""

    histories: int
    seconds: float = 0.0
    failing: dict[int, list[str]] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.histories / max(self.seconds, 1e-9)

    def by_promise(self) -> dict[str, list[int]]:
        """The failing seeds of each promise, in order."""
        found: dict[str, list[int]] = defaultdict(list)
        for seed, how in sorted(self.failing.items()):
            for name in sorted(promises_of(how)):
                found[name].append(seed)
        return dict(found)


def mostly_small(first: int) -> Iterator[int]:
    """From this seed on those of plans with one write, half of those with two, on one or two
    gateways, and every twentieth as it comes.

    In a second of CPU they find more of the planted bugs than all seeds do.
    """
    for seed in count(first):
        if seed % AS_IT_COMES == 0 or (seed % PROBED_OF != 0 and _is_small(seed)):
            yield seed


def _is_small(seed: int) -> bool:
    plan = plan_of(seed)
    writes = len(plan.writes)
    return plan.gateways <= 2 and (writes == 1 or (writes == 2 and seed % 2 == 0))


def run_many(seeds: Iterable[int], *, processes: int | None = None, moves: bool = False) -> Outcome:
    """Play and check them all, on every core, or one after the other in this process. `moves`: each
    moves a payment to another invoice."""
    of_seed = _moving_of_seed if moves else _of_seed
    wanted = list(seeds)
    outcome = Outcome(len(wanted))
    begun = time.perf_counter()
    played_all = map(of_seed, wanted) if processes == 1 else _pooled(of_seed, wanted, processes)
    for done, (seed, found) in enumerate(played_all, 1):
        if done % TOLD_AFTER == 0 and done < len(wanted):
            rate = done / (time.perf_counter() - begun)
            print(f"{done} of {len(wanted)} histories, {rate:.0f} a second", flush=True)  # noqa: T201
        if found:
            outcome.failing[seed] = found
            print(f"seed {seed}: {found[0].strip()[:300]}", flush=True)  # noqa: T201
    outcome.seconds = time.perf_counter() - begun
    return outcome


def _pooled(
    of_seed: OfSeed, seeds: list[int], processes: int | None
) -> Iterator[tuple[int, list[str]]]:
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes or os.cpu_count(), initializer=quietly) as pool:
        yield from pool.imap_unordered(of_seed, seeds, chunksize=CHUNK)


def told(seed: int, *, shrink: bool = True, moves: bool | None = None) -> Iterator[str]:
    """The story of one seed, line by line, and that of the smallest plan that fails like it."""
    plan = plan_of(seed, moves=moves)
    yield from _story(plan)
    if shrink and breaks(plan):
        smallest = shrunk(plan, breaks)
        if smallest != plan:
            yield ""
            yield "=== the smallest that fails in the same way"
            yield from _story(smallest)


def _story(plan: Plan) -> Iterator[str]:
    history = played(plan, with_story=True)
    yield str(plan)
    yield from history.story or ()
    yield from (f"BROKEN  {one}" for one in _judged(plan, history))
