"""Records of no meaning, to fill a table with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.backends.memory.tables import Table


@dataclass(frozen=True, slots=True)
class Thing:
    id: str
    created: int
    color: str | None = None
    shape: str | None = None
    due: int | None = None


def table_of(*things: Thing) -> Table[Thing]:
    table: Table[Thing] = Table("color", "shape", due="due")
    for thing in things:
        table.put(thing)
    return table


def ids(things: Iterator[Thing]) -> list[str]:
    return [thing.id for thing in things]
