"""How long hostile documents take to be refused, and large good ones to be read: each is new.

Medians of five readings, in milliseconds. Run it with `python -m tests.bench.documents`.
"""

from __future__ import annotations

import statistics
import sys
import time

from graphql import get_introspection_query

from gateway.execution.documents import Documents
from gateway.settings import Limits
from schema.root import make_schema

ROUNDS = 5
CHAIN = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(22))
DOCUMENTS = {
    "1000 aliases": "{ " + " ".join(f"a{n}: __typename" for n in range(1000)) + " }",
    "fragments that fan out 2^22": f"{{ ...F0 }} {CHAIN} fragment F22 on Query {{ __typename }}",
    "900 equal fields": "{ " + "__typename " * 900 + "}",
    "1 MB": "{ " + "__typename " * 90_000 + "}",
    "nested 2000 deep": "{ node " * 2000 + "}" * 2000,
    "1000 operations": " ".join(f"query Q{n} {{ __typename }}" for n in range(1000)),
    "standard introspection": get_introspection_query(),
}


def milliseconds(text: str) -> float:
    """How long a look at the document takes that nobody has looked at before."""
    documents = Documents(SCHEMA, Limits())
    started = time.perf_counter()
    documents.get(text, may_introspect=True)
    return 1000 * (time.perf_counter() - started)


SCHEMA = make_schema()._schema

if __name__ == "__main__":
    for name, text in DOCUMENTS.items():
        median = statistics.median(milliseconds(text) for _ in range(ROUNDS))
        sys.stdout.write(f"{name:<28} {median:7.1f} ms\n")
