"""Fetches a small JSON document, such as a key set, within a time and a size."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

DOCUMENT_BYTES_MAX = 1_000_000
_TIMES = ClientTimeout(total=5)


async def fetch_json(session: ClientSession, url: str) -> Any:
    """The document. Raises `OSError`, or `ValueError` for what is no JSON."""
    try:
        async with session.get(url, timeout=_TIMES, allow_redirects=False) as response:
            if response.status != 200:
                raise OSError(f"status {response.status}")
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > DOCUMENT_BYTES_MAX:
                    raise OSError("the document is too long")
    except (TimeoutError, ClientError) as trouble:
        raise OSError(type(trouble).__name__) from None
    return orjson.loads(body)
