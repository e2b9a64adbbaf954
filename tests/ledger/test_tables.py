"""Lists from kept orders: the same members in the same order as a list that is simply sorted."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from gateway.backends.memory.tables import SMALL_BUCKET_MAX, Query
from tests.ledger.things import Thing, ids, table_of

ALL: Query[Thing] = Query()


def red(**limits: int) -> Query[Thing]:
    return Query(equals=(("color", "red"),), **limits)  # type: ignore[arg-type]


def test_the_newest_comes_first_and_ties_by_arrival() -> None:
    """Within one second the later arrival is the newer, as in Stripe's lists."""
    table = table_of(Thing("b", 20), Thing("a", 10), Thing("c", 20), Thing("d", 30))

    assert ids(table.newest_first(ALL)) == ["d", "c", "b", "a"]
    assert ids(table.oldest_first(ALL)) == ["a", "b", "c", "d"]


def test_a_table_is_iterated_oldest_first() -> None:
    """Whoever copies a table by putting keeps its order."""
    table = table_of(Thing("b", 20), Thing("a", 10), Thing("c", 20))

    assert ids(iter(table)) == ["a", "b", "c"]
    assert len(table) == 3


def test_get_answers_the_record_or_none() -> None:
    """The unknown is none, and no reason to fail."""
    table = table_of(Thing("a", 10))

    assert table.get("a") == Thing("a", 10)
    assert table.get("z") is None
    assert "a" in table
    assert "z" not in table


def test_an_index_holds_only_its_members() -> None:
    """A filter shows what has the value, and not what has another or none."""
    table = table_of(
        Thing("a", 1, "red"), Thing("b", 2, "blue"), Thing("c", 3), Thing("d", 4, "red")
    )

    assert ids(table.newest_first(red())) == ["d", "a"]
    assert [thing.id for thing in table.matching("color", "red")] == ["a", "d"]
    assert table.matching("color", "green") == []


def test_several_indexes_must_all_match() -> None:
    """Filters restrict together."""
    table = table_of(
        Thing("a", 1, "red", "round"), Thing("b", 2, "red", "flat"), Thing("c", 3, "blue", "round")
    )

    query: Query[Thing] = Query(equals=(("color", "red"), ("shape", "round")))

    assert ids(table.newest_first(query)) == ["a"]


def test_a_check_is_asked_of_every_member() -> None:
    """What no index knows is looked at record by record."""
    table = table_of(*(Thing(f"t{n}", n) for n in range(6)))

    query: Query[Thing] = Query(check=lambda thing: thing.created % 2 == 0)

    assert ids(table.newest_first(query)) == ["t4", "t2", "t0"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param(None, None, ["d", "c", "b", "a"], id="open"),
        pytest.param(20, None, ["d", "c", "b"], id="from"),
        pytest.param(None, 20, ["c", "b", "a"], id="to"),
        pytest.param(20, 20, ["c", "b"], id="one_second"),
        pytest.param(11, 19, [], id="between"),
        pytest.param(30, 10, [], id="upside_down"),
    ],
)
@pytest.mark.parametrize("indexed", [False, True], ids=["all", "by_index"])
def test_the_ends_of_a_creation_range_belong_to_it(
    start: int | None, end: int | None, expected: list[str], indexed: bool
) -> None:
    """Both ends are included, also where several records share the second."""
    table = table_of(
        *(Thing(i, at, "red") for i, at in (("a", 10), ("b", 20), ("c", 20), ("d", 30)))
    )
    equals = (("color", "red"),) if indexed else ()

    query: Query[Thing] = Query(equals=equals, created_from=start, created_to=end)

    assert ids(table.newest_first(query)) == expected


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        pytest.param((None, None), ["d", "c", "b"], id="any"),
        pytest.param((100, None), ["d", "b"], id="from"),
        pytest.param((None, 99), ["c"], id="to"),
        pytest.param((100, 100), ["b"], id="one_second"),
    ],
)
def test_the_ends_of_a_due_range_belong_to_it(
    due: tuple[int | None, int | None], expected: list[str]
) -> None:
    """The order stays that of creation; what is never due is in no range."""
    table = table_of(
        Thing("a", 1), Thing("b", 2, due=100), Thing("c", 3, due=50), Thing("d", 4, due=200)
    )

    query: Query[Thing] = Query(due=due)

    assert ids(table.newest_first(query)) == expected


def test_a_short_due_range_of_a_long_table_keeps_the_order() -> None:
    """Few of many are taken from the due dates; they still come newest first."""
    table = table_of(*(Thing(f"t{n}", n, due=1000 - n) for n in range(200)))

    query: Query[Thing] = Query(due=(1000 - 12, 1000 - 10))

    assert ids(table.newest_first(query)) == ["t12", "t11", "t10"]
    assert ids(table.oldest_first(query)) == ["t10", "t11", "t12"]


