"""The GraphiQL page of the gateway: its sources, its build and the place where the build lies.

The page is built from locked npm packages and belongs to no commit. Nothing here serves it, and a
gateway without it still answers its API.
"""

from pathlib import Path

_BUILT = Path(__file__).parent / "dist"


def console_directory() -> Path | None:
    """The folder to serve as ``/console/``, with the page itself in ``index.html``."""
    return _BUILT if (_BUILT / "index.html").is_file() else None
