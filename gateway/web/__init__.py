"""GraphQL over HTTP, WebSocket and server-sent events.

It translates transports to and from `gateway.execution.operation` and knows nothing of schemas,
plans or backends.
"""
