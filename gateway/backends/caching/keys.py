"""Under which keys things are cached: mode, account, version of the shapes, object, list.

Objects are everybody's, because rights are checked wherever one is shown. Lists, and what is
hidden, are narrowed by the customers that a viewer may see. No key holds a secret.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gateway.backends.assembly import Ask
from gateway.backends.caching import codec
from schema.ports import BackendDescription, Viewer


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one deployment. Tokens have no version: a drop counts for all releases."""

    tokens: str
    values: str

    @classmethod
    def of(cls, description: BackendDescription, version: str = codec.VERSION) -> Keys:
        mode = "live" if description.livemode else "test"
        tokens = f"{mode}:{description.account}:"
        return cls(tokens, f"{tokens}{version}:")

    def held(self, viewer: Viewer, ask: Ask) -> str:
        """Where an object, a list or a computed value is kept."""
        if ask.need is None:
            return f"{self.values}o:{ask.kind}:{ask.id}"
        digest = _digest(f"{ask.need!r}{_customers(viewer)}")
        return f"{self.values}n:{ask.kind}:{ask.id}:{ask.need.name}:{digest}"

    def gone(self, viewer: Viewer, kind: str, record_id: str) -> str:
        """Where it is kept that the viewer finds no such object."""
        scope = "" if viewer.customers is None else _digest(_customers(viewer))
        return f"{self.values}x:{kind}:{record_id}:{scope}"


def _customers(viewer: Viewer) -> str:
    return "" if viewer.customers is None else f"|{sorted(viewer.customers)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
