"""An unexpected error: whole in the log, and still without the client's document."""

from __future__ import annotations

from graphql import GraphQLError, Source, parse

from gateway.execution.answers import formatted
from tests.support.log_lines import log_lines

DOCUMENT = '{ invoice(id: "c4n4ry") { id } }'


def test_errors_of_graphql_core_show_no_document() -> None:
    """Such an error prints the lines of the document around it."""
    node = parse(Source(DOCUMENT)).definitions[0]
    error = GraphQLError("Cannot return null.", nodes=[node], path=["invoice"])
    assert "c4n4ry" in str(error)

    with log_lines() as lines:
        formatted([error], "req_1")

    (line,) = lines.of("gateway.execution")
    assert "Cannot return null." in line["event"]
    assert "c4n4ry" not in str(line)


def test_failures_of_ours_are_told_with_their_traceback() -> None:
    """Nobody could mend them otherwise."""
    failure = ZeroDivisionError("of ours")
    error = GraphQLError("", original_error=failure)

    with log_lines() as lines:
        shown = formatted([error], "req_1")

    (line,) = lines.of("gateway.execution")
    assert "ZeroDivisionError: of ours" in line["exception"]
    assert shown[0]["message"] == "Internal error"
