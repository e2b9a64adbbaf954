"""What a stream owes its reader, item by item: nothing that is wanted is passed over in silence."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from schema.ports import StreamCheckpoint, StreamGap, StreamItem
from tests.events.entries import at


def walked(items: Iterable[StreamItem], start: int, wanted: Collection[int] | None = None) -> int:
    """Walk a stream from its cursor and answer where it ends.

    Without `wanted` every position is. Each item must go on where the one before it ended, and
    pass over nothing that was wanted.
    """
    here = start
    for item in items:
        match item:
            case StreamCheckpoint():
                _pass_over(wanted, here, at(item.cursor), "a checkpoint that is not true")
                here = at(item.cursor)
            case StreamGap():
                assert item.after is not None
                _pass_over(wanted, here, at(item.after), "a gap that begins elsewhere")
                assert at(item.resumes_at) >= at(item.after), "a gap that goes back"
                here = at(item.resumes_at)
            case _:
                _pass_over(wanted, here, at(item.cursor) - 1, "a gap or a repeat in silence")
                here += 1 if wanted is None else at(item.cursor) - here
    return here


def _pass_over(wanted: Collection[int] | None, here: int, there: int, problem: str) -> None:
    if wanted is None:
        assert there == here, problem
    else:
        assert there >= here, problem
        assert not [one for one in wanted if here < one <= there], problem
