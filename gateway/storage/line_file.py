"""A file that only grows, a line at a time, and can be moved away while it does."""

from __future__ import annotations

from pathlib import Path
from typing import IO


class LineFile:
    """Opened at once, so that a start tells what is wrong with it. Raises `OSError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._opened()

    def write(self, line: str) -> None:
        """Hand one line to the system. Raises `OSError`."""
        self._file.write(line + "\n")
        self._file.flush()

    def reopen(self) -> None:
        """Go on in a file of the same name, after the old one was moved away. Raises `OSError`."""
        opened = self._opened()
        self._file.close()
        self._file = opened

    def close(self) -> None:
        self._file.close()

    def _opened(self) -> IO[str]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return self._path.open("a", encoding="utf-8")
