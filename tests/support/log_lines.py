"""The log in a test's own process: what is told, as it would be written, and who configures it."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.logs.setup import LineFormatter


class LogLines(logging.Handler):
    """The lines so far."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(LineFormatter(is_json=True))
        self.all: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(json.loads(self.format(record)))

    def of(self, logger: str) -> list[dict[str, Any]]:
        """Those of one logger and of all below it."""
        return [one for one in self.all if f"{one['logger']}.".startswith(f"{logger}.")]


@contextmanager
def log_lines() -> Iterator[LogLines]:
    """Collects, while inside, what any logger tells."""
    lines = LogLines()
    logging.getLogger().addHandler(lines)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(lines)


@contextmanager
def log_given_back() -> Iterator[None]:
    """Inside, the log may be configured as a gateway does at its start; then it is as before."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, sys.unraisablehook)
    in_threads = threading.excepthook
    root.handlers = []
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for handler in root.handlers:
            handler.close()
        root.handlers, root.level, sys.excepthook, sys.unraisablehook = before
        threading.excepthook = in_threads
