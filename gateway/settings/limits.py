"""How large one document may be. What is counted, and how, stands in `execution`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.settings.field_kinds import Group, constant

ALWAYS_ENFORCED = frozenset(
    {"tokens", "nesting", "fields", "input_depth", "introspection_aliases", "comparisons"}
)
"""What protects the process itself, and is refused in warn mode too."""


class Limits(Group):
    """Ceilings for one document and its variables. Cost is counted in objects."""

    limits_mode: Literal["enforce", "warn"] = Field(
        "enforce",
        description="What happens to an operation beyond a limit: enforce refuses it; warn runs, "
        "logs and counts it. Tokens, fields and depth of input protect the process, as does a "
        "ceiling of 60 for nesting, and are always enforced.",
    )
    tokens_max: int = Field(
        1000, ge=10, le=20_000, description="Lexical tokens in one document; always enforced."
    )
    depth_max: int = Field(15, ge=1, description="Levels of nesting in one document.")
    aliases_max: int = Field(15, ge=0, description="Aliases in one document, fragments spread out.")
    root_fields_max: int = Field(
        25, ge=1, description="Root fields of one operation, fragments spread out."
    )
    directives_per_location_max: int = constant(10, "Directives in one place of a document.")
    directives_max: int = constant(50, "Directives in one document, fragments spread out.")
    fields_max: int = Field(
        2000,
        ge=1,
        description="Fields in one document, fragments spread out; always enforced.",
    )
    input_depth_max: int = constant(
        10,
        "Lists and objects in each other, in an argument or a variable; always enforced. No input "
        "of the schema needs half of it.",
    )
    cost_max: int = Field(
        5000, ge=1, description="Objects that one operation may return at most, weighted."
    )

    def refuses(self, limit: str) -> bool:
        """Whether what exceeds this limit is refused, not only told."""
        return self.limits_mode == "enforce" or limit in ALWAYS_ENFORCED
