"""Frozen records as JSON for a durable store, and back. Never pickles: text outlives classes.

Every text carries the version of its shapes. A field that a text lacks has its default, so that a
new field with a default needs no new version; any other change of a kind does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import orjson

from gateway.storage import RecordUnreadable

VERSION = "v"
KIND = "kind"


class RecordCodec:
    """Translates the kinds it was given, wherever they stand in each other."""

    def __init__(self, *, version: int, kinds: Iterable[type[Any]]) -> None:
        self._version = version
        self._kinds = {kind.__name__: kind for kind in kinds}
        # Only None is left out, as a default may change: what is said today must still be said
        # then.
        self._fields = {
            kind: tuple((one.name, one.default is None) for one in fields(kind))
            for kind in self._kinds.values()
        }

    def encoded(self, record: Any) -> str:
        """The record as one line of JSON."""
        assert type(record) in self._fields, type(record)
        return orjson.dumps({VERSION: self._version, **self._plain(record)}).decode()

    def decoded(self, text: str | bytes) -> Any:
        """The record behind `encoded`. Raises `RecordUnreadable`."""
        version = None
        try:
            plain = orjson.loads(text)
            version = plain.pop(VERSION)
            record = self._record(plain) if version == self._version else None
        except (ValueError, KeyError, TypeError, AttributeError) as trouble:
            raise RecordUnreadable(
                "the store holds a record that this gateway has not written", version=version
            ) from trouble
        if record is None:
            raise RecordUnreadable(
                f"the store holds a record of version {version}, and this gateway reads version "
                f"{self._version}: start the version that wrote it",
                version=version,
            )
        return record

    def _plain(self, value: Any) -> Any:
        names = self._fields.get(type(value))
        if names is None:
            return [self._plain(one) for one in value] if isinstance(value, tuple) else value
        plain = {KIND: type(value).__name__}
        for name, may_be_left_out in names:
            held = getattr(value, name)
            if held is not None or not may_be_left_out:
                plain[name] = self._plain(held)
        return plain

    def _record(self, plain: dict[str, Any]) -> Any:
        kind = self._kinds[plain.pop(KIND)]
        return kind(**{name: self._value(value) for name, value in plain.items()})

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._record(value)
        if isinstance(value, list):
            return tuple(self._value(one) for one in value)
        return value
