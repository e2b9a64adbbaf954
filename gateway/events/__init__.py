"""One door in, one way out: resolve, drop, append, publish; then the streams that read the log."""
