"""Where the built GraphiQL page lies, for the web layer that serves it.

It must not build anything: a gateway without the page still answers its API.
"""

from pathlib import Path

_BUILT = Path(__file__).parent / "dist"


def console_directory() -> Path | None:
    """The folder to serve as ``/console/``, with the page itself in ``index.html``."""
    return _BUILT if (_BUILT / "index.html").is_file() else None
