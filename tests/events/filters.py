"""Four entries, and which of them each filter wants: the same table for streams and for pages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.stage import ACME, GLOBEX

FACTS: list[dict[str, Any]] = [
    {"invoice_id": "in_1", "customer_id": ACME, "type": "PAID"},
    {"invoice_id": "in_2", "customer_id": ACME, "type": "DETACHED"},
    {"invoice_id": "in_3", "customer_id": GLOBEX, "type": "PAID"},
    {"invoice_id": "in_4", "customer_id": None, "type": "INVOICE_CHANGED"},
]
"""The entries 1 to 4 that the filters choose from."""
FILTERS = [
    pytest.param({}, [1, 2, 3, 4], id="none"),
    pytest.param({"invoice_ids": ["in_2"]}, [2], id="invoice"),
    pytest.param({"invoice_ids": ["in_1", "in_4"]}, [1, 4], id="two invoices"),
    pytest.param({"customer_ids": [ACME]}, [1, 2], id="customer"),
    pytest.param({"types": ["PAID"]}, [1, 3], id="type"),
    pytest.param({"types": ["PAID"], "customer_ids": [GLOBEX]}, [3], id="two together"),
    pytest.param({"types": ["PAID"], "invoice_ids": ["in_2"]}, [], id="nothing matches"),
]
