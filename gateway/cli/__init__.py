"""The command line: `commands` holds the application, its neighbours the groups of commands."""

from gateway.cli.commands import main

__all__ = ["main"]
