"""Live subscriptions: those that are shown the same share the work of it."""
