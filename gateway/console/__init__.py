"""The pages of the gateway: their sources, their build and the place where the build lies.

They are built from locked npm packages and belong to no commit. Nothing here serves them, and a
gateway without them still answers its API.
"""

from pathlib import Path

_BUILT = Path(__file__).parent / "dist"

_NOT_BUILT = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Invoice payments</title>"
    b"<p>The console has not been built yet: run <code>make console</code> and reload.</p>"
)


def console_directory() -> Path | None:
    """The folder to serve as ``/console/``, with GraphiQL's page in ``index.html``."""
    return _BUILT if (_BUILT / "index.html").is_file() else None


def console_page(*, has_callers: bool, is_demo: bool) -> bytes:
    """The console's page for a deployment whose callers have to sign in, or that is a demo. What
    it is told stands in the page, so that it has to ask for nothing that may not be there."""
    directory = console_directory()
    if directory is None:
        return _NOT_BUILT
    page = (directory / "console.html").read_bytes()
    for name, is_on in ((b"sign-in", has_callers), (b"demo", is_demo)):
        if is_on:
            page = page.replace(b'data-%b="off"' % name, b'data-%b="on"' % name)
    return page
