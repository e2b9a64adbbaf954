"""What became of each operation: one line in the log, and the facts that are counted of it.

Neither documents nor variables are ever told, as both may hold anything; of a name only what
GraphQL allows in one. It knows no transport.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.execution.operation import Answer, OperationKind
from schema.ports import ErrorCode

OK = "OK"
CLIENT_GONE = "CLIENT_GONE"
"""A query that was given up because nobody waited for it any more."""

_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,79}", re.ASCII)
_CODES = frozenset(code.value for code in ErrorCode)

log = logging.getLogger("gateway.operations")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One operation that has ended, or was refused before it had a kind."""

    kind: OperationKind | None
    codes: tuple[str, ...]
    seconds: float
    name: str | None = None
    cost: int | None = None
    upstream_calls: int | None = None

    @property
    def kind_name(self) -> str:
        return "unknown" if self.kind is None else self.kind.value

    @property
    def code(self) -> str:
        """The first code, or OK: one word for what an answer with many errors was like."""
        return self.codes[0] if self.codes else OK


def log_outcome(outcome: Outcome) -> None:
    """The line of one operation; request id and caller come from the log's context."""
    facts = {
        "operation": outcome.name,
        "kind": outcome.kind_name,
        "codes": ",".join(outcome.codes) or OK,
        "duration_ms": round(1000 * outcome.seconds, 1),
        "cost": outcome.cost,
        "upstream_calls": outcome.upstream_calls,
    }
    log.info("operation", extra={name: fact for name, fact in facts.items() if fact is not None})


def codes_of(answer: Answer) -> list[str]:
    """The codes of an answer's errors in their order, each once."""
    found = (error.get("extensions", {}).get("code") for error in answer.body.get("errors") or ())
    return each_once(code for code in found if code in _CODES)


def each_once(codes: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(codes))


def tellable_name(name: str | None) -> str | None:
    """The operation's name, if it is one: a client may send any text for it."""
    return name if name is not None and _NAME.fullmatch(name) else None


def figure(answer: Answer, group: str, name: str) -> int | None:
    """A number that the answer's extensions tell its client, such as `upstream.calls`."""
    extensions: dict[str, Any] = answer.body.get("extensions") or {}
    found = extensions.get(group, {}).get(name)
    return found if isinstance(found, int) else None
