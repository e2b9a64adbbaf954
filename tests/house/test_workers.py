"""Workers of one parallel run: what is slow to make is made once for all of them."""

from __future__ import annotations

import fcntl
import re
from pathlib import Path

import pytest

from tests.support.workers import made_once, run_folder

ROOT = Path(__file__).parents[2]


def test_workers_have_the_folder_of_their_run_in_common(tmp_path: Path) -> None:
    """Without workers the folder is the run's own, or the next run would find what an old one
    left."""
    assert run_folder(tmp_path / "popen-gw1", {"PYTEST_XDIST_WORKER": "gw1"}) == tmp_path
    assert run_folder(tmp_path, {}) == tmp_path


def test_while_one_makes_it_the_others_wait(tmp_path: Path) -> None:
    """Clients from npm take seconds to install, and half an installation is none."""
    made: list[Path] = []

    def make(folder: Path) -> None:
        with (tmp_path / "clients.lock").open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        made.append(folder)

    got = [made_once(tmp_path / "clients", make) for _ in range(2)]

    assert made == [tmp_path / "clients"]
    assert got == made * 2


def test_what_failed_is_made_again(tmp_path: Path) -> None:
    """One whose network stumbled leaves nothing that the other would take for whole."""

    def breaks(folder: Path) -> None:
        folder.mkdir()
        raise OSError("the network stumbled")

    with pytest.raises(OSError, match="stumbled"):
        made_once(tmp_path / "clients", breaks)

    folder = made_once(tmp_path / "clients", lambda folder: (folder / "whole").touch())

    assert (folder / "whole").exists()


def test_the_check_runs_on_two_cores() -> None:
    """A check that takes ten minutes is one that people leave out."""
    (recipe,) = re.findall(
        r"^test:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE
    )

    assert "$(BIN)/pytest -n 2 " in recipe
    assert recipe.rstrip().endswith("$(ARGS)")


def test_the_long_form_tries_more_of_all_that_is_generated() -> None:
    """A number of its own would stand above the profile's, and no long run look for more."""
    fixed = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if re.search(r"max_examples=\d", path.read_text())
    ]

    assert fixed == []
