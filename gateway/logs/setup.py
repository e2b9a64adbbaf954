"""Configures the process's one log: every record of every library, one line each, on stderr.

JSON for machines, a readable line for a terminal. It also takes over what Python would print by
itself (uncaught exceptions, warnings, records that cannot be formatted), as that knows no
redaction. A log that nobody reads never holds up the gateway. What every line tells of the request
at hand belongs to the task that handles it and to those that it starts.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType, TracebackType
from typing import Any, Literal, TextIO

import orjson

from gateway.logs.redaction import is_harmless, redact

Format = Literal["auto", "json", "text"]
Level = Literal["debug", "info", "warning", "error"]

log = logging.getLogger("gateway")

LINES_MAX = 10_000
"""That may wait; a few seconds of a busy gateway, a few megabytes."""
BATCH_SECONDS = 0.05
"""How long lines are gathered, and so how late one may come."""
END_SECONDS = 2.0
"""How long the end of the process waits for a reader that may never come."""

_PLAIN = frozenset({str, int, float, bool, type(None)})
_TEXT_FIRST = ("timestamp", "level", "logger", "event")
_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=MappingProxyType({}))


def tell_from_here(**fields: str) -> None:
    """From now on this task's lines have these fields, and no others from before."""
    _FIELDS.set(fields)


def configure(*, format: Format, level: Level, stream: TextIO) -> None:
    """From now on every record of at least this level is one line on the stream."""
    is_json = format == "json" or (format == "auto" and not stream.isatty())
    handler = _Handler(stream, is_json=is_json)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    # No line tells them, and each record would ask for them.
    logging.logThreads = logging.logMultiprocessing = logging.logProcesses = False
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread


class LineFormatter(logging.Formatter):
    """Records as redacted lines: when, how grave and whose, what the request is told by, and what
    the log call has said."""

    def __init__(self, *, is_json: bool) -> None:
        super().__init__()
        self._is_json = is_json

    def format(self, record: logging.LogRecord) -> str:
        event = {**_head(record), **_FIELDS.get()}
        event["event"] = record.getMessage()
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                event[name] = value
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            event["stack_info"] = record.stack_info
        if not self._is_json:
            return _text(redact(event))
        return _harmless_json(event) or _json(redact(event))


_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""What every record has; anything beyond was given as `extra`."""


def _head(record: logging.LogRecord) -> dict[str, Any]:
    second = int(record.created)
    return {
        "timestamp": f"{_instant(second)}.{int((record.created - second) * 1000):03}Z",
        "level": record.levelname.lower(),
        "logger": record.name,
    }


@lru_cache(1)
def _instant(second: int) -> str:
    """Most lines are of the second of the line before."""
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")


def _harmless_json(event: dict[str, Any]) -> str | None:
    """The event as JSON, which shows text as it is, where nothing in it is to be masked or cut:
    the line is looked through once, and not value by value. None where that is not certain."""
    if not _PLAIN.issuperset(map(type, event.values())):
        return None
    try:
        line = orjson.dumps(event).decode()
    except TypeError:
        return None
    return line if is_harmless(line) else None


def _json(event: dict[str, Any]) -> str:
    try:
        return orjson.dumps(event).decode()
    except TypeError:
        return orjson.dumps(_encodable(event)).decode()


def _encodable(value: Any) -> Any:
    """Halves of surrogate pairs, which clients may send, are no JSON."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_encodable(one) for one in value]
    return value


def _text(event: dict[str, Any]) -> str:
    """One readable line, and below it the traceback of a failure."""
    shown = dict(event)
    exception = shown.pop("exception", None)
    at, level, name, said = (str(shown.pop(field, "")) for field in _TEXT_FIRST)
    fields = "".join(f" {name}={_encodable(value)}" for name, value in shown.items())
    line = f"{at} {level:<7} {name}: {_encodable(said)}{fields}".replace("\n", "\\n")
    return line if exception is None else f"{line}\n{_encodable(exception)}"


class _Handler(logging.Handler):
    """Makes lines where the record is made, and has them written elsewhere."""

    def __init__(self, stream: TextIO, *, is_json: bool) -> None:
        super().__init__()
        self.setFormatter(LineFormatter(is_json=is_json))
        self._writer = LineWriter(stream, self._left_out)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(self.format(record))
        except Exception:  # noqa: BLE001 - a record that cannot be told must not fail its teller.
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name.
        """Tells of a record that cannot be made a line by its place in the code alone: the library
        would print the record's arguments, and nobody would have masked them."""
        where = f"{record.name}, {record.filename}:{record.lineno}"
        self._writer.write(f"A log record could not be written ({where}).")

    def close(self) -> None:
        """Also called at the end of the process."""
        self._writer.close()
        super().close()

    def _left_out(self, count: int) -> str:
        said = f"{count} lines of the log were left out: nobody took them in time"
        record = {"name": log.name, "levelname": "WARNING", "levelno": logging.WARNING, "msg": said}
        return self.format(logging.makeLogRecord(record))


def _log_uncaught(
    type_: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(type_, KeyboardInterrupt):
        return
    log.critical("the process ends with an error", exc_info=(type_, error, trace))


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """The object is not told: its representation may hold anything."""
    error = unraisable.exc_value
    log.error("an error where none can be raised", exc_info=error)


def _log_thread(told: threading.ExceptHookArgs) -> None:
    log.error("a thread ended with an error", exc_info=told.exc_value)


class LineWriter:
    """Writes to a stream in a thread of its own; its lines come out whole and in order.

    A pipe whose reader has stopped blocks whoever writes to it. Here that is this thread alone:
    what does not fit into its queue is left out, and `left_out` makes the line that tells how many
    are missing once there is room again.
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
