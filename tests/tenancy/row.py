"""One row of the matrix: a way in which a caller can name an object that is another tenant's.

A row is asked with an object of the other tenant and with one that does not exist, and must get
the same answer. `names` says which arguments of the schema it stands for; a test holds the rows
against the schema, so that no new argument is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.tenancy.account import Owned

Given = Callable[[Owned, Owned], dict[str, Any]]
"""Variables, of what is one's own and what is the other's."""


@dataclass(frozen=True, slots=True)
class Row:
    """`code` is the error's or the refusal's; None where an empty answer says nothing."""

    id: str
    document: str
    given: Given
    code: str | None
    names: tuple[str, ...]
    writes: bool = False


PAGE = "{ edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage endCursor } }"
