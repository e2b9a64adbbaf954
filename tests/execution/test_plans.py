"""A compiled plan answers as graphql-core does, byte for byte, whatever is asked."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

import orjson
import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events.log import encode_position
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.plans.typed import RECORDS, declared
from gateway.sandbox.fixtures import demo_text, load, read_fixtures
from schema import records
from schema.cost import field_definition
from schema.fields import RecordField
from schema.ports import Viewer
from tests.events.entries import entry
from tests.execution.oracle import NUMBERED, OPERATOR, Odd, Oracle, ask
from tests.execution.rewriting import rewritten
from tests.support.documents import valid_queries
from tests.support.long_form import examples
from tests.support.running import SCHEMA
from tests.support.stage import Stage


def demo() -> Stage:
    """The demo's account, which has an object of every kind and state."""
    stage = Stage.empty()
    load(stage.twin, read_fixtures(demo_text()))
    stage.twin.charges.put(records.Charge("ch_old", created=1, currency="usd", amount=100))
    return stage


STAGE = demo()


def _ids() -> Iterable[str]:
    twin = STAGE.twin
    tables = (twin.invoices, twin.invoice_payments, twin.payment_intents, twin.credit_notes)
    for table in (*tables, twin.payment_records, twin.charges, twin.customers):
        yield from (one.id for one in table)


IDS = tuple(_ids())
CUSTOMERS = tuple(one.id for one in STAGE.twin.customers)
VIEWERS = (
    OPERATOR,
    Viewer("reader", scopes=frozenset({"invoices:read"})),
    Viewer("nobody", scopes=frozenset()),
    Viewer("ada", customers=frozenset(CUSTOMERS[:1])),
)


@settings(max_examples=examples(150))
@given(
    document=valid_queries(ids=IDS),
    viewer=st.sampled_from(VIEWERS),
    seed=st.one_of(st.none(), st.integers(0, 10**6)),
    spelling=st.integers(0, 10**6),
)
async def test_any_query_is_answered_as_graphql_core_answers_it(
    document: str, viewer: Viewer, seed: int | None, spelling: int
) -> None:
    """Every field of the schema, good and bad arguments, callers with and without rights, nested
    loads that have failed; and the same with fragments, aliases, directives and variables."""
    oracle = Oracle(STAGE)
    oracle.backend.seed = seed
    other = rewritten(document, SCHEMA._schema, spelling)

    planned, judged = await oracle.both(document, viewer)
    other_planned, other_judged = await oracle.both(other.text, viewer, **other.variables)

    assert planned == judged
    assert other_planned == other_judged
    assert set(oracle.fallbacks) <= {"introspection"}


def _shown(kind: str) -> str:
    """A query that shows all leaves and amounts of an object of this type."""
    definition = SCHEMA._schema.type_map[kind]
    assert isinstance(definition, GraphQLObjectType)
    fields = []
    for name, one in definition.fields.items():
        named = get_named_type(one.type)
        if not isinstance(field_definition(one), RecordField):
            continue
        if is_leaf_type(named):
            fields.append(name)
        elif named.name == "Money":
            fields.append(f"{name} {{ minorUnits currency }}")
    selection = " ".join(fields)
    if kind == "InvoiceLineItem":
        kind, selection = "Invoice", f"lines {{ nodes {{ {selection} }} }}"
    return f'{{ node(id: "{_first(RECORDS[kind])}") {{ ... on {kind} {{ {selection} }} }} }}'


def _first(kind: type[Any]) -> str:
    """The id of an object of the demo's, of an invoice that has lines."""
    if kind is records.Invoice:
        return next(iter(STAGE.twin.lines))
    return next(one for one in IDS if one.startswith(f"{kind.prefix}_"))


WRONG: dict[type, tuple[object, ...]] = {
    str: (7, True),
    bool: (1, "true"),
    int: (2**53, -(2**53), 2**64, "1", 1.5, True),
}
"""What a record must not hold in place of these."""


