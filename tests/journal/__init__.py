"""The write journal: its stores, and the backend that writes through it."""
