"""What schemathesis loads: values of our scalars, so that its documents meet real objects, and what
counts as a failure of ours.

Its own check takes every GraphQL error for one, and NOT_FOUND is none. The ids come in the
environment, as schemathesis runs in a process of its own.
"""

from __future__ import annotations

import os
from typing import Any

import schemathesis

from tests.support.documents import scalars

IDS = tuple(os.environ["GATEWAY_FUZZ_IDS"].split(","))

for name, strategy in scalars(ids=IDS).items():
    schemathesis.graphql.scalar(name, strategy)


@schemathesis.check
def no_failure_of_ours(ctx: Any, response: Any, case: Any) -> None:
    assert response.status_code < 500, response.status_code
    for error in response.json().get("errors", ()):
        assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR", error
