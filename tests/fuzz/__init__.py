"""Whatever is sent to a running gateway, it answers, and never with a 500."""
