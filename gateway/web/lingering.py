"""A WebSocket whose refusal of a long message arrives.

aiohttp closes the connection at once while the message is still coming in, which makes the system
reset it, and the peer learns nothing. Nothing else of aiohttp's socket is changed.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress

from aiohttp import WSCloseCode, WSMsgType, web


class LingeringWebSocket(web.WebSocketResponse):
    """Throws away, for `linger_seconds`, what a peer still sends after a message too long.

    The connection itself drops what comes in once its parser has failed.
    """

    linger_seconds: float = 1

    async def close(
        self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True
    ) -> bool:
        if code == WSCloseCode.MESSAGE_TOO_BIG and not self.closed:
            with suppress(ConnectionError):
                await self.send_frame(struct.pack("!H", code) + message, WSMsgType.CLOSE)
            await asyncio.sleep(self.linger_seconds)
        return await super().close(code=code, message=message, drain=drain)
