"""The page that a browser finds at the endpoint, with the content policy it works under.

It serves what was built beforehand and never builds anything itself.
"""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Everything from our own origin. The editor sets styles from scripts, and its style sheets hold
small fonts and images, hence 'unsafe-inline' and `data:`."""

_NOT_BUILT = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>GraphQL</title>"
    b"<p>The GraphiQL page has not been built yet: run <code>make console</code> and reload.</p>"
)


CONSOLE_PATH = "/console/"
_ASSETS_PATH = "/console/assets/"


def page_response(page: bytes | None) -> web.Response:
    """The built page, or one sentence on how to build it."""
    return web.Response(
        body=_NOT_BUILT if page is None else page,
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY},
    )


def add_console_files(app: web.Application, directory: Path) -> None:
    """Serve the files that the page loads; their names carry a hash, so they never change.

    They need the page's policy: a worker is held to that of its own script.
    """

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        if not request.path.startswith(CONSOLE_PATH) or response.status >= 400:
            return
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        if request.path.startswith(_ASSETS_PATH):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"

    app.router.add_static(CONSOLE_PATH, directory)
    app.on_response_prepare.append(add_headers)