@pytest.mark.parametrize("kind", sorted(RECORDS))
async def test_a_record_with_anything_wrong_in_it_is_shown_as_graphql_core_shows_it(
    kind: str,
) -> None:
    """A plan looks at a record once and not at each of its leaves: nothing gets past that look, not
    even where the same record was good before."""
    oracle, document = Oracle(STAGE), _shown(kind)
    assert len(set(await oracle.both(document))) == 1
    assert oracle.fallbacks == []

    for field, (type_, is_nullable) in declared(kind).items():
        for value in (*WRONG[type_], *([] if is_nullable else [None])):
            oracle.backend.odd = Odd(RECORDS[kind], field, value)
            planned, judged = await oracle.both(document)

            assert planned == judged, (field, value)
            assert oracle.fallbacks.pop() == "surprise", (field, value)

        if is_nullable:
            oracle.backend.odd = Odd(RECORDS[kind], field, None)
            planned, judged = await oracle.both(document)

            assert planned == judged, field
            assert oracle.fallbacks == [], field


STRANGE = (
    '"',
    "\\",
    "\n",
    "\x00",
    "\x7f",
    "\u2028",
    "é€😀",
    "'''",
    "{r.id}",
    "{{",
    "</script>",
    "",
)


@pytest.mark.parametrize("kind", sorted(RECORDS))
async def test_whatever_texts_a_record_has_its_json_is_the_same(kind: str) -> None:
    """Also those that JSON has to escape, and those that look like generated code."""
    oracle, document = Oracle(STAGE), _shown(kind)

    for field, (type_, _) in declared(kind).items():
        for value in STRANGE if type_ is str else ():
            oracle.backend.odd = Odd(RECORDS[kind], field, value)
            planned, judged = await oracle.both(document)

            assert planned == judged, (field, value)

    assert oracle.fallbacks == []


async def test_a_large_answer_is_json_from_the_second_time_on() -> None:
    """The first time it is made of dictionaries, as code that is used once does not pay."""
    oracle, document = Oracle(STAGE), "{ invoices { nodes { id number } } }"
    request = OperationRequest(document)
    answers = []

    for _ in range(3):
        prepared = await oracle.planned.prepare(request, OPERATOR)
        assert not isinstance(prepared, Answer)
        answers.append(await oracle.planned.execute(prepared, request, OPERATOR, "req_test"))

    kinds = [type(one.body["data"]) for one in answers]
    assert kinds == [dict, orjson.Fragment, orjson.Fragment]
    assert len({orjson.dumps(one.body) for one in answers}) == 1


INVOICE = "id status number amountRemaining { minorUnits formatted } customer { id name }"
WRITES = f"""mutation ($id: ID!, $intent: ID!) {{
  on: attachPayment(input: {{
    invoiceId: $id, payment: {{paymentIntentId: $intent}}, idempotencyKey: "on"
  }}) {{ ...Attached }}
  wrong: attachPayment(input: {{
    invoiceId: "pi_1", payment: {{paymentIntentId: $intent}}, idempotencyKey: "wrong"
  }}) {{ ...Attached }}
  off: detachPayment(input: {{invoiceId: $id, paymentIntentId: $intent, idempotencyKey: "off"}}) {{
    __typename detachedInvoicePaymentId errors {{ code }} invoice {{ {INVOICE} }}
    paymentIntent {{ id status }} newDefaultPayment {{ id invoice {{ id }} }} }}
  again: detachPayment(input: {{
    invoiceId: $id, paymentIntentId: $intent, idempotencyKey: "again"
  }}) {{ errors {{ ...Refused }} }}
  note: createCreditNote(input: {{
    creditNote: {{invoiceId: $id, amountMinorUnits: 10}}, idempotencyKey: "note"
  }}) {{ errors {{ code }} creditNote {{ id amount {{ decimal }} }} invoice {{ {INVOICE} }} }}
}}
fragment Refused on PaymentError {{
  __typename code path message ... on StateProblem {{ invoice {{ {INVOICE} }} }}
}}
fragment Attached on AttachPaymentPayload {{
  replayed errors {{ code message path }} invoice {{ {INVOICE} }} invoicePayment {{ id status }}
}}"""


async def written(*, plans: bool, seed: int | None, odd: bool = False) -> tuple[bytes, Oracle]:
    """What the writes answer over an account of their own, the same each time."""
    oracle = Oracle()
    stage = oracle.stage
    invoice_id, intent_id = stage.open_invoice(1000), stage.succeeded(400)
    oracle.backend.seed, oracle.backend.odd = seed, NUMBERED if odd else None
    runner = oracle.planned if plans else oracle.judge
    return await ask(runner, WRITES, OPERATOR, {"id": invoice_id, "intent": intent_id}), oracle


