"""The durable stores: restarts, crashes, a server that goes away."""
