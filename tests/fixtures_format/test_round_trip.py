"""Saving and loading: whatever state a twin is in, its file says all of it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.memory.twin import Twin
from gateway.ledger.lifecycle import NEXT
from gateway.sandbox.fixtures import demo_text, load, read_fixtures, write_fixtures
from schema.ports import CreditNoteDraft, Refused
from tests.fixtures_format.small_file import CREDITED, State, changed, new_twin, small_file
from tests.support.long_form import examples
from tests.support.many_invoices import generate


def saved(twin: Twin) -> str:
    return json.dumps(write_fixtures(twin))


def loaded(text: str | bytes) -> Twin:
    twin = new_twin()
    load(twin, read_fixtures(text))
    return twin


def with_every_field() -> str:
    file = changed("invoices.1.lines", [{"amount": 500, "period": {"start": 1, "end": 2}}])
    file["invoices"][1] |= {"metadata": {"b": "2", "a": "1"}, "subscription": "sub_1"}
    by_record = {"amount_refunded": 20, "payment_record_refund": {"payment_record": "pr_1"}}
    by_refund = {"amount_refunded": 30, "refund": "re_1"}
    file["credit_notes"] = [{**CREDITED, "refunds": [by_record, by_refund]}]
    file["payment_records"][0]["processor_details"] = {"custom": {"payment_reference": "check 7"}}
    return json.dumps(file)


def generated() -> str:
    twin = new_twin()
    generate(twin, 200, seed=1)
    return saved(twin)


STATES = [
    pytest.param(lambda: json.dumps(small_file()), id="small"),
    pytest.param(with_every_field, id="every_field"),
    pytest.param(demo_text, id="demo"),
    pytest.param(generated, id="generated"),
    pytest.param(lambda: "{}", id="empty"),
]


@pytest.mark.parametrize("state", STATES)
def test_what_is_loaded_is_what_is_saved(state: Callable[[], str | bytes]) -> None:
    """Nothing is lost, added or reordered on the way through a twin."""
    text = state()

    twin = loaded(text)

    assert State.of(twin) == State.of(read_fixtures(text))
    assert State.of(loaded(saved(twin))) == State.of(twin)


DEMO = State.of(read_fixtures(demo_text()))
INVOICES = st.sampled_from([one.id for one in DEMO.invoices])
SOURCES = st.sampled_from(
    [*(one.id for one in DEMO.payment_intents), *(one.id for one in DEMO.payment_records)]
)
AMOUNTS = st.none() | st.integers(1, 6000)
STEPS = st.one_of(
    st.tuples(st.just("attach"), INVOICES, SOURCES, AMOUNTS),
    st.tuples(st.just("detach"), INVOICES, SOURCES),
    st.tuples(st.just("progress"), SOURCES, st.sampled_from(sorted(NEXT)), AMOUNTS),
    st.tuples(st.just("credit"), INVOICES, st.integers(1, 4000), st.integers(0, 4000)),
    st.tuples(st.sampled_from(["pay", "void", "mark_uncollectible", "pay_out_of_band"]), INVOICES),
    st.tuples(st.just("finalize"), INVOICES),
)


def take(twin: Twin, step: tuple[str, ...]) -> None:
    """One step of whatever kind; a refused one changes nothing."""
    kind, *rest = step
    try:
        match kind, rest:
            case "attach", [invoice, source, amount]:
                twin.attach(invoice, source, amount_requested=amount)  # type: ignore[arg-type]
            case "progress", [source, status, received]:
                twin.progress(source, status, amount_received=received)  # type: ignore[arg-type]
            case "credit", [invoice, amount, credit]:
                twin.credit(CreditNoteDraft(invoice, amount=amount, credit=credit))  # type: ignore[arg-type]
            case "finalize", [invoice]:
                twin.finalize(invoice, number="DEMO-9999")
            case _:
                getattr(twin, kind)(*rest)
    except Refused:
        pass


@settings(deadline=None, max_examples=examples(60), print_blob=True)
@given(st.lists(STEPS, max_size=25))
def test_every_state_that_the_rules_allow_can_be_saved_and_loaded(
    steps: list[tuple[str, ...]],
) -> None:
    """The rules of the file are not stricter than the ledger, or a restart would lose work."""
    twin = loaded(demo_text())
    for step in steps:
        take(twin, step)

    assert State.of(loaded(saved(twin))) == State.of(twin)
