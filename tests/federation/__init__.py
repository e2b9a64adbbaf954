"""The gateway as a subgraph: what a router asks of it, and real routers over it."""
