"""Records by id, and lists of them through indexes, newest first.

A list's cost depends on the page and not on what is held: every order is kept, never sorted on
demand. An index entry with one member holds the member itself, a few a plain list, many a sorted
list, because a million invoices have a million entries of one payment each.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any, Generic, TypeAlias, TypeVar

from sortedcontainers import SortedKeyList

R = TypeVar("R")

SMALL_BUCKET_MAX = 512
"""Up to here a plain list is faster and smaller than a sorted list; removal copies at most 4 kB."""

SEQUENCE_BITS = 40
"""A trillion records before two of the same second could collide."""
KEY_BITS = SEQUENCE_BITS + 40
"""Epoch seconds stay below 2^40 for 34,000 years."""


@dataclass(slots=True, eq=False)
class Row(Generic[R]):
    """One record in its place: `key` orders by creation, ties by arrival."""

    record: R
    key: int


_key: Callable[[Any], int] = attrgetter("key")

Bucket: TypeAlias = Row[Any] | list[Row[Any]] | SortedKeyList


def _added(bucket: Bucket | None, row: Row[Any]) -> Bucket:
    if bucket is None:
        return row
    if isinstance(bucket, Row):
        return sorted((bucket, row), key=_key)
    if isinstance(bucket, list):
        insort(bucket, row, key=_key)
        return SortedKeyList(bucket, key=_key) if len(bucket) > SMALL_BUCKET_MAX else bucket
    bucket.add(row)
    return bucket


def _removed(bucket: Bucket, row: Row[Any]) -> Bucket | None:
    if isinstance(bucket, Row):
        return None
    if isinstance(bucket, list):
        del bucket[bisect_left(bucket, row.key, key=_key)]
        return bucket or None
    bucket.remove(row)
    return bucket if len(bucket) else None


def _size(bucket: Bucket | None) -> int:
    if bucket is None:
        return 0
    return 1 if isinstance(bucket, Row) else len(bucket)


def _newest_first(bucket: Bucket | None, low: int, high: int) -> Iterator[Row[Any]]:
    """Rows with low < key < high, the highest key first."""
    if bucket is None:
        return
    if isinstance(bucket, Row):
        if low < bucket.key < high:
            yield bucket
    elif isinstance(bucket, list):
        start, stop = _span(bucket, low, high)
        yield from (bucket[at] for at in range(stop - 1, start - 1, -1))
    else:
        yield from bucket.irange_key(low, high, inclusive=(False, False), reverse=True)


def _oldest_first(bucket: Bucket | None, low: int, high: int) -> Iterator[Row[Any]]:
    if bucket is None:
        return
    if isinstance(bucket, Row):
        if low < bucket.key < high:
            yield bucket
    elif isinstance(bucket, list):
        start, stop = _span(bucket, low, high)
        yield from islice(bucket, start, stop)
    else:
        yield from bucket.irange_key(low, high, inclusive=(False, False))


def _span(rows: list[Row[Any]], low: int, high: int) -> tuple[int, int]:
    return bisect_right(rows, low, key=_key), bisect_left(rows, high, key=_key)


@dataclass(frozen=True, slots=True)
class Query(Generic[R]):
    """What a list holds: index values that all must match, a creation range, and a last check."""

    equals: tuple[tuple[str, Any], ...] = ()
    created_from: int | None = None
    created_to: int | None = None
    due: tuple[int | None, int | None] | None = None
    check: Callable[[R], bool] | None = None


class Table(Generic[R]):
    """All records of one kind. `indexed` are the attributes with an index of their own."""

    def __init__(self, *indexed: str, due: str | None = None) -> None:
        self._rows: dict[str, Row[R]] = {}
        self._all = SortedKeyList(key=_key)
        self._indexed = {name: attrgetter(name) for name in indexed}
        self._indexes: dict[str, dict[Any, Bucket]] = {name: {} for name in indexed}
        self._due = attrgetter(due) if due else None
        self._by_due = SortedKeyList(key=lambda row: self._due_of(row))
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, record_id: str) -> bool:
        return record_id in self._rows

    def __iter__(self) -> Iterator[R]:
        return (row.record for row in self._all)

    def _due_of(self, row: Row[R]) -> int:
        """Orders by due date, then by creation, so that no two rows share a place."""
        assert self._due is not None
        return int(self._due(row.record)) << KEY_BITS | row.key

    def get(self, record_id: str) -> R | None:
        row = self._rows.get(record_id)
        return None if row is None else row.record

    def put(self, record: Any) -> None:
        """Add the record, or put it in place of the one with its id; its order stays."""
        row = self._rows.get(record.id)
        if row is None:
            self._sequence += 1
            row = Row(record, (record.created << SEQUENCE_BITS) | self._sequence)
            self._rows[record.id] = row
            self._all.add(row)
            self._enter(row, self._indexed)
            self._enter_due(row)
            return
        old = row.record
        moved = [name for name, read in self._indexed.items() if read(old) != read(record)]
        due_moved = self._due is not None and self._due(old) != self._due(record)
        self._leave(row, moved)
        if due_moved:
            self._leave_due(row)
        row.record = record
        self._enter(row, moved)
        if due_moved:
            self._enter_due(row)

    def remove(self, record_id: str) -> None:
        row = self._rows.pop(record_id)
        self._all.remove(row)
        self._leave(row, self._indexed)
        self._leave_due(row)

    def _enter(self, row: Row[R], names: Iterable[str]) -> None:
        for name in names:
            index, value = self._indexes[name], self._indexed[name](row.record)
            if value is not None:
                index[value] = _added(index.get(value), row)

    def _leave(self, row: Row[R], names: Iterable[str]) -> None:
        for name in names:
            index, value = self._indexes[name], self._indexed[name](row.record)
            if value is None:
                continue
            bucket = _removed(index[value], row)
            if bucket is None:
                del index[value]
            else:
                index[value] = bucket

    def _enter_due(self, row: Row[R]) -> None:
        if self._due is not None and self._due(row.record) is not None:
            self._by_due.add(row)

    def _leave_due(self, row: Row[R]) -> None:
        if self._due is not None and self._due(row.record) is not None:
            self._by_due.remove(row)

    def matching(self, name: str, value: Any) -> list[R]:
        """Every record with this value in this index, oldest first. For short lists only."""
        bucket = self._indexes[name].get(value)
        return [row.record for row in _oldest_first(bucket, -1, _after_all())]

    def holds(self, record_id: str, query: Query[R]) -> bool:
        """Whether this record is a member of that list now."""
        row = self._rows.get(record_id)
        return row is not None and self._fits(row, query)

    def _fits(self, row: Row[R], query: Query[R]) -> bool:
        record = row.record
        if any(self._indexed[name](record) != value for name, value in query.equals):
            return False
        low, high = _range(query)
        if not low < row.key < high:
            return False
        if query.due is not None and not self._is_due(record, query.due):
            return False
        return query.check is None or query.check(record)

    def _is_due(self, record: R, due: tuple[int | None, int | None]) -> bool:
        value = self._due(record) if self._due else None
        start, end = due
        return (
            value is not None
            and (start is None or value >= start)
            and (end is None or value <= end)
        )

    def newest_first(self, query: Query[R], *, below: str | None = None) -> Iterator[R]:
        """The list's members, newest first, starting below (older than) one of them."""
        low, high = _range(query)
        if below is not None:
            high = min(high, self._rows[below].key)
        rows = self._candidates(query, low, high, oldest_first=False)
        return (row.record for row in rows if self._fits(row, query))

    def oldest_first(self, query: Query[R], *, above: str | None = None) -> Iterator[R]:
        """The list's members, oldest first, starting above (newer than) one of them."""
        low, high = _range(query)
        if above is not None:
            low = max(low, self._rows[above].key)
        rows = self._candidates(query, low, high, oldest_first=True)
        return (row.record for row in rows if self._fits(row, query))

    def _candidates(
        self, query: Query[R], low: int, high: int, *, oldest_first: bool
    ) -> Iterator[Row[R]]:
        """The members of the smallest bucket that holds the list, in order."""
        bucket: Bucket | None = self._all
        for name, value in query.equals:
            candidate = self._indexes[name].get(value)
            if _size(candidate) < _size(bucket):
                bucket = candidate
        if query.due is not None and self._due_count(query.due) ** 2 < _size(bucket):
            bucket = self._due_bucket(query.due)
        ordered = _oldest_first if oldest_first else _newest_first
        return ordered(bucket, low, high)

    def _due_span(self, due: tuple[int | None, int | None]) -> tuple[int, int]:
        start, end = due
        first = 0 if start is None else self._by_due.bisect_key_left(start << KEY_BITS)
        last = (
            len(self._by_due) if end is None else self._by_due.bisect_key_left(end + 1 << KEY_BITS)
        )
        return first, last

    def _due_count(self, due: tuple[int | None, int | None]) -> int:
        first, last = self._due_span(due)
        return max(0, last - first)

    def _due_bucket(self, due: tuple[int | None, int | None]) -> list[Row[R]]:
        """A range of due dates in the order of creation: sorted, as only a short one is taken."""
        return sorted(self._by_due.islice(*self._due_span(due)), key=_key)


def _range(query: Query[Any]) -> tuple[int, int]:
    """The open interval of keys that a creation range allows."""
    low = -1 if query.created_from is None else (query.created_from << SEQUENCE_BITS) - 1
    high = _after_all() if query.created_to is None else (query.created_to + 1) << SEQUENCE_BITS
    return low, high


def _after_all() -> int:
    """Above every key."""
    return 1 << KEY_BITS
