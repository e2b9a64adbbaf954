"""Scopes, checked next to the field that they guard.

A missing scope is FORBIDDEN, and nothing else is: what belongs to someone else is NOT_FOUND.

"""

from __future__ import annotations

from schema.ports import ErrorCode, Failed, Viewer


def require(viewer: Viewer, scope: str) -> None:
    """Raises `Failed` FORBIDDEN, naming the scope."""
    if not viewer.may(scope):
        raise Failed(ErrorCode.FORBIDDEN, f"this needs the scope {scope}, which this caller lacks")
