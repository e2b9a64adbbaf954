"""What a start does not do: it is what a new replica, a command and a test wait for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

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


def fresh(code: str) -> str:
    """What the code prints in an interpreter of its own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_annotations_of_the_schema_are_no_texts() -> None:
    """Strawberry parses, prints, compiles and evaluates each text, which was half the time that
    the schema took: modules of its types do not import `annotations`. What is left names a type
    that comes later."""
    assert json.loads(fresh(TEXTS)) == ["Connection[InvoicePayment] | None"]
