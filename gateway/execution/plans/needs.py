"""What an operation needs, as a function of its variables: made once for equal arguments.

Needs are never changed by those who answer them, so a branch is one object for all operations of a
plan whose arguments are the same, and what was loaded for it is found by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schema.ports import Failed, Need, Needs

VARIANTS_MAX = 32
"""Of one branch's needs, with other arguments each."""


@dataclass(slots=True)
class Branch:
    """Needs below one object: `known` beside those that `slots` of the bound arguments name."""

    known: dict[str, dict[Need, Branch]] = field(default_factory=dict)
    slots: list[tuple[str, int, Branch]] = field(default_factory=list)
    _variants: dict[tuple[Any, ...], Needs] = field(default_factory=dict)
    _depends_on: tuple[int, ...] | None = None

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

    def needs(self, bound: list[Any]) -> Needs:
        """What is needed with these bound arguments; where they are the same, the same object."""
        key = tuple([bound[slot] for slot in self._slots_below()])
        made = self._variants.get(key)
        if made is None:
            made = self._made(bound)
            if not any(isinstance(one, Failed) for one in key):
                made.is_lasting = True
                if len(self._variants) >= VARIANTS_MAX:
                    self._variants.clear()
                self._variants[key] = made
        return made

    def _slots_below(self) -> tuple[int, ...]:
        """The bound arguments on which the needs depend. To be asked once the plan is made."""
        if self._depends_on is None:
            below = [branch for needs in self.known.values() for branch in needs.values()]
            own = {slot for _, slot, _ in self.slots}
            deeper = [branch for _, _, branch in self.slots]
            own.update(*(branch._slots_below() for branch in (*below, *deeper)))
            self._depends_on = tuple(sorted(own))
        return self._depends_on

    def _made(self, bound: list[Any]) -> Needs:
        made = Needs(
            {
                name: {need: branch.needs(bound) for need, branch in needs.items()}
                for name, needs in self.known.items()
            }
        )
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
