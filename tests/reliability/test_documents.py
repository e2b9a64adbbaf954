"""Hostile documents: refused before anything is executed, in few and short words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.callers.desk import Desk
from tests.reliability.public import (
    CI,
    GRAPHQL_JSON,
    INVOICE,
    Public,
    assert_polite,
    assert_refused,
    standing,
)
from tests.support.stage import ACME

TOO_COMPLEX = "QUERY_TOO_COMPLEX"
INVALID = "GRAPHQL_VALIDATION_FAILED"
BAD_INPUT = "BAD_USER_INPUT"


def aliases(count: int) -> str:
    return " ".join(f'a{i}: invoice(id: "in_{i}") {{ id }}' for i in range(count))


def fragments_of_aliases(count: int, each: int) -> str:
    """A few aliases in each fragment, all fragments in one operation."""
    spreads = " ".join(f"...F{i}" for i in range(count))
    fragments = " ".join(
        f"fragment F{i} on Query {{ " + " ".join(f"f{i}a{j}: __typename" for j in range(each)) + "}"
        for i in range(count)
    )
    return f"{{ {spreads} }} {fragments}"


ALIASES = {
    "101": f"{{ {aliases(101)} }}",
    "1000": f"{{ {aliases(1000)} }}",
    "101 of nothing": "{ " + " ".join(f"a{i}: __typename" for i in range(101)) + " }",
    "30 in fragments": fragments_of_aliases(10, 3),
    "16 by one fragment spread twice": (
        "{ invoice(id: 1) { a: customer { ...F } b: customer { ...F } } } "
        "fragment F on Customer { c: id d: id e: id f: id g: id h: id i: id }"
    ),
}


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL_JSON, 400), ("application/json", 200)])
@pytest.mark.parametrize("document", ALIASES.values(), ids=ALIASES)
async def test_too_many_aliases_are_refused_in_one_error_and_nothing_is_executed(
    public: Public, document: str, accept: str, status: int
) -> None:
    """Also spread over fragments; the status is the one that each media type asks for."""
    told = await public.ask(document, Accept=accept)

    assert_refused(told, status, TOO_COMPLEX)
    assert len(told.errors) == 1
    assert public.calls == []


ONE = {"query": INVOICE}
BATCHES: dict[str, list[Any]] = {
    "of 10": [ONE] * 10,
    "of 100": [ONE] * 100,
    "empty": [],
    "of one and null": [1, None],
    "of one": [ONE],
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
async def test_array_batch_is_refused_with_400_and_nothing_is_executed(
    public: Public, batch: list[Any]
) -> None:
    """It would be a way around every limit that counts requests."""
    told = await public.send(json.dumps(batch))

    assert_refused(told, 400, BAD_INPUT)
    assert "atching is off" in told.errors[0]["message"]
    assert public.calls == []


OVERLOADED = {
    "500 equal fields": ("{ " + 'invoice(id: "in_1") { id } ' * 500 + "}", TOO_COMPLEX),
    "5000 equal fields": ("{ " + "__typename " * 5000 + "}", TOO_COMPLEX),
    "500 equal fields of nothing": ("{ " + "__typename " * 500 + "}", TOO_COMPLEX),
    "500 equal fields below": ("{ gateway { " + "version " * 500 + "} }", TOO_COMPLEX),
    "1000 directives": ("{ __typename " + "@skip(if: false) " * 1000 + "}", TOO_COMPLEX),
    "11 directives in one place": (
        "{ __typename " + "@include(if: true) " * 11 + "}",
        TOO_COMPLEX,
    ),
    "10 unknown directives": ("{ __typename " + "@aa" * 10 + " }", INVALID),
    "400 wrong fields": ("{ " + " ".join(f"wrong{i}" for i in range(400)) + " }", TOO_COMPLEX),
    "20 wrong fields": ("{ " + " ".join(f"wrong{i}" for i in range(20)) + " }", INVALID),
    "a field name of 90 kB": ("{ " + "x" * 90_000 + " }", INVALID),
    "an operation of 90 kB that is not there": (
        "query " + "x" * 45_000 + "{ __typename } query " + "y" * 45_000 + "{ __typename }",
        INVALID,
    ),
    "a string of 90 kB where none belongs": (
        "query ($n: Int = 1) { invoices(first: $n, after: 1) { nodes { id } } }".replace(
            "= 1", '= "' + "x" * 90_000 + '"'
        ),
        INVALID,
    ),
    "a type of 90 kB": ("query ($n: " + "T" * 90_000 + ") { __typename }", INVALID),
    "a token of 90 kB": ("{ a(b: " + "9" * 90_000 + "x) }", "GRAPHQL_PARSE_FAILED"),
}


@pytest.mark.parametrize(("document", "code"), OVERLOADED.values(), ids=OVERLOADED)
async def test_overloaded_document_is_refused_with_few_and_short_errors(
    public: Public, document: str, code: str
) -> None:
    """At most 5 errors of 300 characters, however much there would be to say."""
    told = await public.ask(document)

    assert_refused(told, 400, code)
    assert len(told.text) < 3_000
    assert public.calls == []


DEEP = {
    "fields 90 deep": (
        "{ invoice(id: 1)" + "{ customer { invoices { nodes " * 30 + "{ id }" + "}}}" * 30 + "}",
        TOO_COMPLEX,
    ),
    "fields 2000 deep": ("{ a " * 2000 + "}" * 2000, TOO_COMPLEX),
    "5000 lists in an argument": (
        "{ nodes(ids: " + "[" * 5000 + "]" * 5000 + ") { id } }",
        TOO_COMPLEX,
    ),
    "11 lists in an argument": ("{ nodes(ids: " + "[" * 11 + "]" * 11 + ") { id } }", TOO_COMPLEX),
    "99,000 braces": ("{" * 99_000, "GRAPHQL_PARSE_FAILED"),
    "a type wrapped 400 times": (
        "query ($n: " + "[" * 400 + "ID" + "]" * 400 + ") { __typename }",
        TOO_COMPLEX,
    ),
}


@pytest.mark.parametrize(("document", "code"), DEEP.values(), ids=DEEP)
async def test_nesting_is_refused_and_never_a_recursion_error(
    public: Public, document: str, code: str
) -> None:
    """The stack of Python is no limit to be found by trying."""
    told = await public.ask(document)

    assert_refused(told, 400, code)
    assert public.calls == []


async def test_deeply_nested_variables_are_refused(public: Public) -> None:
    """What the document may not nest, its variables may not either."""
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    told = await public.ask(query, {"ids": deep})

    assert_refused(told, 400, TOO_COMPLEX)
    assert public.calls == []


CIRCLES = {
    "of itself": "{ ...A } fragment A on Query { ...A }",
    "of two": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "below a field": (
        '{ invoice(id: "in_1") { ...A } } fragment A on Invoice { customer { invoices { nodes '
        "{ ...A } } } }"
    ),
    "nobody spreads": "{ __typename } fragment A on Query { ...A }",
}


@pytest.mark.parametrize("document", CIRCLES.values(), ids=CIRCLES)
async def test_circular_fragment_is_a_validation_error(public: Public, document: str) -> None:
    """Followed, it would never end."""
    told = await public.ask(document)

    assert_refused(told, 400, INVALID)
    assert public.calls == []


async def test_fragments_that_fan_out_to_4_million_fields_are_refused(public: Public) -> None:
    """22 fragments, each spread twice by the one before: 700 bytes, and 2^22 fields."""
    chain = " ".join(f"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }}" for i in range(22))
    document = "{ ...F0 } " + chain + ' fragment F22 on Query { invoice(id: "in_1") { id } }'

    told = await public.ask(document)

    assert_refused(told, 400, TOO_COMPLEX)
    assert public.calls == []


CIRCULAR_INTROSPECTION = (
    "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
)


async def test_circular_introspection_is_refused_even_to_who_may_introspect(
    public: Public,
) -> None:
    """The schema refers to itself, so a few levels make millions of objects."""
    told = await public.ask(CIRCULAR_INTROSPECTION, token=CI)

    assert_refused(told, 400, INVALID)


MANY = {
    "1000 operations": " ".join(f"query Q{i} {{ __typename }}" for i in range(1000)),
    "1000 fragments": "{ __typename } " + "fragment F on Query { __typename } " * 1000,
    "49,000 tokens": "{" + " a" * 49_000 + "}",
}


@pytest.mark.parametrize("document", MANY.values(), ids=MANY)
async def test_more_tokens_than_a_document_needs_are_refused_by_the_parser(
    public: Public, document: str
) -> None:
    """Before a tree is made of them."""
    told = await public.ask(document)

    assert_refused(told, 400, TOO_COMPLEX)
    assert "tokens" in told.errors[0]["message"]


async def test_document_of_a_megabyte_is_refused_unread(public: Public) -> None:
    """413 by its length alone."""
    told = await public.ask("{ __typename } #" + "x" * 1_000_000)

    assert_refused(told, 413, BAD_INPUT)


@pytest.mark.parametrize("page", ["first: 1000000000", "first: 101", "first: 0", "last: -1"])
async def test_page_beyond_100_is_bad_input_and_never_fetched(public: Public, page: str) -> None:
    """What the schema says of `first` is held, not cut down in silence."""
    query = f'{{ invoices({page}, filter: {{customerId: "{ACME}"}}) {{ nodes {{ id }} }} }}'

    told = await public.ask(query)

    assert told.codes == [BAD_INPUT]
    assert public.calls == []
    assert_polite(told)


FAN_OUT = """query ($customer: ID, $n: Int) { invoices(first: $n, filter: {customerId: $customer}) {
  nodes { payments(first: $n) { nodes { paymentIntent { id status } } } } } }"""


async def test_cost_multiplies_by_first_and_refuses_before_the_first_call(public: Public) -> None:
    """100 invoices with 100 payments each are 10,000 objects, in a short document."""
    told = await public.ask(FAN_OUT, {"customer": ACME, "n": 100})

    assert_refused(told, 400, TOO_COMPLEX)
    assert "objects" in told.errors[0]["message"]
    assert public.calls == []


async def test_fan_out_is_loaded_with_as_few_calls_as_stripe_allows(public: Public) -> None:
    """Five invoices, their payments and intents: not one call for each."""
    for _ in range(5):
        public.stage.paid_by(600, 400)

    told = await public.ask(FAN_OUT, {"customer": ACME, "n": 10})

    nodes = told.data["invoices"]["nodes"]
    payments = [one for node in nodes for one in node["payments"]["nodes"]]
    assert (len(nodes), len(payments)) == (5, 15)
    assert all(one["paymentIntent"]["status"] for one in payments)
    assert len(public.calls) <= 6


async def test_calls_beyond_the_cap_are_nulls_with_their_code(desk: Desk) -> None:
    """The cap on upstream calls is met at run time; what was fetched stands."""
    async with standing(desk, upstream_calls_max=1) as public:
        first, second = (public.stage.paid_by(1000)[0] for _ in range(2))
        query = "query ($a: ID!, $b: ID!) { a: invoice(id: $a) { id } b: invoice(id: $b) { id } }"

        told = await public.ask(query, {"a": first, "b": second})
        calls = public.calls

    assert told.body["data"] == {"a": {"id": first}, "b": None}
    assert told.codes == ["UPSTREAM_BUDGET_EXCEEDED"]
    assert len(calls) == 1


NOT_A_REQUEST = {
    "bad UTF-8": b'{"query": "\xff\xfe"}',
    "bad UTF-8 in a name": b'{"query": "{ a }", "\xc3\x28": 1}',
    "NaN": b'{"query": "{ __typename }", "variables": {"n": NaN}}',
    "infinity": b'{"query": "{ __typename }", "variables": {"n": Infinity}}',
    "lone surrogate": b'{"query": "\\ud800"}',
    "lone surrogate in a variable": b'{"query": "{ __typename }", "variables": {"n": "\\udfff"}}',
    "5000 digits": b'{"query": "{ __typename }", "variables": {"n": ' + b"9" * 5000 + b"}}",
    "null": b"null",
    "7": b"7",
    "a string": b'"x"',
    "nothing": b"",
    "a raw NUL": b'{"query": "{ __typename }\x00"}',
    "UTF-16": '{"query": "{ __typename }"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"query": "{ __typename }"}',
    "lists 45,000 deep": b"[" * 45_000 + b"]" * 45_000,
    "objects 9,000 deep": b'{"query":' * 9_000 + b"1" + b"}" * 9_000,
}


@pytest.mark.parametrize("body", NOT_A_REQUEST.values(), ids=NOT_A_REQUEST)
async def test_body_that_is_no_request_is_400_and_never_500(public: Public, body: bytes) -> None:
    """Whatever bytes they are."""
    told = await public.send(body)

    assert_refused(told, 400, BAD_INPUT)


async def test_nul_in_a_document_is_a_parse_error(public: Public) -> None:
    told = await public.ask("{ __typename \0 }")

    assert_refused(told, 400, "GRAPHQL_PARSE_FAILED")


async def test_unknown_charset_is_400(public: Public) -> None:
    told = await public.send(json.dumps(ONE), Content_Type="application/json; charset=klingon")

    assert_refused(told, 400, BAD_INPUT)
    assert public.calls == []


IDS = {
    "path upwards": "in_1/../x",
    "query string": "in_1?expand[]=",
    "encoded path": "in_1%2f..%2fx",
    "fragment": "in_1#x",
    "NUL": "in_1\0",
    "line break": "in_1\r\nHost: evil",
    "blank": "in_1 x",
    "nothing behind the prefix": "in_",
    "nothing": "",
    "another kind": "pi_1",
    "no kind": "1",
    "other digits": "in_\u0661",
    "5000 characters": "in_" + "1" * 5000,
}


@pytest.mark.parametrize("invoice_id", IDS.values(), ids=IDS)
async def test_id_that_could_change_a_url_is_bad_input_before_any_url_is_built(
    public: Public, invoice_id: str
) -> None:
    """Ids are checked against the table of prefixes, wherever they come in."""
    query = """query ($id: ID!) { invoice(id: $id) { id } }"""
    attach = """mutation ($id: ID!) { attachPayment(input: {invoiceId: $id, idempotencyKey: "k",
      payment: {paymentIntentId: "pi_1"}}) { errors { code } } }"""

    read = await public.ask(query, {"id": invoice_id})
    written = await public.ask(attach, {"id": invoice_id})

    assert (read.codes, written.codes) == ([BAD_INPUT], [BAD_INPUT])
    assert public.calls == []
    assert_polite(read)
    assert_polite(written)


LONG_NUMBERS = {
    "Int": "invoices(first: %s)",
    "MinorUnits": 'creditNotePreview(input: {invoiceId: "in_1", amountMinorUnits: %s})',
}


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("field", LONG_NUMBERS.values(), ids=LONG_NUMBERS)
async def test_integer_of_5000_digits_is_refused_and_our_language_is_not_told(
    public: Public, field: str, sign: str
) -> None:
    """Python refuses to read it, and its advice is for us."""
    value = sign + "9" * 5000

    told = await public.ask(f"{{ {field % value} {{ __typename }} }}")

    assert_refused(told, 400, INVALID)
    assert "sys." not in told.text
    assert "4300" not in told.text
    assert public.calls == []


@pytest.mark.parametrize("amount", [2**31, 2**53 - 1])
async def test_amounts_beyond_32_bits_are_exact_numbers(public: Public, amount: int) -> None:
    """GraphQL's Int would be null for them; a float would round."""
    invoice_id = public.stage.open_invoice(amount)
    query = f'{{ invoice(id: "{invoice_id}") {{ amountDue {{ minorUnits decimal }} }} }}'

    told = await public.ask(query)

    decimal = f"{amount // 100}.{amount % 100:02}"
    assert told.data["invoice"]["amountDue"] == {"minorUnits": amount, "decimal": decimal}
    assert f'"minorUnits":{amount}' in told.text


