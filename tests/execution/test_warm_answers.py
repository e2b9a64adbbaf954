"""Answers that are kept: given again while nothing has changed, to those with the same rights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.backends.memory.backend import MemoryBackend
from gateway.events.feed import Feed
from gateway.events.log import LogEntry, MemoryEventLog
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.runner import GraphQLRunner
from gateway.settings import Limits
from schema.ports import Loaded, Meter, Needs, Viewer
from schema.root import make_schema
from tests.support.running import as_sent
from tests.support.stage import ACME, GLOBEX, Stage

OPERATOR = Viewer("operator")
INVOICE = "query One($id: ID!) { invoice(id: $id) { id status number payments { nodes { id } } } }"
BOTH = (
    "query One($id: ID!) { invoice(id: $id) { id } } query Two($id: ID!) { node(id: $id) { id } }"
)
WITH_CURSOR = "query ($id: ID!) { invoice(id: $id) { id eventCursor } }"
SECRET = "query ($id: ID!) { invoice(id: $id) { confirmationSecret { clientSecret } } }"
EVENTS = "{ invoicePaymentEvents(first: 5) { nodes { invoiceId } } }"


class Counted(MemoryBackend):
    """The memory backend, counting what it is asked for."""

    asked = 0

    def at_once(self, viewer: Viewer, needs: Needs, meter: Meter) -> Loaded[Any]:
        self.asked += 1
        return super().at_once(viewer, needs, meter)

    async def load(
        self, viewer: Viewer, needs: Needs, meter: Meter, known: object = None
    ) -> Loaded[Any]:
        self.asked += 1
        return await super().load(viewer, needs, meter, known)


class Kept:
    """A runner that keeps its answers, and the two ways to ask it."""

    def __init__(self, *, at_once: bool) -> None:
        self.stage = Stage.empty()
        self.backend = Counted(self.stage.twin)
        self.log = MemoryEventLog("test")
        self.feed = Feed(self.log)
        self.runner = GraphQLRunner(
            make_schema(), self.backend, self.backend, self.feed, limits=Limits()
        )
        self.is_at_once = at_once

    async def ask(
        self, query: str, viewer: Viewer = OPERATOR, name: str | None = None, **variables: Any
    ) -> dict[str, Any]:
        request = OperationRequest(query, variables, name)
        if self.is_at_once and (answer := self.runner.at_once(request, viewer, "req")):
            return as_sent(answer)
        prepared = await self.runner.prepare(request, viewer)
        if isinstance(prepared, Answer):
            return prepared.body
        return as_sent(await self.runner.execute(prepared, request, viewer, "req"))

    async def asked_by(self, query: str, viewer: Viewer = OPERATOR, **variables: Any) -> int:
        """How often the source was asked for this operation."""
        before = self.backend.asked
        await self.ask(query, viewer, **variables)
        return self.backend.asked - before


@pytest.fixture(params=[False, True], ids=["in time", "at once"])
def kept(request: pytest.FixtureRequest) -> Kept:
    return Kept(at_once=request.param)


async def test_nothing_is_asked_for_while_nothing_has_changed(kept: Kept) -> None:
    invoice_id, _ = kept.stage.paid_by(100)
    first = await kept.ask(INVOICE, id=invoice_id)

    assert await kept.asked_by(INVOICE, id=invoice_id) == 0
    assert await kept.ask(INVOICE, id=invoice_id) == first
    assert first["data"]["invoice"]["status"] == "PAID"


async def test_after_a_change_the_answer_is_another(kept: Kept) -> None:
    invoice_id, _ = kept.stage.paid_by(100)
    before = await kept.ask(INVOICE, id=invoice_id)

    kept.stage.twin.invoices.put(replace(kept.stage.twin.invoice(invoice_id), number="NEW-1"))
    after = await kept.ask(INVOICE, id=invoice_id)

    assert before["data"]["invoice"]["number"] != "NEW-1"
    assert after["data"]["invoice"]["number"] == "NEW-1"


async def test_other_variables_and_another_operation_have_answers_of_their_own(kept: Kept) -> None:
    (one, _), (other, _) = kept.stage.paid_by(100), kept.stage.paid_by(200)
    await kept.ask(BOTH, name="One", id=one)

    second = await kept.ask(BOTH, name="One", id=other)
    node = await kept.ask(BOTH, name="Two", id=one)

    assert second["data"] == {"invoice": {"id": other}}
    assert node["data"] == {"node": {"id": one}}


@pytest.mark.parametrize(
    ("viewer", "code"),
    [
        (replace(OPERATOR, customers=frozenset({GLOBEX})), "NOT_FOUND"),
        (replace(OPERATOR, scopes=frozenset({"events:read"})), "FORBIDDEN"),
    ],
)
async def test_what_was_shown_to_one_is_not_shown_to_who_may_less(
    kept: Kept, viewer: Viewer, code: str
) -> None:
    invoice_id, _ = kept.stage.paid_by(100, customer_id=ACME)
    await kept.ask(INVOICE, id=invoice_id)
    await kept.ask(INVOICE, id=invoice_id)

    refused = await kept.ask(INVOICE, viewer, id=invoice_id)

    assert [error["extensions"]["code"] for error in refused["errors"]] == [code]


async def test_an_answer_with_an_error_is_not_kept(kept: Kept) -> None:
    assert await kept.asked_by(INVOICE, id="in_unknown") > 0
    assert await kept.asked_by(INVOICE, id="in_unknown") > 0


async def test_a_secret_is_not_kept(kept: Kept) -> None:
    invoice_id = kept.stage.open_invoice()

    for _ in range(3):
        assert await kept.asked_by(SECRET, id=invoice_id) > 0


def entry(invoice_id: str) -> LogEntry:
    return LogEntry(
        type="INVOICE_CHANGED",
        raw_type="invoice.updated",
        origin="WEBHOOK",
        occurred_at=1,
        account="test",
        livemode=False,
        invoice_id=invoice_id,
        customer_id=None,
    )


async def test_the_cursor_is_that_of_now(kept: Kept) -> None:
    """An event about something else moves it, and the rest of the answer is kept."""
    invoice_id, _ = kept.stage.paid_by(100)
    first = await kept.ask(WITH_CURSOR, id=invoice_id)

    placed = await kept.log.append(entry("in_other"))
    assert placed is not None
    kept.feed.publish(placed)
    before = kept.backend.asked
    second = await kept.ask(WITH_CURSOR, id=invoice_id)

    assert kept.backend.asked == before
    assert first["data"]["invoice"]["eventCursor"] != second["data"]["invoice"]["eventCursor"]
    assert second["data"]["invoice"]["eventCursor"] == kept.feed.position()


async def test_the_log_is_read_anew(kept: Kept) -> None:
    for number in range(3):
        placed = await kept.log.append(entry(f"in_{number}"))
        assert placed is not None
        kept.feed.publish(placed)

        page = (await kept.ask(EVENTS))["data"]["invoicePaymentEvents"]

        assert [one["invoiceId"] for one in page["nodes"]] == [
            f"in_{at}" for at in range(number + 1)
        ]
