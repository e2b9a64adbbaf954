"""What a start does not do: a new replica waits for it, and so does each test of a process."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOREIGN = {"cryptography", "jwt", "pygments", "redis", "requests", "rich", "stripe"}
FOREIGN |= {"throttled"}

NOT_LOADED = {
    "memory": FOREIGN | {"gateway.backends.caching", "gateway.sandbox.stripe_api"},
    "stripe": FOREIGN | {"gateway.backends.memory", "gateway.sandbox"},
}
"""By backend, what only some configurations need, or only a call to Stripe."""

LISTENING = """
import asyncio, sys
from gateway.cli import commands, serving
from gateway.settings import read_settings

async def main():
    async with serving._listening(read_settings(port=0)):
        print(*sys.modules)

asyncio.run(main())
"""


def fresh(code: str, **settings: str) -> str:
    """What the code prints in an interpreter of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("backend", NOT_LOADED)
def test_a_gateway_listens_before_it_loads_what_it_may_not_need(
    backend: str, tmp_path: Path
) -> None:
    """By way of others neither; a fifth of a start went into it."""
    given = {"STRIPE_API_KEY": "sk_test_start", "GATEWAY_DATA_DIR": str(tmp_path)}

    loaded = fresh(LISTENING, GATEWAY_BACKEND=backend, **given).split()

    kept_out = NOT_LOADED[backend]
    assert [one for one in loaded if {one, one.partition(".")[0]} & kept_out] == []
    assert "gateway.web.app" in loaded


TEXTS = """
import json
from strawberry import annotation

texts, evaluate = [], annotation.StrawberryAnnotation.evaluate

def evaluated(self):
    if isinstance(self.raw_annotation, str):
        texts.append(self.raw_annotation)
    return evaluate(self)

annotation.StrawberryAnnotation.evaluate = evaluated
from schema.root import make_schema
make_schema()
print(json.dumps(sorted({*texts})))
"""


def test_annotations_of_the_schema_are_no_texts() -> None:
    """Strawberry parses, prints, compiles and evaluates each text, which was half the time that
    the schema took: modules of its types do not import `annotations`. What is left names a type
    that comes later."""
    assert json.loads(fresh(TEXTS)) == ["Connection[InvoicePayment] | None"]


CERTIFICATES = """
import asyncio, json, os, ssl
from gateway.cli.running import certificates_unread

before = dict(os.environ)
with certificates_unread():
    import aiohttp
assert dict(os.environ) == before
from gateway.callers.json_web_tokens import key_session

async def main():
    async with key_session() as session:
        return session.connector._ssl.cert_store_stats()["x509"]

unused = aiohttp.connector._SSL_CONTEXT_VERIFIED.cert_store_stats()["x509"]
print(json.dumps([unused, asyncio.run(main())]))
"""


def test_certificates_are_read_for_those_who_check_them() -> None:
    """aiohttp reads them when it is imported, for nobody; the keys of users' tokens are fetched
    with those of the system, as it is set up at that time."""
    system = ssl.create_default_context().cert_store_stats()["x509"]

    assert json.loads(fresh(CERTIFICATES)) == [0, system]
