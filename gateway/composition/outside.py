"""What is outside of a gateway and may be handed to it: stores, cache, the way to Stripe, chance.

Part of the composition root: it knows classes and no rules. Whoever hands in something keeps it,
and closes it; the settings say the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import strawberry
from aiocache.base import BaseCache

from gateway.clock import chance
from gateway.composition.stores import Stores
from gateway.execution.documents import Documents

if TYPE_CHECKING:
    from stripe import HTTPClient


@dataclass(frozen=True, slots=True)
class Outside:
    """Each part that is None is opened as the settings say.

    `schema` and `documents` belong together: many gateways in one process share what was parsed.
    """

    stores: Stores | None = None
    cache: BaseCache | None = None
    http_client: HTTPClient | None = None
    random: Callable[[], float] = chance
    schema: strawberry.Schema | None = None
    documents: Documents | None = None
