"""A table's answers against those of a plain list that is sorted on demand."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.memory.tables import SMALL_BUCKET_MAX, Query
from tests.ledger.things import Thing, ids, table_of
from tests.support.long_form import examples


@dataclass(slots=True)
class Naive:
    """The same promises by sorting on demand: each thing with its first second and its arrival."""

    things: dict[str, tuple[Thing, int, int]] = field(default_factory=dict)
    arrivals: int = 0

    def put(self, thing: Thing) -> None:
        self.arrivals += 1
        _, created, arrival = self.things.get(thing.id, (thing, thing.created, self.arrivals))
        self.things[thing.id] = (thing, created, arrival)

    def remove(self, thing_id: str) -> None:
        del self.things[thing_id]

    def newest_first(self, query: Query[Thing]) -> list[str]:
        ordered = sorted(self.things.values(), key=lambda one: (one[1], one[2]), reverse=True)
        return [thing.id for thing, created, _ in ordered if fits(thing, created, query)]


def fits(thing: Thing, created: int, query: Query[Thing]) -> bool:
    start, end = query.due or (None, None)
    return (
        all(getattr(thing, name) == value for name, value in query.equals)
        and (query.created_from is None or created >= query.created_from)
        and (query.created_to is None or created <= query.created_to)
        and (query.due is None or thing.due is not None)
        and (start is None or (thing.due is not None and thing.due >= start))
        and (end is None or (thing.due is not None and thing.due <= end))
    )


SECONDS = st.integers(0, 9)
BOUND = st.none() | SECONDS
COLORS = st.none() | st.sampled_from(["red", "blue"])
THINGS = st.builds(
    Thing,
    id=st.integers(0, 30).map(str),
    created=SECONDS,
    color=COLORS,
    shape=COLORS,
    due=BOUND,
)
CHANGES = st.lists(THINGS | st.integers(0, 30).map(str), max_size=80)
QUERIES = st.builds(
    Query,
    equals=st.lists(
        st.tuples(st.sampled_from(["color", "shape"]), st.sampled_from(["red", "blue"])),
        max_size=2,
        unique_by=lambda pair: pair[0],
    ).map(tuple),
    created_from=BOUND,
    created_to=BOUND,
    due=st.none() | st.tuples(BOUND, BOUND),
)


CROWD = [
    Thing(f"c{n}", n % 10, "red", "red", None if n % 99 else n % 10)
    for n in range(SMALL_BUCKET_MAX - 5)
]
"""So many red ones that a few more turn their bucket from a plain list into a sorted one, and so
few of them ever due that a range of due dates is the shorter way."""
CURSORS_MAX = 20


@settings(max_examples=examples(150), deadline=None, print_blob=True)
@given(
    crowd=st.sampled_from([[], [], [], CROWD]),
    changes=CHANGES,
    queries=st.lists(QUERIES, min_size=1, max_size=4),
)
def test_a_table_answers_as_a_naive_list_does(
    crowd: list[Thing], changes: list[Thing | str], queries: list[Query[Thing]]
) -> None:
    """After any changes, every list, every page of it and every membership agree."""
    table, naive = table_of(), Naive()
    for change in [*crowd, *changes]:
        if isinstance(change, Thing):
            table.put(change)
            naive.put(change)
        elif change in table:
            table.remove(change)
            naive.remove(change)

    for color in ("red", "blue"):
        matching = [thing.id for thing in table.matching("color", color)]
        assert matching == naive.newest_first(Query(equals=(("color", color),)))[::-1]
    for query in queries:
        expected = naive.newest_first(query)
        assert ids(table.newest_first(query)) == expected
        assert ids(table.oldest_first(query)) == expected[::-1]
        for at in range(0, len(expected), 1 + len(expected) // CURSORS_MAX):
            thing_id = expected[at]
            assert ids(table.newest_first(query, below=thing_id)) == expected[at + 1 :]
            assert ids(table.oldest_first(query, above=thing_id)) == expected[:at][::-1]
        members = {thing.id for thing in table if table.holds(thing.id, query)}
        assert members == set(expected)
