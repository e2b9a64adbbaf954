"""What is told to be plainly valid is valid by all of graphql-core's rules."""

from __future__ import annotations

import random
import re

import pytest
from graphql import GraphQLError, parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.execution.documents import validation_rules
from gateway.execution.quick_validation import LOOKED_AT_MAX, REPEATS_MAX, QuickValidation
from tests.bench import world
from tests.bench.documents import values_spread_often
from tests.execution.rewriting import rewritten
from tests.support.documents import broken_queries, valid_mutations, valid_queries
from tests.support.long_form import examples
from tests.support.running import SCHEMA

QUICK = QuickValidation(SCHEMA._schema)
RULES = validation_rules(may_introspect=False)
NAME = re.compile(r"\$?[_A-Za-z][_0-9A-Za-z]*!?|\"[^\"\n]*\"|[0-9]+")
"""What may take another's place in a document."""


def is_right_about(text: str) -> bool:
    """Whether what it lets pass passes all rules."""
    document = parse(text)
    return not QUICK.is_good(document) or validate(SCHEMA._schema, document, RULES) == []


@settings(max_examples=examples(200))
@given(
    text=st.one_of(valid_queries(), valid_mutations(), broken_queries()),
    seed=st.integers(0, 10**6),
)
def test_nothing_passes_that_graphql_core_would_refuse(text: str, seed: int) -> None:
    """Made-up documents, good and broken; the same with fragments, directives, aliases and
    variables; and those with one word or value in place of another."""
    chance = random.Random(seed)
    other = rewritten(text, SCHEMA._schema, seed).text

    assert is_right_about(text)
    assert is_right_about(other)
    for _ in range(10):
        changed = with_one_word_changed(other, chance)
        try:
            assert is_right_about(changed), changed
        except GraphQLError:  # It cannot even be parsed.
            continue


def with_one_word_changed(text: str, chance: random.Random) -> str:
    words = [*NAME.finditer(text)]
    put_out, put_in = chance.choice(words), chance.choice(words)
    return text[: put_out.start()] + put_in[0] + text[put_out.end() :]


GOOD = {
    "a list": world.LIST,
    "one invoice": world.SINGLE,
    "several operations": 'query A { invoice(id: "in_1") { id } } query B { __typename }',
    "fragments in each other, each spread twice": "query ($id: ID!) { a: invoice(id: $id) { ...F } "
    "b: invoice(id: $id) { ...F ...G } } fragment F on Invoice { ...G number } "
    "fragment G on Invoice { id total { currency } }",
    "an interface and a union": "query ($id: ID!) { node(id: $id) { __typename id "
    "... on Invoice { total { decimal } } ... on InvoicePayment { source { __typename "
    "... on PaymentIntent { amount { currency } } ... on Charge { amount { decimal } } } } } }",
    "directives": "query ($id: ID!, $with: Boolean!) { invoice(id: $id) { id @include(if: $with) "
    "... @skip(if: true) { number } ...F @skip(if: $with) } } fragment F on Invoice { paidAt }",
    "the same field again": 'query ($id: ID!) { invoice(id: "in_1") { total { currency } '
    'total { formatted(locale: "de") } id id } invoice(id: "in_1") { number } '
    "x: invoice(id: $id) { id } x: invoice(id: $id) { id } }",
    "filters": "query ($from: DateTime, $status: InvoiceStatus = PAID) { invoices(first: 3, "
    'filter: {customerId: "cus_1", status: $status, created: {from: $from}}) { nodes { id } } '
    "invoice(id: 7) { payments(status: OPEN) { nodes { id } } } nodes(ids: [$status_id]) { id } }",
    "a mutation": "mutation ($key: String!, $intent: ID!) { attachPayment(input: {invoiceId: "
    '"in_1", payment: {paymentIntentId: $intent}, idempotencyKey: $key}) { errors { code '
    "... on StateProblem { invoice { id } } } } }",
    "a subscription": "subscription { invoicePaymentEvents(filter: {types: [PAID]}) { "
    "... on InvoicePaymentEvent { rawType invoice { id } } ... on StreamCheckpoint { cursor } } }",
}
GOOD["filters"] = GOOD["filters"].replace("[$status_id]", '["in_1"]')


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_what_frontends_send_is_told_at_once(text: str) -> None:
    """Else nothing would be won."""
    assert validate(SCHEMA._schema, parse(text), RULES) == []
    assert QUICK.is_good(parse(text))


