"""What was measured, a value for each round, and what is told of it: medians, ratios of rounds."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from operator import truediv
from pathlib import Path

Row = dict[str, list[float]]
"""A figure of each server, one for every round."""


@dataclass(slots=True)
class Results:
    """Rows by name, such as `list: answers/s`. `machine` is what it was measured on."""

    machine: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)

    def note(self, row: str, server: str, value: float) -> None:
        self.rows.setdefault(row, {}).setdefault(server, []).append(value)

    def servers(self, row: str) -> list[str]:
        return list(self.rows.get(row, {}))

    def median(self, row: str, server: str) -> float | None:
        """None for what was not measured."""
        values = self.rows.get(row, {}).get(server)
        return statistics.median(values) if values else None

    def ratio(self, row: str, server: str, reference: str) -> float | None:
        """The median of the ratios within a round; None for what was not measured."""
        by_server = self.rows.get(row, {})
        ours, theirs = by_server.get(server, []), by_server.get(reference, [])
        ratios = [truediv(one, other) for one, other in zip(ours, theirs, strict=False) if other]
        return statistics.median(ratios) if ratios else None

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"machine": self.machine, "rows": self.rows}, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        held = json.loads(path.read_text())
        return cls(held["machine"], held["rows"])
