"""What the process says: one line a record, rendered once, with nothing secret in it.

Modules log with the standard library's `logging`; whoever starts the process calls `configure`.
"""

from gateway.logs.setup import Format, Level, configure, tell_from_here

__all__ = ["Format", "Level", "configure", "tell_from_here"]
