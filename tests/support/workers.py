"""What the processes of one parallel run share: a folder, and what one of them makes there for all.

pytest-xdist starts the workers; a run without it is its own only worker.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


def run_folder(base: Path, environment: dict[str, str] | os._Environ[str] = os.environ) -> Path:
    """The folder of this run for temporary files: the workers' own lie in it."""
    return base.parent if "PYTEST_XDIST_WORKER" in environment else base


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made by whoever comes first while the others wait; one that fails fails them all,
    each with its own try."""
    done = folder.with_suffix(".done")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make(folder)
            done.touch()
    return folder
