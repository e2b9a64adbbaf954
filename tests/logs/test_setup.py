"""One line a record: what stands in it, in both forms, and what Python prints by itself."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

import pytest
from hypothesis import given, settings, strategies

from gateway.logs import Format, configure, tell_from_here
from gateway.logs.redaction import redact
from gateway.logs.setup import LineFormatter
from tests.logs.test_redaction import SCRAPS
from tests.support.log_lines import log_given_back
from tests.support.long_form import examples

SECRET = "sk_test_" + "c4n4ry" * 3


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def configured(stream: io.StringIO, format: Format = "json") -> Iterator[logging.Logger]:
    """A library's logger, while the stream is the process's log."""
    with log_given_back():
        configure(format=format, level="debug", stream=stream)
        yield logging.getLogger("some.library")


def told(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_of_any_library_is_one_json_object() -> None:
    """Whoever logs with the standard library is rendered alike."""
    stream = io.StringIO()

    with configured(stream) as log:
        request = Context()
        request.run(tell_from_here, request_id="req_1", caller="shop")
        request.run(log.info, "took %d", 3, extra={"duration_ms": 12.5})

    (line,) = told(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "some.library",
        "event": "took 3",
        "duration_ms": 12.5,
        "request_id": "req_1",
        "caller": "shop",
    }


def test_a_failure_is_told_in_the_same_line() -> None:
    """A traceback of many lines is one field, and masked like everything else."""
    stream = io.StringIO()

    with configured(stream) as log:
        try:
            raise ValueError(f"no such key {SECRET}")
        except ValueError:
            log.exception("it failed")

    (line,) = told(stream)
    assert line["exception"].startswith("Traceback")
    assert "ValueError: no such key [redacted]" in line["exception"]


def test_a_terminal_gets_readable_lines() -> None:
    """Auto looks at where the lines go."""
    terminal, file = Terminal(), io.StringIO()

    with configured(terminal, "auto") as log:
        log.warning("took %d\nof them", 3, extra={"calls": 2})
    with configured(file, "auto") as log:
        log.warning("took 3")

    assert terminal.getvalue().endswith("Z warning some.library: took 3\\nof them calls=2\n")
    assert told(file)[0]["event"] == "took 3"


VALUES = strategies.recursive(
    strategies.sampled_from([None, True, 1.5, 7, 4242424242424242, 10**13, "4242", "0" * 13])
    | strategies.text(max_size=5)
    | strategies.lists(strategies.sampled_from(SCRAPS), max_size=6).map("".join),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.sampled_from(["a", "token"]), inner)
    ),
    max_leaves=4,
)


@settings(max_examples=examples(300))
@given(
    VALUES.filter(lambda value: isinstance(value, str)),
    strategies.dictionaries(strategies.sampled_from(["took", "api_key", "Cookie"]), VALUES),
)
def test_a_line_shows_what_each_of_its_values_is_redacted_to(
    said: str, extra: dict[str, Any]
) -> None:
    """Also where the whole line was found to be harmless, and no value was looked at."""
    record = logging.LogRecord("some.library", logging.INFO, "", 1, "%s", (said,), None)
    vars(record).update(extra)

    line = json.loads(LineFormatter(is_json=True).format(record))

    redacted = redact({"event": said, **extra})
    assert {name: line[name] for name in redacted} == json.loads(json.dumps(redacted))


def test_text_that_is_no_unicode_is_told() -> None:
    """Half a surrogate pair cannot be written as JSON, and must not cost the line."""
    stream = io.StringIO()

    with configured(stream) as log:
        log.info("name %s", "\ud800", extra={"names": ["\ud800"]})

    assert told(stream)[0]["event"] == "name ?"


def test_a_record_that_cannot_be_written_shows_no_arguments() -> None:
    """The standard library would print them, masked by nobody."""
    stream = io.StringIO()

    with configured(stream) as log:
        log.info("%d", SECRET)

    assert stream.getvalue().startswith("A log record could not be written (some.library, test_")
    assert SECRET not in stream.getvalue()


def test_what_python_prints_by_itself_goes_through_the_log() -> None:
    """Uncaught exceptions, of threads too, and warnings know no redaction of their own."""
    stream = io.StringIO()

    with configured(stream):
        error = ValueError(SECRET)
        sys.excepthook(ValueError, error, None)
        thread = threading.Thread(target=_raise_secret)
        thread.start()
        thread.join()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn(f"do not send {SECRET}", stacklevel=1)

    assert SECRET not in stream.getvalue()
    assert len(told(stream)) == 3
    assert "redacted" in told(stream)[0]["exception"]


def _raise_secret() -> None:
    raise ValueError(SECRET)


@pytest.mark.parametrize("level", ["error", "info"])
def test_level_says_what_is_told(level: str) -> None:
    """Less grave lines are not even made."""
    stream = io.StringIO()

    with configured(stream):
        configure(format="json", level=level, stream=stream)  # type: ignore[arg-type]
        logging.getLogger("some.library").warning("hm")

    assert len(told(stream)) == (level == "info")
