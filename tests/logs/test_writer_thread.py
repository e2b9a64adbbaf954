"""A log that nobody reads: the gateway goes on, and what was left out is told."""

from __future__ import annotations

import io
import os
import threading

from gateway.logs.setup import LineWriter


def left_out(count: int) -> str:
    return f"{count} left out"


class Stuck(io.StringIO):
    """A stream that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.let_go.wait(5)
        return super().write(text)


def test_lines_come_out_in_order_and_at_the_end_at_the_latest() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream, left_out)

    for number in range(1000):
        writer.write(str(number))
    writer.close()

    assert stream.getvalue().splitlines() == [str(number) for number in range(1000)]


def test_nobody_waits_for_a_stream_that_takes_nothing() -> None:
    """What does not fit is counted, and told when there is room again."""
    stream = Stuck()
    writer = LineWriter(stream, left_out, lines_max=2)

    writer.write("first")
    assert stream.reached.wait(5)
    for number in range(5):
        writer.write(str(number))
    stream.let_go.set()
    writer.close()

    assert stream.getvalue().splitlines() == ["first", "0", "1", "3 left out"]


def test_a_pipe_that_nobody_reads_holds_nobody_up() -> None:
    """As when a supervisor has started the gateway and never looks at its standard error."""
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as stream:
        writer = LineWriter(stream, left_out)
        for _ in range(100):
            writer.write("x" * 10_000)
        os.close(reading)
        writer.close()


def test_a_stream_that_is_gone_is_borne() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream, left_out)
    stream.close()

    writer.write("lost")
    writer.close()
