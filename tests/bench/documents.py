"""How long hostile documents take to be refused, and large good ones to be read: each is new. And
how long a start takes that has a thousand trusted documents.

Medians of five readings, in milliseconds of the process, as nothing is waited for. Run it with
`python -m tests.bench.documents`.
"""

from __future__ import annotations

import random
import statistics
import sys
import time

from graphql import get_introspection_query, get_named_type, is_leaf_type

from gateway.backends.memory.backend import MemoryBackend
from gateway.events.feed import Feed
from gateway.events.log import MemoryEventLog
from gateway.execution.documents import Documents
from gateway.execution.runner import GraphQLRunner
from gateway.settings import Limits
from schema.root import make_schema
from tests.support.stage import Stage

ROUNDS = 5


def values_spread_often(values: int, spreads: int) -> str:
    """Two fragments that ask for the same with equal arguments."""
    payments = f"payments(status: [{'OPEN ' * values}]) {{ nodes {{ id }} }}"
    fragments = (f"fragment {name} on Invoice {{ {payments} }}" for name in ("F", "G"))
    fields = (f'a{n}: invoice(id: "in_1") {{ ...F ...G }}' for n in range(spreads))
    return f"{{ {' '.join(fields)} }} {' '.join(fragments)}"


CHAIN = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(22))
DOCUMENTS = {
    "1000 aliases": "{ " + " ".join(f"a{n}: __typename" for n in range(1000)) + " }",
    "fragments that fan out 2^22": f"{{ ...F0 }} {CHAIN} fragment F22 on Query {{ __typename }}",
    "900 equal fields": "{ " + "__typename " * 900 + "}",
    "1 MB": "{ " + "__typename " * 90_000 + "}",
    "nested 2000 deep": "{ node " * 2000 + "}" * 2000,
    "1000 operations": " ".join(f"query Q{n} {{ __typename }}" for n in range(1000)),
    "380 values twice, in 14 places": values_spread_often(380, 14),
    "standard introspection": get_introspection_query(),
}


def milliseconds(text: str) -> float:
    """How long a look at the document takes that nobody has looked at before."""
    documents = Documents(SCHEMA, Limits())
    started = time.process_time()
    documents.get(text, may_introspect=True)
    return 1000 * (time.process_time() - started)


def trusted(number: int) -> str:
    """A page of a frontend, of about 500 characters, that has its own choice of fields."""
    chance = random.Random(number)

    def some(kind: str, *, count: int) -> str:
        fields = getattr(SCHEMA.type_map[kind], "fields", {})
        leaves = [
            name
            for name, one in fields.items()
            if is_leaf_type(get_named_type(one.type)) and not one.args
        ]
        return " ".join(chance.sample(leaves, min(count, len(leaves))))

    money = " ".join(
        f"{name} {{ {some('Money', count=3)} formatted }}"
        for name in chance.sample(["total", "amountDue", "amountPaid", "amountRemaining"], 2)
    )
    intent = f"paymentIntent {{ {some('PaymentIntent', count=5)} amount {{ formatted }} }}"
    return (
        f"query Page{number}($id: ID!) {{ invoice(id: $id) {{ {some('Invoice', count=9)} {money} "
        f"customer {{ {some('Customer', count=3)} }} payments(first: 5) {{ nodes {{ "
        f"{some('InvoicePayment', count=6)} {intent} }} pageInfo {{ hasNextPage }} }} }} }}"
    )


def milliseconds_to_trust(manifest: dict[str, str]) -> float:
    backend, feed = MemoryBackend(Stage.empty().twin), Feed(MemoryEventLog("bench"))
    runner = GraphQLRunner(MADE, backend, backend, feed, limits=Limits())
    started = time.process_time()
    runner.trust(manifest, source="bench")
    return 1000 * (time.process_time() - started)


MADE = make_schema()
SCHEMA = MADE._schema

if __name__ == "__main__":
    for name, text in DOCUMENTS.items():
        median = statistics.median(milliseconds(text) for _ in range(ROUNDS))
        sys.stdout.write(f"{name:<28} {median:7.1f} ms\n")
    pages = {str(number): trusted(number) for number in range(1000)}
    median = statistics.median(milliseconds_to_trust(pages) for _ in range(ROUNDS))
    length = statistics.mean(map(len, pages.values()))
    sys.stdout.write(f"1000 trusted of {length:.0f} characters {median:7.1f} ms\n")
