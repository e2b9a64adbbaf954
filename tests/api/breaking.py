"""What a client of the last release would break on, and how the changelog announces it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from graphql import GraphQLSchema, find_breaking_changes

COORDINATE = re.compile(r"@?\w+(?:\.\w+)?(?:\(\w+:\))?")
ANNOUNCED = r"`{coordinate}`[^\n]*deprecated (\d{{4}}-\d\d-\d\d), removed (\d{{4}}-\d\d-\d\d)"
NOTICE = datetime.timedelta(days=180)
"""How long what goes is deprecated before."""


def unannounced(released: GraphQLSchema, current: GraphQLSchema, changelog: str) -> Iterator[str]:
    """The breaking changes that the changelog does not announce in time."""
    for change in find_breaking_changes(released, current):
        coordinate = _coordinate(change.description, {*released.type_map, *current.type_map})
        pattern = ANNOUNCED.format(coordinate=re.escape(coordinate))
        told = re.search(pattern, changelog)
        if told is None:
            yield f"{change.description} ({coordinate})"
            continue
        deprecated, removed = (datetime.date.fromisoformat(one) for one in told.groups())
        if removed - deprecated < NOTICE:
            yield f"{change.description} The notice is shorter than {NOTICE.days} days."


def _coordinate(description: str, types: set[str]) -> str:
    """What has changed, as the changelog names it: a type, `Type.field`, a field's argument."""
    words = COORDINATE.findall(description)
    return next(one for one in words if "." in one or one.startswith("@") or one in types)
