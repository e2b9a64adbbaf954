"""The third form of a plan: functions that return JSON at once, without dictionaries in between.

Where many objects are shown, most of the time goes into dictionaries that are encoded and thrown
away. A record of which it is known that JSON shows its texts as they are is put into a text; any
other record, and whatever else is not as simple, is still made of dictionaries, piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    is_leaf_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet

from gateway.execution.plans.compiler import Compiler, Place, indented
from gateway.execution.plans.leaves import Texts
from gateway.execution.plans.needs import Branch
from gateway.execution.plans.source import key_of
from gateway.execution.plans.typed import RECORDS
from schema.cost import field_definition
from schema.money import AmountField

TEXT_LINES_MAX = 300
"""Of code, each of which takes about 15 microseconds to be made: each function is there twice, as
its records may not be plain."""

QUOTES = "'''"
"""Of generated texts, in which neither JSON nor a name of GraphQL has any of these."""


class TextCompiler(Compiler):
    """See `Compiler`. What is shown stands in the code as a part of an f-string."""

    as_text = True

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, careful=False, **named)

    @contextmanager
    def _values(self) -> Iterator[None]:
        """What is compiled inside makes Python's values."""
        before, self.as_text = self.as_text, False
        try:
            yield
        finally:
            self.as_text = before

    def _held(self, kind: GraphQLObjectType, grouped: GroupedFieldSet, type_name: str) -> list[str]:
        if not self.as_text:
            return super()._held(kind, grouped, type_name)
        record = self._constant(f"{kind.name}Record", RECORDS[kind.name])
        with self._values():
            made = self._object(kind, grouped, Branch(), type_name)
        return [
            "r = o.record",
            "try:",
            f"    if r.plain_as is not {record}: return dumps({made}(o, x)).decode()",
            "except AttributeError:",
            f"    if not hold_plain(r, {record}): return dumps({made}(o, x)).decode()",
        ]

    def _field(
        self,
        body: list[str],
        wrong: list[str],
        variable: str,
        key: str,
        definition: GraphQLField,
        details: FieldDetailsList,
        branch: Branch,
        type_name: str,
    ) -> str:
        given = (body, wrong, variable, key, definition, details, branch, type_name)
        is_leaf = is_leaf_type(get_named_type(definition.type))
        if not self.as_text or not (
            is_leaf or isinstance(field_definition(definition), AmountField)
        ):
            return super()._field(*given)
        with self._values():
            shown = super()._field(*given)
        return f"{{dumps({shown}).decode()}}"

    def _completed(self, variable: str, kind: GraphQLOutputType, place: Place) -> list[str]:
        lines = super()._completed(variable, kind, place)
        if self.as_text and not is_non_null_type(kind):
            lines += ["else:", *indented([f"{variable} = 'null'"])]
        return lines

    def _all_of(self, items: str) -> str:
        return f"'[' + ','.join({items}) + ']'" if self.as_text else items

    def _literal(self, text: str) -> str:
        return f'"{text}"' if self.as_text else super()._literal(text)

    def _variable(self, name: str) -> str:
        return f"{{{name}}}" if self.as_text else name

    def _as_it_is(self, value: str, held: type, *, may_be_null: bool) -> str:
        if not self.as_text:
            return value
        shown = {
            str: f'"{{{value}}}"',
            bool: f'{{"true" if {value} else "false"}}',
            int: f"{{{value}}}",
        }[held]
        return self._unless_none(value, shown) if may_be_null else shown

    def _looked_up(self, table: str, value: str) -> str:
        shown = super()._looked_up(table, value)
        if not self.as_text:
            return shown
        known = self._functions.names[table]
        texts = self._leaves.setdefault(f"texts of {id(known)}", Texts(known))
        return f"{{{self._constant('texts', texts)}[{value}]}}"

    def _unless_none(self, value: str, shown: str) -> str:
        if not self.as_text:
            return super()._unless_none(value, shown)
        assert "'" not in shown
        return f"""{{"null" if {value} is None else f'{shown}'}}"""

    def _object_of(self, items: Mapping[str, str]) -> str:
        if not self.as_text:
            return super()._object_of(items)
        return f"{{{{{','.join(f'{_name_of(key)}:{one}' for key, one in items.items())}}}}}"

    def _whole(self, items: Mapping[str, str]) -> str:
        made = self._object_of(items)
        return f"f{QUOTES}{made}{QUOTES}" if self.as_text else made


def _name_of(key: str) -> str:
    """A response key in JSON."""
    return f'"{key_of(key)[1:-1]}"'
