"""The fixtures format: the state of one Stripe account as one JSON object of Stripe's objects.

    {"customers": [...], "invoices": [...], "invoice_payments": [...], "payment_intents": [...],
     "payment_records": [...], "charges": [...], "credit_notes": [...]}

Any list may be missing. Objects have the fields of Stripe's REST API; what they do not state gets
Stripe's default (see `fixtures_read`), what is not known here is ignored, and an expanded object
in place of an id stands for its id. A file that contradicts itself is refused as a whole, with
every problem named. Nothing is invented: an open invoice without a default payment stays so.
Source: https://docs.stripe.com/api, 2026-09-30.preview.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

from gateway.backends.memory.twin import Twin
from gateway.ledger.invariants import Violation
from gateway.sandbox.fixtures_fields import Problems, printable, shown
from gateway.sandbox.fixtures_format import PREFIXES, WHOLE_FILE, Fixtures, FixturesRefused
from gateway.sandbox.fixtures_read import read_objects
from gateway.sandbox.fixtures_rules import check
from gateway.sandbox.fixtures_write import write_fixtures

__all__ = [
    "Fixtures",
    "FixturesRefused",
    "check_file",
    "load",
    "read_file",
    "read_fixtures",
    "write_fixtures",
]


def read_fixtures(text: bytes | str) -> Fixtures:
    """The records of a fixtures file, complete and consistent. Raises `FixturesRefused`."""
    problems = Problems()
    fixtures = read_objects(_parsed(text, problems), problems)
    check(fixtures, problems)
    if problems.count:
        raise FixturesRefused(problems.kept, problems.count)
    return fixtures


def read_file(path: Path) -> Fixtures:
    """The records of the file at this path. Raises `FixturesRefused`."""
    try:
        text = path.read_bytes()
    except OSError as error:
        unread = Violation(WHOLE_FILE, str(path), f"cannot be read: {error.strerror}")
        raise FixturesRefused([unread]) from error
    return read_fixtures(text)


def check_file(path: Path) -> list[Violation]:
    """What is wrong with a file, at most the first hundred problems; nothing is the good answer."""
    try:
        read_file(path)
    except FixturesRefused as refused:
        return list(refused.violations)
    return []


def load(twin: Twin, fixtures: Fixtures) -> None:
    """Put the records into the twin's tables. Nothing is announced: they were always there."""
    for name in PREFIXES:
        table = getattr(twin, name)
        for record in getattr(fixtures, name):
            table.put(record)
    twin.deleted_customers.update(dict.fromkeys(fixtures.deleted_customers))
    twin.customer_accounts.update(fixtures.customer_accounts)
    for invoice_id, lines in groupby(fixtures.lines, key=lambda line: line.invoice_id):
        twin.lines[invoice_id] = tuple(lines)


def _parsed(text: bytes | str, problems: Problems) -> dict[str, Any]:
    """The file's object. Raises `FixturesRefused` where there is none to go on with."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            where = printable(str(found.get("id", WHOLE_FILE)))
            problems.add(Violation(where, printable(twice), "must stand only once in its object"))
        return found

    try:
        raw = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        reason = f"must be JSON: {error}"
        raise FixturesRefused([Violation(WHOLE_FILE, "json", reason)]) from error
    if not isinstance(raw, dict):
        reason = f"must be one object of the lists {', '.join(PREFIXES)}, got {shown(raw)}"
        raise FixturesRefused([Violation(WHOLE_FILE, "json", reason)])
    for name in sorted(raw.keys() - PREFIXES.keys()):
        problems.add(
            Violation(WHOLE_FILE, printable(name), f"must be one of {', '.join(PREFIXES)}")
        )
    return raw