@pytest.mark.parametrize("seed", [None, *range(20)])
async def test_mutations_are_answered_as_graphql_core_answers_them(seed: int | None) -> None:
    """Done, malformed and refused, with loads behind them that have failed."""
    planned, oracle = await written(plans=True, seed=seed)
    judged, _ = await written(plans=False, seed=seed)

    assert planned == judged
    assert oracle.fallbacks == []


async def test_a_write_that_no_plan_can_show_is_not_done_again() -> None:
    """graphql-core shows a number for a text as a text, which a plan leaves to it; what was written
    before it took over stays written once."""
    planned, oracle = await written(plans=True, seed=None, odd=True)
    judged, _ = await written(plans=False, seed=None, odd=True)

    assert planned == judged
    assert oracle.fallbacks == ["surprise"]
    assert b'"number":"7"' in planned
    assert len(list(oracle.stage.twin.credit_notes)) == 1


EVENTS = f"""subscription ($shown: Boolean!, $after: EventCursor) {{
  told: invoicePaymentEvents(after: $after) {{ __typename
  ... on InvoicePaymentEvent {{ cursor type rawType occurredAt invoiceId @include(if: $shown)
    invoice {{ {INVOICE} eventCursor payments {{ nodes {{ id }} pageInfo {{ endCursor }} }} }}
    invoicePayment {{ id }} paymentIntent {{ id }} }}
  ... on StreamCheckpoint {{ cursor live }} }} }}"""


SHOWN = ["StreamCheckpoint", "InvoicePaymentEvent"]


@pytest.mark.parametrize("odd", [False, True])
async def test_items_of_a_stream_are_shown_as_graphql_core_shows_them(odd: bool) -> None:
    """Also the one that a plan cannot show, and those after it."""
    oracle = Oracle()
    invoice_id = oracle.stage.open_invoice(1000)
    await oracle.log.append(entry(invoice_id=invoice_id))
    await oracle.feed.start()
    sent = {"shown": True, "after": encode_position("test", 0)}
    oracle.backend.odd = NUMBERED if odd else None
    told = []
    for runner in (oracle.planned, oracle.judge):
        request = OperationRequest(EVENTS, sent)
        prepared = await runner.prepare(request, OPERATOR)
        assert not isinstance(prepared, Answer)
        async with aclosing(runner.subscribe(prepared, request, OPERATOR, "req_test")) as items:
            told.append([(await anext(items)).body for _ in range(2)])

    assert told[0] == told[1]
    assert [one["data"]["told"]["__typename"] for one in told[0]] == SHOWN
    assert oracle.fallbacks == (["surprise"] if odd else [])


async def test_what_is_asked_for_once_in_a_while_keeps_no_plan_for_each_of_its_switches() -> None:
    """Six switches make 64 selections; 32 are kept, and the rest is answered all the same."""
    oracle = Oracle()
    names = [f"s{number}" for number in range(6)]
    fields = " ".join(f"f{name}: number @include(if: ${name})" for name in names)
    given = ", ".join(f"${name}: Boolean!" for name in names)
    document = (
        f'query ({given}) {{ invoice(id: "{oracle.stage.open_invoice()}") {{ id {fields} }} }}'
    )

    for bits in range(64):
        values = {name: bool(bits >> at & 1) for at, name in enumerate(names)}
        planned, judged = await oracle.both(document, **values)
        assert planned == judged

    assert oracle.fallbacks == ["variants"] * 32


async def test_a_document_that_would_take_long_to_plan_is_not_planned() -> None:
    """Making a plan takes milliseconds at most, whatever is sent."""
    oracle = Oracle()
    fields = "id number status createdAt customerName amountDue { minorUnits currency }"
    roots = " ".join(f'a{at}: invoice(id: "in_{at}") {{ {fields} }}' for at in range(90))

    planned, judged = await oracle.both(f"{{ {roots} }}")

    assert planned == judged
    assert oracle.fallbacks == ["size"]


async def test_plans_can_be_turned_off() -> None:
    """graphql-core then does everything, and nothing is counted as left to it."""
    oracle = Oracle()

    await ask(oracle.judge, "{ invoices { nodes { id } } }", OPERATOR, {})

    assert oracle.fallbacks == []
