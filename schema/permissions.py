"""Scopes, checked next to the field that they guard.

A missing scope is FORBIDDEN, and nothing else is: what belongs to someone else is NOT_FOUND.
Reads raise; writes refuse with a payload, because an expected refusal is data.
"""

from __future__ import annotations

from schema.ports import ErrorCode, Failed, RefusalCode, Refused, Viewer


def require(viewer: Viewer, scope: str) -> None:
    """Raises `Failed` FORBIDDEN, naming the scope."""
    if not viewer.may(scope):
        raise Failed(ErrorCode.FORBIDDEN, f"this needs the scope {scope}, which this caller lacks")


def require_for_write(viewer: Viewer, scope: str) -> None:
    """Raises `Refused` FORBIDDEN, naming the scope."""
    if not viewer.may(scope):
        raise Refused(
            RefusalCode.FORBIDDEN,
            "scope_missing",
            f"this needs the scope {scope}, which this caller lacks",
        )
