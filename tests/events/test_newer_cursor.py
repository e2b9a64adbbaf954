"""Two positions in one request: `after` in the document, and where the reader stood in a header."""

from __future__ import annotations

import pytest

from gateway.events.log import encode_position, newer_cursor
from schema.ports import ErrorCode, Failed

OURS, BEFORE = "ours", "before"
END = 9
CASES = {
    "back where it was cut": ((OURS, 3), (OURS, 9), "resumed"),
    "a document that is newer": ((OURS, 9), (OURS, 3), "after"),
    "both the same": ((OURS, 3), (OURS, 3), "resumed"),
    "first visit before a restart": ((BEFORE, 900), (OURS, 3), "resumed"),
    "a page that has read again since a restart": ((OURS, 3), (BEFORE, 900), "after"),
    "a document that was beyond the end": ((OURS, 900), (OURS, 3), "resumed"),
    "a reader of a log that has gone back": ((OURS, 3), (OURS, 900), "resumed"),
    "both of a log that is gone": ((BEFORE, 900), (BEFORE, 3), "resumed"),
}


@pytest.mark.parametrize(("after", "resumed", "wins"), CASES.values(), ids=CASES)
def test_the_one_that_the_reader_had_last_counts(
    after: tuple[str, int], resumed: tuple[str, int], wins: str
) -> None:
    """Whichever way it came."""
    given = {"after": encode_position(*after), "resumed": encode_position(*resumed)}

    assert newer_cursor(given["after"], given["resumed"], OURS, end=END) == given[wins]


def test_a_header_that_is_no_cursor_costs_nothing() -> None:
    """It may be a proxy's or another stream's; the document says where to go on."""
    after = encode_position(OURS, 3)

    assert newer_cursor(after, "42", OURS, end=END) == after


def test_an_argument_that_is_no_cursor_is_told() -> None:
    """Whoever wrote the document can mend it, whatever stands in a header."""
    with pytest.raises(Failed) as refused:
        newer_cursor("zzz", encode_position(OURS, 3), OURS, end=END)

    assert refused.value.code is ErrorCode.BAD_USER_INPUT