ATTACH_SHARE = """mutation { attachPayment(input: {invoiceId: "in_1", idempotencyKey: "k",
  amountRequestedMinorUnits: %s, payment: {paymentIntentId: "pi_1"}}) { errors { code } } }"""


@pytest.mark.parametrize(
    "amount", ["1e3", "1.0", '"1"', '"01"', "-0", str(2**53), "9" * 400, "true", "[1, 2]"]
)
async def test_amount_that_is_no_plain_number_is_refused(public: Public, amount: str) -> None:
    """No floats, no texts, nothing that would have to be rounded."""
    told = await public.ask(ATTACH_SHARE % amount)

    assert told.status == 400
    assert set(told.codes) <= {BAD_INPUT, INVALID}
    assert "data" not in told.body
    assert public.calls == []
    assert_polite(told)


@pytest.mark.parametrize("amount", [b"1e3", b"1.0", b'"1"', b"-0.0", b"9007199254740992", b"true"])
async def test_variable_that_is_no_plain_number_is_refused(public: Public, amount: bytes) -> None:
    """JSON writes them in as many ways."""
    query = ATTACH_SHARE.replace("mutation", "mutation ($n: MinorUnits)") % "$n"
    body = b'{"query": %b, "variables": {"n": %b}}' % (json.dumps(query).encode(), amount)

    told = await public.send(body)

    assert_refused(told, 400, BAD_INPUT)
    assert public.calls == []
