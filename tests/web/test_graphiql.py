"""The files of the page, as a browser loads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.serving import Serve, Served


@pytest.fixture
async def console(serve: Serve, tmp_path: Path) -> Served:
    """A gateway with a built page of one file."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-abc.js").write_text("1")
    (tmp_path / "index.html").write_text("<p>the page</p>")
    (tmp_path.parent / "secret.txt").write_text("secret")
    return await serve(console_directory=tmp_path)


async def test_hashed_files_are_kept_for_ever(console: Served) -> None:
    """Their names change with their content; workers need the page's policy on their script."""
    async with console.session.get(console.url / "console/assets/index-abc.js") as response:
        text = await response.text()

    assert text == "1"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_other_files_are_not_kept(console: Served) -> None:
    """The page itself names the current files."""
    async with console.session.get(console.url / "console/index.html") as response:
        pass

    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["missing.js", "assets/", "", "../secret.txt", "%2e%2e/secret.txt"]
)
async def test_nothing_else_is_served(console: Served, path: str) -> None:
    """Neither lists of files nor what lies beside them, and an error is never kept."""
    url = console.url.with_path(f"/console/{path}", encoded=True)

    async with console.session.get(url) as response:
        text = await response.text()

    assert response.status in (403, 404)
    assert "secret" not in text
    assert response.headers["Cache-Control"] == "no-store"
