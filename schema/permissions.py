"""The scope of a write, whose lack is data: an expected refusal."""

from __future__ import annotations

from schema.ports import RefusalCode, Refused, Viewer


def require_for_write(viewer: Viewer, scope: str) -> None:
    """Raises `Refused` FORBIDDEN, naming the scope."""
    if not viewer.may(scope):
        raise Refused(
            RefusalCode.FORBIDDEN,
            "scope_missing",
            f"this needs the scope {scope}, which this caller lacks",
        )
