"""What a sandbox begins with: the fixtures of a file, or the demo that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from gateway.backends.memory.twin import Twin
from gateway.sandbox.fixtures import load, read_file, read_fixtures

DEMO = "demo.json"


def seed(twin: Twin, path: Path | None) -> None:
    """Load the file, or the demo without one. Raises `FixturesRefused`."""
    load(twin, read_fixtures(demo_text()) if path is None else read_file(path))


def demo_text() -> bytes:
    """The demo as it is packaged."""
    return files("gateway.sandbox").joinpath(DEMO).read_bytes()
