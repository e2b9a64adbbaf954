"""Records by id, and lists of them through indexes, newest first.

A list's cost depends on the page and not on what is held: every order is kept, never sorted on
demand. An index entry with one member holds the member itself, a few a plain list, many a sorted
list, because a million invoices have a million entries of one payment each.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
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
_AFTER_ALL = 1 << KEY_BITS


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


def _rows(bucket: Bucket | None) -> Sequence[Row[Any]]:
    """The members of an index entry, oldest first."""
    if bucket is None:
        return ()
    return (bucket,) if isinstance(bucket, Row) else bucket


def _between(
    rows: Sequence[Row[Any]], low: int, high: int, *, newest_first: bool
) -> Iterator[Row[Any]]:
    """Rows with low < key < high."""
    if isinstance(rows, SortedKeyList):
        yield from rows.irange_key(low, high, inclusive=(False, False), reverse=newest_first)
        return
    span = range(bisect_right(rows, low, key=_key), bisect_left(rows, high, key=_key))
    yield from (rows[at] for at in (reversed(span) if newest_first else span))


@dataclass(frozen=True, slots=True)
class Query(Generic[R]):
    """What a list holds: index values that all must match, a creation range, and a last check."""

    equals: tuple[tuple[str, Any], ...] = ()
    created_from: int | None = None
    created_to: int | None = None
    due: tuple[int | None, int | None] | None = None
    check: Callable[[R], bool] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether an index entry is the list as it stands."""
        ranges = (self.created_from, self.created_to, self.due, self.check)
        return len(self.equals) <= 1 and ranges == (None, None, None, None)

    def keys(self) -> tuple[int, int]:
        """The open interval of keys that the creation range allows."""
        low, high = -1, _AFTER_ALL
        if self.created_from is not None:
            low = (self.created_from << SEQUENCE_BITS) - 1
        if self.created_to is not None:
            high = (self.created_to + 1) << SEQUENCE_BITS
        return low, high


class Table(Generic[R]):
    """All records of one kind. `indexed` are the attributes with an index of their own; `due` is
    the one that is asked for by ranges."""

    def __init__(self, *indexed: str, due: str | None = None) -> None:
        self._rows: dict[str, Row[R]] = {}
        self._all = SortedKeyList(key=_key)
        self._indexes: dict[str, dict[Any, Bucket]] = {name: {} for name in indexed}
        self._due = due
        self._by_due = SortedKeyList(key=self._due_key)
        names = indexed if due is None else (*indexed, due)
        self._read: dict[str, Callable[[R], Any]] = {name: attrgetter(name) for name in names}
        self._sequence = 0
        self.changes = 0
        """How often anything was put in or taken out."""

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, record_id: object) -> bool:
        return record_id in self._rows

    def __iter__(self) -> Iterator[R]:
        return (row.record for row in self._all)

    def _due_key(self, row: Row[R]) -> int:
        """Orders by due date, then by creation, so that no two rows share a place."""
        assert self._due is not None
        return int(self._read[self._due](row.record)) << KEY_BITS | row.key

    def get(self, record_id: str) -> R | None:
        row = self._rows.get(record_id)
        return None if row is None else row.record

    def put(self, record: Any) -> None:
        """Add the record, or put it in place of the one with its id; its order stays."""
        self.changes += 1
        row = self._rows.get(record.id)
        if row is None:
            self._sequence += 1
            row = Row(record, (record.created << SEQUENCE_BITS) | self._sequence)
            self._rows[record.id] = row
            self._all.add(row)
            self._enter(row, self._read)
            return
        moved = [name for name, read in self._read.items() if read(row.record) != read(record)]
        self._leave(row, moved)
        row.record = record
        self._enter(row, moved)

    def remove(self, record_id: str) -> None:
        self.changes += 1
        row = self._rows.pop(record_id)
        self._all.remove(row)
        self._leave(row, self._read)

    def _enter(self, row: Row[R], names: Iterable[str]) -> None:
        for name in names:
            value = self._read[name](row.record)
            if value is None:
                continue
            if name == self._due:
                self._by_due.add(row)
            else:
                index = self._indexes[name]
                index[value] = _added(index.get(value), row)

    def _leave(self, row: Row[R], names: Iterable[str]) -> None:
        for name in names:
            value = self._read[name](row.record)
            if value is None:
                continue
            if name == self._due:
                self._by_due.remove(row)
                continue
            index = self._indexes[name]
            bucket = _removed(index[value], row)
            if bucket is None:
                del index[value]
            else:
                index[value] = bucket

    def matching(self, name: str, value: Any) -> list[R]:
        """Every record with this value in this index, oldest first. For short lists only."""
        return [row.record for row in _rows(self._indexes[name].get(value))]

    def holds(self, record_id: str, query: Query[R]) -> bool:
        """Whether this record is a member of that list now."""
        row = self._rows.get(record_id)
        low, high = query.keys()
        return row is not None and low < row.key < high and self._fits(row.record, query)

    def _fits(self, record: R, query: Query[R]) -> bool:
        """Whether all but the time of its creation fits."""
        if any(self._read[name](record) != value for name, value in query.equals):
            return False
        if query.due is not None:
            start, end = query.due
            due = None if self._due is None else self._read[self._due](record)
            if due is None or (start is not None and due < start):
                return False
            if end is not None and due > end:
                return False
        return query.check is None or query.check(record)

    def newest_first(self, query: Query[R], *, below: str | None = None) -> Iterator[R]:
        """The list's members, newest first, starting below (older than) one of them."""
        if below is None and query.is_plain:
            return (row.record for row in reversed(self._candidates(query)))
        low, high = query.keys()
        if below is not None:
            high = min(high, self._rows[below].key)
        rows = _between(self._candidates(query), low, high, newest_first=True)
        return (row.record for row in rows if self._fits(row.record, query))

    def oldest_first(self, query: Query[R], *, above: str | None = None) -> Iterator[R]:
        """The list's members, oldest first, starting above (newer than) one of them."""
        low, high = query.keys()
        if above is not None:
            low = max(low, self._rows[above].key)
        rows = _between(self._candidates(query), low, high, newest_first=False)
        return (row.record for row in rows if self._fits(row.record, query))

    def _candidates(self, query: Query[R]) -> Sequence[Row[R]]:
        """The smallest bucket that holds the list. A range of due dates is sorted by creation, so
        that only a short one is taken."""
        buckets = (self._indexes[name].get(value) for name, value in query.equals)
        rows: Sequence[Row[R]] = min((self._all, *map(_rows, buckets)), key=len)
        if query.due is not None:
            first, last = self._due_span(*query.due)
            if max(0, last - first) ** 2 < len(rows):
                return sorted(self._by_due.islice(first, last), key=_key)
        return rows

    def _due_span(self, start: int | None, end: int | None) -> tuple[int, int]:
        place = self._by_due.bisect_key_left
        first = 0 if start is None else place(start << KEY_BITS)
        last = len(self._by_due) if end is None else place(end + 1 << KEY_BITS)
        return first, last
