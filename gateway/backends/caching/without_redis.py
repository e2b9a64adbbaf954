"""What a cache of one process needs of aiocache.

aiocache imports redis-py wherever it is installed, which is a fifth of a start. So redis-py is
hidden from it for the moment of the import; `redis_cache` takes the Redis backend from its own
module.
"""

import sys

if "redis" in sys.modules or "aiocache" in sys.modules:
    import aiocache
else:
    sys.modules["redis"] = None  # type: ignore[assignment]
    try:
        import aiocache
    finally:
        del sys.modules["redis"]

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

__all__ = ["BaseCache", "NullSerializer", "aiocache"]
