"""A loaded tree taken apart: every record, list and computed value in it, with its parent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.backends.assembly import Ask
from schema.ports import ById, Computed, ErrorCode, Failed, Listing, Loaded, LoadedPage, Need


@dataclass(frozen=True, slots=True)
class Held:
    """What came for a need of a parent (None at the root); without a need, a record itself."""

    parent: Any
    need: Need | None
    outcome: Any


def walk(loaded: Any) -> Iterator[Held]:
    """Everything in the tree, parents first."""
    if isinstance(loaded, LoadedPage):
        for item in loaded.items:
            yield from walk(item)
    elif isinstance(loaded, Loaded):
        if is_object(loaded.record):
            yield Held(None, None, loaded.record)
        for need, outcome in loaded.children.items():
            yield Held(loaded.record, need, outcome)
            yield from walk(outcome)


def is_object(value: Any) -> bool:
    """Whether it has an id of its own; previews and secrets have none."""
    return hasattr(value, "id")


def ask_of(parent: Any, need: Listing | Computed) -> Ask:
    """What a source would be asked for this list or value."""
    if parent is None:
        return Ask(None, None, need)
    return Ask(type(parent).__name__, parent.id, need)


def is_not_found(need: ById, outcome: Any) -> bool:
    """Whether there is no such object, for this viewer; other failures say nothing about it."""
    if outcome is None:
        return need.quiet
    return isinstance(outcome, Failed) and outcome.code is ErrorCode.NOT_FOUND
