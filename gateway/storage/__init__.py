"""What the durable log and the write journal share: one SQLite file, or one Redis.

Knows tables of bytes and text, and neither events nor writes: those are translated where they are
kept. Imports nothing else of the gateway.
"""
