"""The outermost backend: whether a caller may write at all, now, and the trail of what it tried.

It stands before the journal, so that what is refused here leaves no record and no key behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from gateway.backends.audit_trail import AuditTrail
from schema.permissions import require_for_write
from schema.ports import (
    Attached,
    AttachPayment,
    BackendDescription,
    CreateCreditNote,
    CreditNoteCreated,
    Detached,
    DetachPayment,
    InvoiceBackend,
    Loaded,
    Needs,
    RefusalCode,
    Refused,
    Viewer,
    meter,
)

_Outcome = TypeVar("_Outcome")


class GuardedBackend:
    """See `schema.ports.InvoiceBackend`; reads pass through. `is_read_only` may change its mind
    at any time; writes under way go on."""

    def __init__(
        self, inner: InvoiceBackend, trail: AuditTrail, is_read_only: Callable[[], bool]
    ) -> None:
        self._inner = inner
        self._trail = trail
        self._is_read_only = is_read_only

    def describe(self) -> BackendDescription:
        return self._inner.describe()

    async def load(self, viewer: Viewer, needs: Needs) -> Loaded[Any]:
        return await self._inner.load(viewer, needs)

    async def attach_payment(self, viewer: Viewer, command: AttachPayment) -> Attached:
        return await self._write(
            viewer, "attach", "payments:write", command, self._inner.attach_payment
        )

    async def detach_payment(self, viewer: Viewer, command: DetachPayment) -> Detached:
        return await self._write(
            viewer, "detach", "payments:write", command, self._inner.detach_payment
        )

    async def create_credit_note(
        self, viewer: Viewer, command: CreateCreditNote
    ) -> CreditNoteCreated:
        return await self._write(
            viewer, "credit_note", "credit_notes:write", command, self._inner.create_credit_note
        )

    async def close(self) -> None:
        await self._inner.close()

    async def _write(
        self,
        viewer: Viewer,
        operation: str,
        scope: str,
        command: Any,
        send: Callable[[Viewer, Any], Awaitable[_Outcome]],
    ) -> _Outcome:
        used = meter()
        before = len(used.stripe_request_ids)
        outcome: Any = None
        try:
            require_for_write(viewer, scope)
            if self._is_read_only():
                raise _read_only()
            outcome = await send(viewer, command)
        except BaseException as failure:
            outcome = failure
            raise
        finally:
            self._trail.record(
                tenant=viewer.tenant,
                caller=viewer.caller,
                operation=operation,
                command=command,
                outcome=outcome,
                meter=used,
                requests_before=before,
            )
        return outcome  # type: ignore[no-any-return]


def _read_only() -> Refused:
    return Refused(
        RefusalCode.READ_ONLY,
        "read_only",
        "the gateway takes no writes at the moment: repeat this with the same idempotencyKey later",
        retryable=True,
    )
