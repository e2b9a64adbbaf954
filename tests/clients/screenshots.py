"""Pictures of the console over the demo, into docs/console: `make screenshots`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.clients.conftest import running
from tests.support.browser import CHROMIUM, LEFT_OUT
from tests.support.npm import SUITES, install_clients, run_suite

PROJECT = SUITES.parents[2]
FOLDER = PROJECT / "docs" / "console"
COLOURS = 256
"""Enough for a page of few colours, and a third of the bytes."""


def main() -> None:
    if not CHROMIUM:
        raise SystemExit(LEFT_OUT)
    clients: Path = PROJECT / "build" / "npm"
    clients.parent.mkdir(exist_ok=True)
    install_clients(clients)
    with running("serve", "--port", "0") as url:
        run_suite(clients, "browser/screenshots.mjs", url, CHROMIUM=CHROMIUM, FOLDER=str(FOLDER))
    for picture in FOLDER.glob("*.png"):
        with Image.open(picture) as whole:
            small = whole.convert("RGB").quantize(
                COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE
            )
        small.save(picture, optimize=True)


if __name__ == "__main__":
    main()
