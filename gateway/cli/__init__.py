"""The command line: `commands` holds the application, its neighbours the groups of commands.

What takes long to import is imported by the command that needs it: the others begin at once.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

COLLECTED_AFTER = 200_000
"""Objects that are new at once, until a server has started: imports make half as many, and next to
no cycles."""


def main() -> None:
    gc.set_threshold(COLLECTED_AFTER)
    # pydantic would look through all that is installed for plugins, which have no business here.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"

    from gateway.cli.commands import app

    app()


@contextmanager
def certificates_unread() -> Iterator[None]:
    """Within, aiohttp can be imported without reading the system's certificates, which takes a
    tenth of the start. It wants them for connections that bring none, and all of ours do."""
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
