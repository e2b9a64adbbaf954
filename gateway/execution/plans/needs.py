"""What an operation needs, as a function of its variables: what is fixed is made once and shared.

Needs are never changed by those who answer them, so a fixed branch is one object for all
operations of a plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schema.ports import Failed, Need, Needs


@dataclass(slots=True)
class Branch:
    """Needs below one object: `known` beside those that `slots` of the bound arguments name."""

    known: dict[str, dict[Need, Branch]] = field(default_factory=dict)
    slots: list[tuple[str, int, Branch]] = field(default_factory=list)
    _made: Needs | None = None
    _is_fixed: bool | None = None

    def add(self, type_name: str, need: Need) -> Branch:
        return self.known.setdefault(type_name, {}).setdefault(need, Branch())

    def add_slot(self, type_name: str, slot: int) -> Branch:
        branch = Branch()
        self.slots.append((type_name, slot, branch))
        return branch

    def merge(self, other: Branch) -> None:
        """Take over everything the other needs as well."""
        self.slots += other.slots
        for type_name, needs in other.known.items():
            for need, branch in needs.items():
                self.add(type_name, need).merge(branch)

    @property
    def is_fixed(self) -> bool:
        """To be asked once the plan is made."""
        if self._is_fixed is None:
            below = (branch for needs in self.known.values() for branch in needs.values())
            self._is_fixed = not self.slots and all(branch.is_fixed for branch in below)
        return self._is_fixed

    def needs(self, bound: list[Any]) -> Needs:
        if self._made is not None:
            return self._made
        made = Needs(
            {
                name: {need: branch.needs(bound) for need, branch in needs.items()}
                for name, needs in self.known.items()
            }
        )
        if self.is_fixed:
            self._made = made
            return made
        for type_name, slot, branch in self.slots:
            wanted = bound[slot]
            if isinstance(wanted, Failed):
                continue
            below = branch.needs(bound)
            of_type = made.by_type.setdefault(type_name, {})
            for need in wanted if isinstance(wanted, tuple) else (wanted,):
                if need in of_type:
                    both = Needs()
                    both.merge(of_type[need])
                    both.merge(below)
                    of_type[need] = both
                else:
                    of_type[need] = below
        return made
