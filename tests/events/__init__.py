"""The event log, the feed over it, and the intake before it."""
