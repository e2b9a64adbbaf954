"""Misbehaviour on order: which calls go wrong, how, and how often.

Faults are taken in the order in which they were added; each call takes at most one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

PLANS_MAX = 1_000
"""More than any test needs; a bound for what waits."""
SECONDS_MAX = 300.0
"""No fault holds a call for longer: clients give up well before."""


class FaultKind(enum.StrEnum):
    """What can go wrong with one call."""

    LATENCY = "latency"
    """Answered as ever, `seconds` late; it is applied after the wait."""
    HANG = "hang"
    """No answer ever; applied if `applied`."""
    RATE_LIMITED = "rate_limited"
    """429 before the idempotency layer: nothing applied, nothing stored."""
    LOCK_TIMEOUT = "lock_timeout"
    """429 with code lock_timeout; nothing applied, nothing stored, and a retry is asked for."""
    SERVER_ERROR = "server_error"
    """500, stored under the key; applied if `applied`."""
    RESET_BEFORE = "reset_before"
    """The connection is reset; nothing applied, the key stays free."""
    RESET_AFTER = "reset_after"
    """The connection is reset after it was applied and stored."""
    CUT_BODY = "cut_body"
    """Applied and stored; the connection ends in the middle of the body."""
    INVALID_JSON = "invalid_json"
    """Applied and stored; the body is no JSON."""
    ANSWER = "answer"
    """`status` and `body` instead of an answer; nothing applied, nothing stored."""
    WEBHOOKS_DOUBLED = "webhooks_doubled"
    """Answered as ever; each event of the call is sent twice."""
    WEBHOOKS_SHUFFLED = "webhooks_shuffled"
    """Answered as ever; the events of the call are sent last one first."""
    WEBHOOKS_WITHHELD = "webhooks_withheld"
    """Answered as ever; the events of the call are sent when they are released."""
    WEBHOOKS_FIRST = "webhooks_first"
    """Answered as ever; the events of the call in this `form` are sent first, the others once those
    were answered."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to go wrong; the further fields are for the kinds that name them."""

    kind: FaultKind
    seconds: float = 0.0
    applied: bool = False
    status: int | None = None
    body: dict[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    form: str | None = None
    """Which events a fault of webhooks is about, `thin` or `snapshot`; both without it."""

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= SECONDS_MAX:
            raise ValueError(f"seconds must lie between 0 and {SECONDS_MAX:g}")
        if self.kind is FaultKind.ANSWER and self.status is None:
            raise ValueError("an answer needs a status")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError("status must be one of HTTP, from 200 to 599")
        if self.form not in (None, "snapshot", "thin"):
            raise ValueError("form must be snapshot or thin")
        if self.kind is FaultKind.WEBHOOKS_FIRST and self.form is None:
            raise ValueError("a form must be named that is sent first")


@dataclass(slots=True)
class _Plan:
    fault: Fault
    method: str
    path: str
    times: int | None
    after: int


@dataclass(slots=True)
class Faults:
    """What is to go wrong, oldest first."""

    _plans: list[_Plan] = field(default_factory=list)

    def add(
        self,
        fault: Fault | FaultKind,
        *,
        method: str = "*",
        path: str = "*",
        times: int | None = 1,
        after: int = 0,
    ) -> None:
        """Let the next `times` calls of this method and path go wrong, `after` good ones.

        `path` may hold `*` for any characters; `times` None is for ever. Raises `ValueError`.
        """
        if len(self._plans) >= PLANS_MAX:
            raise ValueError(f"at most {PLANS_MAX} faults can wait")
        if (times is not None and times < 1) or after < 0:
            raise ValueError("times must be above zero, after not below it")
        fault = fault if isinstance(fault, Fault) else Fault(fault)
        self._plans.append(_Plan(fault, method.upper(), path, times, after))

    def take(self, method: str, path: str) -> Fault | None:
        """What goes wrong with this call, and one time less is left of it."""
        for plan in self._plans:
            if not (fnmatchcase(method, plan.method) and fnmatchcase(path, plan.path)):
                continue
            if plan.after > 0:
                plan.after -= 1
                continue
            if plan.times is not None:
                plan.times -= 1
                if plan.times == 0:
                    self._plans.remove(plan)
            return plan.fault
        return None

    def waiting(self) -> list[dict[str, Any]]:
        """What has not happened yet, for people."""
        return [
            {
                "fault": {"kind": one.fault.kind.value},
                "match": {"method": one.method, "path": one.path},
                "times": one.times,
                "after": one.after,
            }
            for one in self._plans
        ]

    def clear(self) -> None:
        self._plans.clear()
