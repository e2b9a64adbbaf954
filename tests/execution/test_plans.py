"""A compiled plan answers as graphql-core does, byte for byte, whatever is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import aclosing
from itertools import islice, product
from typing import Any

import orjson
import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events.log import encode_position
from gateway.execution.documents import Document, Documents
from gateway.execution.operation import Answer, OperationRequest
from gateway.execution.plans.plan import Plan
from gateway.execution.plans.plans import Plans
from gateway.execution.plans.source import Functions, Source
from gateway.execution.plans.typed import RECORDS, declared
from gateway.sandbox.fixtures import demo_text, load, read_fixtures
from gateway.settings import Limits
from schema import records
from schema.cost import field_definition
from schema.fields import RecordField
from schema.ports import Viewer
from tests.events.entries import entry
from tests.execution.oracle import NUMBERED, OPERATOR, ROOMY, Odd, Oracle, ask
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


@settings(max_examples=examples(40))
@given(
    documents=st.lists(valid_queries(ids=IDS), min_size=2, max_size=5),
    seed=st.one_of(st.none(), st.integers(0, 10**6)),
    spelling=st.integers(0, 10**6),
)
async def test_trusted_documents_are_answered_so_too_with_functions_that_they_share(
    documents: list[str], seed: int | None, spelling: int
) -> None:
    oracle = Oracle(STAGE)
    oracle.backend.seed = seed
    others = [rewritten(one, SCHEMA._schema, spelling) for one in documents]
    asked = [*[(one, {}) for one in documents], *[(one.text, one.variables) for one in others]]
    known = Documents(SCHEMA._schema, ROOMY)
    asked = [one for one in asked if isinstance(known.get(one[0], may_introspect=True), Document)]
    oracle.planned.trust({str(at): text for at, (text, _) in enumerate(asked)}, source="made up")

    for text, variables in asked:
        planned, judged = await oracle.both(text, **variables)

        assert planned == judged, text
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


SWITCHED = """query ($id: ID!, %s) { invoice(id: $id) { id %s } }"""


def switched(count: int) -> str:
    declared = ", ".join(f"$s{n}: Boolean!" for n in range(count))
    fields = " ".join(f"f{n}: number @include(if: $s{n})" for n in range(count))
    return SWITCHED % (declared, fields)


@pytest.mark.parametrize(("count", "at_start"), [(0, 1), (2, 4), (5, 32), (6, 0)])
async def test_a_trusted_document_is_planned_at_start_for_each_value_of_its_switches(
    count: int, at_start: int
) -> None:
    """But for those with more values than a document may have plans: each of them as it comes."""
    oracle = Oracle(STAGE)
    text = switched(count)
    oracle.planned.trust({"switched": text}, source="manifest.json")
    document = oracle.planned._documents.get(text, may_introspect=False)
    assert isinstance(document, Document)
    known = {id(one) for one in document.plans.values() if isinstance(one, Plan)}
    assert len(known) == at_start

    for values in islice(product((True, False), repeat=count), 16):
        switches = {f"s{n}": value for n, value in enumerate(values)}
        planned, judged = await oracle.both(text, id=IDS[0], **switches)
        assert planned == judged

    asked = {id(one) for one in document.plans.values() if isinstance(one, Plan)}
    assert asked == known or not at_start
    assert oracle.fallbacks == []


def test_equal_selections_of_trusted_documents_are_one_function() -> None:
    """They are compiled once, and the next document finds them warm."""
    plans = Plans(SCHEMA._schema)
    texts = [
        f'query {name} {{ invoice(id: "in_1") {{ {more} total {{ currency decimal }} }} }}'
        for name, more in (("A", "id"), ("B", "number"), ("C", "id"))
    ]
    made = []
    for text in texts:
        document = Documents(SCHEMA._schema, Limits()).get(text, may_introspect=True)
        assert isinstance(document, Document)
        plans.make(document)
        made += [one for one in document.plans.values() if isinstance(one, Plan)]

    first, second, third = ({*re.findall(r"def (\w+)", one.text)} for one in made)

    assert {name.partition("_")[0] for name in first & second} == {"Money"}
    assert first == third


FEW = """query ($id: ID!) {
  invoices(first: 1) { nodes { ...F } }
  invoice(id: $id) { ...F }
}
fragment F on Invoice {
  id createdAt status total { minorUnits currency } amountDue { formatted(locale: "de") }
  customer { name } payments(first: 3) { nodes { id amountPaid { minorUnits } } }
}"""
MORE = FEW.replace("first: 1", "first: 2").replace("first: 3", "first: 1").replace('"de"', '"en"')


async def test_trusted_documents_that_share_functions_answer_each_as_its_own() -> None:
    """Both forms are shared; what the documents are asked with is theirs."""
    oracle = Oracle(STAGE)
    oracle.planned.trust({"few": FEW, "more": MORE}, source="manifest.json")
    invoice_id = _first(records.Invoice)
    answers, forms = [], []

    for text in (FEW, MORE):
        planned, judged = await oracle.both(text, id=invoice_id)
        assert planned == judged
        answers.append(planned)
        document = oracle.planned._documents.get(text, may_introspect=True)
        assert isinstance(document, Document)
        [plan] = [one for one in document.plans.values() if isinstance(one, Plan)]
        assert plan._text is not None
        forms.append(plan._quick.roots + plan._text.roots)

    assert answers[0] != answers[1]
    assert forms[0] == forms[1]
    assert oracle.fallbacks == []


def test_functions_of_equal_code_that_name_different_objects_are_two() -> None:
    functions, objects = Functions(), ([1], [1])

    def made(named: object) -> Any:
        source = Source(10, functions)
        name = source.function("show", "", [f"return {functions.constant('object', named)}"])
        return source.made()[name]

    first, second, again = made(objects[0]), made(objects[1]), made(objects[0])

    assert first is again
    assert (first() is objects[0], second() is objects[1]) == (True, True)
