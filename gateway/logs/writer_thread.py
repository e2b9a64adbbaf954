"""Writes lines in a thread of its own, so that a log nobody reads never holds up the gateway.

A pipe whose reader has stopped blocks whoever writes to it. Here that is this thread alone: what
does not fit into its queue is left out and counted, and the count is told when there is room again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

LINES_MAX = 10_000
"""That may wait; a few seconds of a busy gateway, a few megabytes."""
BATCH_SECONDS = 0.05
"""How long lines are gathered, and so how late one may come."""
END_SECONDS = 2.0
"""How long the end of the process waits for a reader that may never come."""


class LineWriter:
    """One per stream. Its lines come out whole and in order.

    `left_out` makes the line that tells how many are missing.
    """

    def __init__(
        self, stream: TextIO, left_out: Callable[[int], str], *, lines_max: int = LINES_MAX
    ) -> None:
        self._stream = stream
        self._line_of = left_out
        self._lines_max = lines_max
        self._lines: deque[str] = deque()
        self._left_out = 0
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Give a line away. Never waits for the stream."""
        with self._changed:
            if len(self._lines) >= self._lines_max:
                self._left_out += 1
                return
            self._lines.append(line)
            if len(self._lines) == 1:
                self._changed.notify()

    def close(self) -> None:
        """Wait until everything is written, but not for ever. Idempotent."""
        self._ending.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        while text := self._taken():
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                # Nobody can be told: the stream is where it would be told.
                continue
            # To wake for each line would cost a busy gateway more than the line itself.
            self._ending.wait(BATCH_SECONDS)

    def _taken(self) -> str:
        """Everything that waits, as one text; empty at the end."""
        with self._changed:
            while not self._lines and not self._ending.is_set():
                self._changed.wait()
            lines = [*self._lines]
            if self._left_out:
                lines.append(self._line_of(self._left_out))
            self._lines.clear()
            self._left_out = 0
        return "".join(f"{line}\n" for line in lines)
