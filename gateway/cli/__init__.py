"""The command line: `commands` holds the application, its neighbours the groups of commands.

What takes long to import is imported by the command that needs it: the others begin at once.
"""


def main() -> None:
    from gateway.cli.commands import app

    app()
