"""The command line: `commands` holds the application, its neighbours the groups of commands.

What takes long to import is imported by the command that needs it: the others begin at once.
"""

import gc
import os

COLLECTED_AFTER = 200_000
"""Objects that are new at once, until a server has started: imports make half as many, and next to
no cycles."""


def main() -> None:
    gc.set_threshold(COLLECTED_AFTER)
    # pydantic would look through all that is installed for plugins, which have no business here.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"

    from gateway.cli.commands import app

    app()
