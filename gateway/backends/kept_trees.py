"""Loaded trees, kept for as long as all that they were made of is so.

A tree is found by whose eyes it was loaded for and by the needs themselves, so that only needs that
last find it again. It is never changed: whoever gets it gets a root of their own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from schema.ports import ROOT, Basis, Loaded, Need, Needs, Root, Viewer

OBJECTS_MAX = 20_000
"""Of all kept trees together; one takes 400 bytes, besides its record."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """The needs stay with the tree, as others could get their place in memory."""

    children: dict[Need, Any]
    basis: Basis
    needs: Needs
    objects: int


class KeptTrees:
    """One for a source of trees."""

    def __init__(self, *, objects_max: int = OBJECTS_MAX) -> None:
        self._objects_max = objects_max
        self._objects = 0
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def get(self, viewer: Viewer, needs: Needs) -> Root | None:
        """A tree that was kept for these needs. Whether its basis holds has to be asked."""
        found = self._kept.get(key := _key(viewer, needs))
        if found is None:
            return None
        self._kept.move_to_end(key)
        return Root(None, dict(found.children), found.basis)

    def keep(
        self, viewer: Viewer, needs: Needs, tree: Loaded[Any], basis: Basis, objects: int
    ) -> None:
        """Keep a tree of so many objects, unless its needs will not come again."""
        if not all(deeper.is_lasting for deeper in needs.of(ROOT).values()):
            return
        if objects > self._objects_max:
            return
        key = _key(viewer, needs)
        self._forget(key)
        self._kept[key] = _Kept(dict(tree.children), basis, needs, objects)
        self._objects += objects
        while self._objects > self._objects_max:
            self._forget(next(iter(self._kept)))

    def forget(self, viewer: Viewer, needs: Needs) -> None:
        """Its basis holds no longer."""
        self._forget(_key(viewer, needs))

    def _forget(self, key: Hashable) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._objects -= found.objects


def _key(viewer: Viewer, needs: Needs) -> Hashable:
    roots = needs.of(ROOT).items()
    return (viewer.customers, viewer.scopes, *[(need, id(deeper)) for need, deeper in roots])