INVOICE = '{ invoice(id: "in_1") { %s } }'
WRONG = {
    "definition of a type": "type A { a: Int } { __typename }",
    "two of one name": "query A { __typename } query A { __typename }",
    "one without a name among others": "{ __typename } query A { __typename }",
    "two root fields of a subscription": "subscription { a: invoicePaymentEvents { __typename } "
    "b: invoicePaymentEvents { __typename } }",
    "a subscription of nothing": "subscription { __typename }",
    "unknown field": INVOICE % "wrong",
    "field of another type": INVOICE % "amountReceived { currency }",
    "field of a union": '{ invoicePayment(id: "i") { source { id } } }',
    "selection of a leaf": INVOICE % "id { id }",
    "no selection of an object": INVOICE % "total",
    "unknown fragment": INVOICE % "...F",
    "unused fragment": INVOICE % "id" + " fragment F on Invoice { id }",
    "two fragments of one name": INVOICE % "...F" + " fragment F on Invoice { id }" * 2,
    "fragment of a leaf": INVOICE % "...F" + " fragment F on ID { id }",
    "fragment of an unknown type": INVOICE % "... on Wrong { id }",
    "fragment of another type": INVOICE % "... on Customer { id }",
    "spread of another type": INVOICE % "...F" + " fragment F on Customer { id }",
    "a circle": INVOICE % "...F" + " fragment F on Invoice { ...G } fragment G on Invoice { ...F }",
    "a circle through a field": INVOICE % "...F"
    + " fragment F on Invoice { customer { invoices { nodes { ...F } } } }",
    "two circles, begun in both": INVOICE % "...F ...G"
    + " fragment F on Invoice { ...G } fragment G on Invoice { ...F }",
    "two variables of one name": "query ($a: ID!, $a: ID!) { invoice(id: $a) { id } }",
    "undefined variable": "{ invoice(id: $a) { id } }",
    "undefined variable in a fragment of one of two": "query A($a: ID!) { ...F } query B { ...F } "
    "fragment F on Query { invoice(id: $a) { id } }",
    "unused variable": "query ($a: ID!) { __typename }",
    "variable of an output type": "query ($a: Invoice) { invoice(id: $a) { id } }",
    "variable of an unknown type": "query ($a: Wrong) { invoice(id: $a) { id } }",
    "variable of another type": "query ($a: String!) { invoice(id: $a) { id } }",
    "variable that may be null": "query ($a: ID) { invoice(id: $a) { id } }",
    "variable that is a list": "query ($a: [ID!]!) { invoice(id: $a) { id } }",
    "item that may be null": "query ($a: [ID]!) { nodes(ids: $a) { id } }",
    "default of another type": "query ($a: Int = true) { invoices(first: $a) { nodes { id } } }",
    "null as a default": "query ($a: ID! = null) { invoice(id: $a) { id } }",
    "unknown directive": INVOICE % "id @wrong",
    "directive twice": INVOICE % "id @skip(if: true) @skip(if: true)",
    "directive without its argument": INVOICE % "id @skip",
    "directive with another argument": INVOICE % "id @skip(if: true, wrong: 1)",
    "directive in the wrong place": "query @skip(if: true) { __typename }",
    "directive of a wrong value": INVOICE % "id @skip(if: 1)",
    "deferred": "{ ... @defer(label: 1) { __typename } }",
    "unknown argument": '{ invoice(id: "in_1", wrong: 1) { id } }',
    "argument twice": '{ invoice(id: "in_1", id: "in_1") { id } }',
    "argument left out": "{ invoice { id } }",
    "null for what may not be": "{ invoice(id: null) { id } }",
    "null in a list": "{ nodes(ids: [null]) { id } }",
    "null for a list": "{ nodes(ids: null) { id } }",
    "text for a number": '{ invoices(first: "1") { nodes { id } } }',
    "number beyond 32 bits": "{ invoices(first: 2147483648) { nodes { id } } }",
    "fraction": "{ invoices(first: 1.5) { nodes { id } } }",
    "unknown member": "{ invoices(filter: {status: WRONG}) { nodes { id } } }",
    "text for a member": '{ invoices(filter: {status: "PAID"}) { nodes { id } } }',
    "text for an input": '{ invoices(filter: "PAID") { nodes { id } } }',
    "unknown field of an input": "{ invoices(filter: {wrong: 1}) { nodes { id } } }",
    "field of an input twice": "{ invoices(filter: {due: {}, due: {}}) { nodes { id } } }",
    "field of an input left out": "{ creditNotePreview(input: {}) { type } }",
    "instant that is none": '{ invoices(filter: {created: {from: "x"}}) { nodes { id } } }',
    "two fields of one key": INVOICE % "a: id a: number",
    "two arguments of one key": '{ invoice(id: "in_1") { id } invoice(id: "in_2") { id } }',
    "two fields of one key below": '{ invoice(id: "in_1") { total { a: currency } '
    "... on Invoice { total { a: decimal } } } }",
    "two types of one key": '{ node(id: "i") { ... on Invoice { a: status } '
    "... on PaymentIntent { a: status } } }",
}
ONE_OF = (
    "mutation ($a: ID) { attachPayment(input: {invoiceId: 1, idempotencyKey: %s}) { replayed } }"
)
WRONG |= {
    name: (ONE_OF % f'"k", payment: {{{payment}}}').replace(
        "($a: ID)", "($a: ID)" if "$" in payment else ""
    )
    for name, payment in {
        "none of several": "",
        "two of several": 'paymentIntentId: "a", paymentRecordId: "b"',
        "null of several": "paymentIntentId: null",
        "of several what may be null": "paymentIntentId: $a",
        "of several what is undefined": "paymentIntentId: $b",
    }.items()
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_what_breaks_a_rule_is_left_to_graphql_core(text: str) -> None:
    """One document at least for each rule."""
    assert validate(SCHEMA._schema, parse(text), RULES) != []
    assert not QUICK.is_good(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema { types { name } } }",
        "{ " + "__typename " * (REPEATS_MAX + 2) + "}",
        '{ invoices(filter: {created: {from: "2026-01-01T00:00:00Z"}}) { nodes { id } } }',
        values_spread_often(1 + LOOKED_AT_MAX // 10, 10),
    ],
    ids=["introspection", "many equal fields", "a scalar of our own", "values spread often"],
)
def test_what_is_rare_is_left_to_graphql_core(text: str) -> None:
    """Its rules have ceilings and code of their own."""
    assert not QUICK.is_good(parse(text))
