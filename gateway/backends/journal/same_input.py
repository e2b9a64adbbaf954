"""Which inputs mean the same, so that a repeat in other words is still a repeat.

Compared is what the record keeps of its command, and not a hash of how it was written: so a release
that writes commands otherwise, or knows one more field of them, refuses nobody's repeat.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from gateway.backends.journal.records import WriteRecord
from schema.ports import AttachPayment, Command, CreateCreditNote, OutOfBandPayment


def is_same_input(known: WriteRecord, new: WriteRecord) -> bool:
    """Whether both ask for the same write."""
    return known.input_hash == new.input_hash or meaning(known.command) == meaning(new.command)


def meaning(command: Command) -> Command:
    """The command without its key, in the one form that all with its meaning have.

    Metadata are a mapping: their order means nothing, and an empty value sets nothing. An empty
    text is none, and so is a part of nothing. Text is compared as it is, since Stripe keeps it so.
    """
    plain = replace(command, idempotency_key="")
    if isinstance(plain, CreateCreditNote):
        draft = plain.draft
        return replace(
            plain,
            draft=replace(
                draft,
                memo=draft.memo or None,
                refund=draft.refund or None,
                credit=draft.credit or None,
                out_of_band=draft.out_of_band or None,
            ),
        )
    if isinstance(plain, AttachPayment) and plain.out_of_band is not None:
        return replace(plain, out_of_band=_facts(plain.out_of_band))
    return plain


def _facts(facts: OutOfBandPayment) -> OutOfBandPayment:
    entries = sorted((key, value) for key, value in dict(facts.metadata).items() if value)
    return replace(facts, reference=facts.reference or None, metadata=tuple(entries))


def input_hash(command: Command) -> str:
    """The input as it is written, without its key. Replicas of the releases before know a repeat
    by it alone, so it stays as it was."""
    return hashlib.sha256(repr(replace(command, idempotency_key="")).encode()).hexdigest()
