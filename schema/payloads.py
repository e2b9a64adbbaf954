"""What a mutation answers: the objects as they are after the write, or why nothing was done.

A refusal is data: an entry of `errors`, typed and with a code. A malformed input is a broken call
and a GraphQL error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import get_named_type
from strawberry.types.field import StrawberryField

from schema.context import Context, LinkedObjects, field_needs
from schema.cost import Cost
from schema.fields import linked, plain
from schema.invoice import Invoice
from schema.ports import (
    Command,
    Loaded,
    Needs,
    Outcome,
    Reallocated,
    RefusalCode,
    Refused,
    Why,
)

WRITE_COST = 10

STATE_CODES = frozenset(
    {
        RefusalCode.STALE_PRECONDITION,
        RefusalCode.INVOICE_NOT_FINALIZED,
        RefusalCode.INVOICE_NOT_OPEN,
        RefusalCode.PAYMENT_ALREADY_ATTACHED,
        RefusalCode.PAYMENT_NOT_ATTACHED,
        RefusalCode.PAYMENT_IS_DEFAULT,
        RefusalCode.PAYMENT_INTENT_WRONG_STATE,
        RefusalCode.AMOUNT_TOO_LARGE,
    }
)
"""What the present state of the invoice explains."""


def problem_type(code: RefusalCode) -> str:
    """The GraphQL type that a refusal with this code is shown as."""
    if code in STATE_CODES:
        return "StateProblem"
    return "UpstreamProblem" if code.value.startswith("UPSTREAM_") else "InputProblem"


@strawberry.interface(
    description="A refusal that the caller can act on. `path` points into the input."
)
class PaymentError:
    code: RefusalCode = plain("The rule that was broken.")
    message: str = plain("What was wrong and what would be right.")
    path: list[str] | None = plain("Where in the input; null when no single field is at fault.")


@strawberry.type(description="What was sent cannot be accepted as it is.")
class InputProblem(PaymentError):
    pass


@strawberry.type(description="Stripe refused, or could not be reached.")
class UpstreamProblem(PaymentError):
    stripe_code: str | None = plain("Stripe's error code; null where it gave none.")
    stripe_request_id: str | None = plain("For Stripe's support; null where there was no answer.")
    doc_url: str | None = plain("Stripe's page on the code.")
    retryable: bool = plain("True: repeat with the SAME idempotencyKey.")
    retry_after_seconds: int | None = plain(
        "How long to wait before that; null where nothing is known."
    )


@strawberry.type(description="The invoice or the payment is not in a state that allows it.")
class StateProblem(PaymentError):
    invoice: Invoice | None = linked(
        "What it really is now, so the UI can refresh without a second query."
    )


ERRORS = "Why nothing was done; empty on success."
REPLAYED = (
    "True when an earlier call with the same key already had this outcome; the objects are as "
    "they are now."
)


@dataclass(frozen=True, slots=True)
class Payload:
    """What stands behind every payload: the outcome, or the refusal."""

    done: Outcome | None = None
    errors: tuple[Loaded[Refused], ...] = ()

    @property
    def replayed(self) -> bool:
        return self.done is not None and self.done.replayed


class WriteField(StrawberryField):
    """Does the command that is made of the input, and reads what the payload asks for."""

    command: Callable[..., Command]

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self(self.command)  # Its argument is the field's.

    def get_result(self, source: object, info: Any, args: object, kwargs: dict[str, Any]) -> Any:
        """What was done already, by a plan that could not show it, is not done again."""
        raw, context = info._raw_info, info.context
        if raw.path.key in context.done:
            return context.done[raw.path.key]
        return self.answer(context, field_needs(info), get_named_type(raw.return_type).name, kwargs)

    async def answer(
        self, context: Context, wanted: Needs, payload: str, arguments: dict[str, Any]
    ) -> Loaded[Payload]:
        """Do the command, and load what the payload type of this name is asked for. Raises
        `Failed` for malformed input."""
        command = self.command(**arguments)
        objects = LinkedObjects(wanted.of(payload))
        try:
            done = await context.write(command)
        except Refused as refused:
            error = await _explained(context, refused, wanted)
            return Loaded(Payload(errors=(error,)), dict.fromkeys(objects.links))
        root = await context.load(objects.needs([done]), after=done)
        errors: tuple[Loaded[Refused], ...] = ()
        if isinstance(done, Reallocated) and done.why is not None:
            errors = (await _explained(context, refused_for(done.why), wanted),)
        return Loaded(Payload(done, errors), objects.shown(done, root).children)


def refused_for(why: Why) -> Refused:
    """The refusal that is part of an outcome, as it was met."""
    return Refused(
        RefusalCode(why.code),
        why.rule,
        why.message,
        invoice_id=why.invoice_id,
        stripe_code=why.stripe_code,
        stripe_request_id=why.stripe_request_id,
        doc_url=why.doc_url,
    )


def written(description: str, command: Callable[..., Command]) -> Any:
    """A mutation: its input is the argument of `command`, its payload shows the outcome's ids."""
    made = WriteField(description=description, directives=[Cost(weight=str(WRITE_COST))])
    made.command = command
    return made


async def _explained(context: Context, refused: Refused, wanted: Needs) -> Loaded[Refused]:
    """The refusal, with the state behind it where that is asked for."""
    objects = LinkedObjects(wanted.of("StateProblem") if refused.code in STATE_CODES else {})
    needs = objects.needs([refused])
    root = await context.load(needs) if needs.by_type else Loaded(None)
    return objects.shown(refused, root)
