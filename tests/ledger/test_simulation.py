"""Any series of operations, accepted or refused, against the auditor.

`LEDGER_SIMULATION_EXAMPLES` says how many series are tried: some for everyday, thousands before
a release. A failing series is printed as the calls that repeat it.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.ledger.machine import LedgerMachine
from tests.support.long_form import examples

EXAMPLES_DEFAULT = 100
STEPS_MAX = 60


def test_every_series_of_operations_ends_as_the_auditor_says() -> None:
    """Single rules can be right and still lose a cent together; this tries what nobody would."""
    series = int(os.environ.get("LEDGER_SIMULATION_EXAMPLES", examples(EXAMPLES_DEFAULT)))

    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=series,
            stateful_step_count=STEPS_MAX,
            deadline=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
