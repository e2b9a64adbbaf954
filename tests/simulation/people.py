"""Who decides what no gateway can: a person who looks at Stripe, and says what is so."""

from __future__ import annotations

from gateway.backends.guarded import AuditTrail
from gateway.backends.journal.open_writes import Resolving
from gateway.backends.journal.record_store import JournalStore
from gateway.backends.journal.records import State, WriteRecord
from schema.ports import AttachPayment, DetachPayment, Outcome
from tests.simulation.stripe_side import WatchedTwin


async def decided(journal: JournalStore, twin: WatchedTwin) -> bool:
    """Decide the undecidable steps of writes that have several, and say whether there were any: the
    rest of such a write waits for it. Others have nothing more to do, and are left."""
    resolving = Resolving(journal, AuditTrail(twin.now, lambda line: None))
    open_steps = [one for one in await resolving.open_writes() if one.whole is not None]
    undecidable = [one for one in open_steps if one.state is State.UNDECIDABLE]
    for record in undecidable:
        outcome = _what_is_so(record, twin)
        if outcome is None:
            await resolving.deny(record)
        else:
            await resolving.confirm(record, outcome)
    return bool(undecidable)


def _what_is_so(record: WriteRecord, twin: WatchedTwin) -> Outcome | None:
    """What has become of the payment; None where nothing was done."""
    command = record.command
    assert isinstance(command, AttachPayment | DetachPayment)
    kind = "attached" if isinstance(command, AttachPayment) else "detached"
    wanted = (kind, command.invoice_id, command.payment_intent_id)
    for effect in twin.history.effects:
        if (effect.kind, effect.invoice_id, effect.mark) == wanted:
            return command.outcome(effect.object_id, twin.invoice(effect.invoice_id).customer_id)
    return None