def test_a_page_goes_on_below_its_cursor() -> None:
    """No record is seen twice and none is missed, also among records of one second."""
    table = table_of(*(Thing(f"t{n}", n // 3) for n in range(10)))

    first = ids(islice(table.newest_first(ALL), 4))
    second = ids(islice(table.newest_first(ALL, below=first[-1]), 4))

    assert first + second == ["t9", "t8", "t7", "t6", "t5", "t4", "t3", "t2"]


def test_a_page_before_its_cursor_goes_up() -> None:
    """Backwards means nearest first, so that a page before the cursor adjoins it."""
    table = table_of(*(Thing(f"t{n}", n, "red") for n in range(6)))

    assert ids(islice(table.oldest_first(red(), above="t2"), 2)) == ["t3", "t4"]


def test_a_cursor_and_a_range_restrict_together() -> None:
    """The narrower of the two bounds counts, on either side."""
    table = table_of(*(Thing(f"t{n}", n, "red") for n in range(10)))

    query = red(created_from=3, created_to=7)

    assert ids(table.newest_first(query, below="t9")) == ["t7", "t6", "t5", "t4", "t3"]
    assert ids(table.newest_first(query, below="t5")) == ["t4", "t3"]
    assert ids(table.oldest_first(query, above="t0")) == ["t3", "t4", "t5", "t6", "t7"]
    assert ids(table.oldest_first(query, above="t6")) == ["t7"]


def test_holds_tells_members_from_others() -> None:
    """A cursor is good only while its object is in the list."""
    table = table_of(Thing("a", 1, "red"), Thing("b", 2, "blue"))

    assert table.holds("a", red())
    assert not table.holds("b", red())
    assert not table.holds("z", red())
    assert not table.holds("a", red(created_from=2))


def test_a_removed_record_is_in_no_list() -> None:
    """A detached payment must not come back through any index."""
    table = table_of(Thing("a", 1, "red", due=5), Thing("b", 2, "red", due=5), Thing("c", 3, "red"))

    table.remove("b")

    assert table.get("b") is None
    assert ids(table.newest_first(ALL)) == ["c", "a"]
    assert ids(table.newest_first(red())) == ["c", "a"]
    assert ids(table.newest_first(Query(due=(5, 5)))) == ["a"]


def test_a_removed_record_is_not_found_by_its_due_date() -> None:
    """Few of many are taken from the due dates, and what is gone must be gone there too."""
    table = table_of(*(Thing(f"t{n}", n, due=n) for n in range(30)))

    table.remove("t11")

    assert ids(table.newest_first(Query(due=(10, 12)))) == ["t12", "t10"]


def test_a_removed_record_that_comes_again_is_new() -> None:
    """Attached again, it takes its place by arrival anew."""
    table = table_of(Thing("a", 1), Thing("b", 1))

    table.remove("a")
    table.put(Thing("a", 1))

    assert ids(table.newest_first(ALL)) == ["a", "b"]


def test_a_replaced_record_moves_between_indexes_and_keeps_its_place() -> None:
    """A paid invoice leaves the list of open ones at once, and its creation does not change."""
    table = table_of(Thing("a", 1, "red"), Thing("b", 2, "red"), Thing("c", 3, "red"))

    table.put(Thing("b", 2, "blue"))

    assert ids(table.newest_first(red())) == ["c", "a"]
    assert [thing.id for thing in table.matching("color", "red")] == ["a", "c"]
    assert [thing.id for thing in table.matching("color", "blue")] == ["b"]
    assert ids(table.newest_first(ALL)) == ["c", "b", "a"]


def test_a_replaced_record_moves_in_and_out_of_an_index() -> None:
    """None is no value of an index: a record comes and goes with its value."""
    table = table_of(Thing("a", 1), Thing("b", 2, "red", due=9))

    table.put(Thing("a", 1, "red", due=9))
    table.put(Thing("b", 2))

    assert ids(table.newest_first(red())) == ["a"]
    assert ids(table.newest_first(Query(due=(9, 9)))) == ["a"]


def test_a_replaced_record_moves_between_due_dates() -> None:
    """A postponed invoice is found under its new date, and under no other."""
    table = table_of(Thing("a", 1, due=5), Thing("b", 2, due=5))

    table.put(Thing("a", 1, due=7))

    assert ids(table.newest_first(Query(due=(5, 5)))) == ["b"]
    assert ids(table.newest_first(Query(due=(7, 7)))) == ["a"]


@pytest.mark.parametrize("size", [1, 2, SMALL_BUCKET_MAX, SMALL_BUCKET_MAX + 1])
def test_a_bucket_grows_and_shrinks_without_losing_anyone(size: int) -> None:
    """One member, a plain list, a sorted list: three shapes, one behaviour."""
    things = [Thing(f"t{n}", n // 2, "red") for n in range(size)]
    table = table_of(*things)
    newest = [thing.id for thing in reversed(things)]

    assert ids(table.newest_first(red())) == newest
    assert ids(table.newest_first(red(), below=newest[size // 2])) == newest[size // 2 + 1 :]
    assert ids(table.oldest_first(red(), above=newest[-1])) == newest[:-1][::-1]
    for thing in things[::2]:
        table.remove(thing.id)
    assert ids(table.newest_first(red())) == [one.id for one in reversed(things[1::2])]
    for thing in things[1::2]:
        table.remove(thing.id)
    assert ids(table.newest_first(red())) == []


def test_arrivals_out_of_order_take_their_place_in_a_bucket_of_any_shape() -> None:
    """Records loaded from a file may be older than what is there."""
    count = SMALL_BUCKET_MAX + 2
    table = table_of(*(Thing(f"t{n}", count - n, "red") for n in range(count)))

    assert ids(table.newest_first(red())) == [f"t{n}" for n in range(count)]


def test_records_are_never_changed_in_place() -> None:
    """A page that someone holds stays as it was read."""
    table = table_of(Thing("a", 1, "red"))
    held = table.get("a")
    assert held is not None

    table.put(replace(held, color="blue"))

    assert held.color == "red"
