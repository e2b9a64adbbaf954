"""The contract: what a client may ask of the gateway, and what a server must supply to answer it.

`schema` never imports `gateway`. Stripe, storage and transports are unknown here.
"""

VERSION = "0.1.0"
"""Of the gateway, in one place; pyproject.toml reads it from here."""
