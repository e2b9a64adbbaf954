"""Every record that stands in one of Stripe's answers, however deep."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from gateway.stripe_objects.reading import READERS, is_id, line_item_records
from schema.ports import Deleted, Failed
from schema.records import Record

log = logging.getLogger(__name__)


def harvest(raw: object) -> list[Record | Deleted]:
    """Records of every full object in a response, outer ones first, each once.

    A deleted object is told as such. Events are not entered (their snapshots are old), and what
    cannot be read is left out with a warning: whoever needs it will read it by itself and see why.
    """
    found: dict[tuple[str, str], Record | Deleted] = {}
    waiting: list[Any] = [raw]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("object") == "event":
                continue
            for one in _told_by(value):
                found.setdefault((type(one).__name__, one.id), one)
            waiting.extend([one for one in value.values() if isinstance(one, _NESTING)][::-1])
        elif isinstance(value, list):
            waiting.extend(value[::-1])
    return list(found.values())


_NESTING = (dict, list)
"""What JSON nests in. An answer has some twenty plain values for each of these."""


def _told_by(raw: Mapping[str, Any]) -> Iterator[Record | Deleted]:
    """The record of one object, and of an invoice's lines, which need not name their invoice."""
    kind = raw.get("object")
    if raw.get("deleted") is True:
        yield from _deleted(raw)
        return
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        return
    try:
        yield reader(raw)
        if kind == "invoice" and "lines" in raw:
            yield from line_item_records(raw["lines"], str(raw["id"]))
    except Failed as failed:
        log.warning("left out of a response: %s", failed.message)


def _deleted(raw: Mapping[str, Any]) -> Iterator[Deleted]:
    """What `{"id": "cus_1", "deleted": true}` says, which may leave out what the id says too."""
    object_id: object = raw.get("id")
    if is_id(object_id):
        prefix = object_id.partition("_")[0]
        kinds = (kind for kind in get_args(Record) if kind.prefix == prefix)
        yield from (Deleted(kind.__name__, object_id) for kind in kinds)
