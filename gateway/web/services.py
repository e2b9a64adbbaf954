"""What the endpoints of one process share, made once and handed to each of them whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.callers.registry import Callers
from gateway.settings import WebSettings
from gateway.web.authentication import Authenticator
from gateway.web.connections import Shutdown
from gateway.web.metrics import Metrics
from gateway.web.operations import Operations
from gateway.web.origins import Origins


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of every transport. `new_id` makes an id for one request."""

    settings: WebSettings
    authenticator: Authenticator
    operations: Operations
    origins: Origins
    callers: Callers
    shutdown: Shutdown
    metrics: Metrics
    new_id: Callable[[], str]
