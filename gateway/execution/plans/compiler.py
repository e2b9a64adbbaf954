"""From a selection to Python: one function for each type and selection set, leaves checked inline
unless they are of a record that is held to its types.

Two forms are made of the same plan: the quick one ends at the first failure or surprise; the
careful one, made when it is first needed, knows paths and puts a failure beside its null. A third
one is in `text`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from strawberry.types.field import StrawberryField

from gateway.execution.plans.leaves import CHECKS, TYPES, table_of
from gateway.execution.plans.needs import Branch
from gateway.execution.plans.source import Functions, NotPlanned, Slots, Source, key_of
from gateway.execution.plans.typed import RECORDS, declared
from schema.cost import field_definition
from schema.fields import EnumField, LoadedField, RecordField
from schema.money import AmountField, Money
from schema.ports import ROOT


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: its selection, the expression for its path, and where needs of what is
    below it go."""

    details: FieldDetailsList
    path: str
    branch: Branch


class Compiler:
    """Compiles one operation with the given values of its `@skip` and `@include`."""

    as_text = False
    """Whether functions return JSON, and not Python's values."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDetails],
        variables: VariableValues,
        *,
        slots: Slots,
        leaves: dict[str, Any],
        functions: Functions,
        careful: bool,
        lines_max: int,
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = fragments
        self._variables = variables
        self._slots = slots
        self._careful = careful
        self._path = ", path" if careful else ""
        self._leaves = leaves
        self._functions = functions
        self._constant = functions.constant
        self.source = Source(lines_max, functions)
        self._known: dict[object, tuple[str, Branch]] = {}
        self.context_fields: set[str] = set()
        """Fields whose resolvers look at more than the objects."""

    def root(self, branch: Branch) -> str:
        """The function of a whole query; what it needs goes into the branch."""
        kind, grouped = self.root_fields()
        return self._object(kind, grouped, branch, ROOT)

    def awaitables(self) -> str:
        """The function that calls the asynchronous resolvers."""
        calls = "".join(f"{call}, " for call in self.source.awaited)
        return self.source.function("awaitables", "o, x", [f"return [{calls}]"])

    def root_fields(self) -> tuple[GraphQLObjectType, GroupedFieldSet]:
        kind = self._schema.get_root_type(self._operation.operation)
        assert kind is not None
        collected = collect_fields(
            self._schema, self._fragments, self._variables, kind, self._operation
        )
        return kind, collected.grouped_field_set

    def field(self, definition: GraphQLField, details: FieldDetailsList, branch: Branch) -> str:
        """A function of what the resolver of one root field has returned."""
        lines = self._completed("v", definition.type, Place(details, "path", branch))
        return self.source.function("field", f"v, x{self._path}", [*lines, "return v"])

    def _subfields(self, kind: GraphQLObjectType, details: FieldDetailsList) -> GroupedFieldSet:
        return collect_subfields(
            self._schema, self._fragments, self._variables, self._operation, kind, details
        ).grouped_field_set

    def _object(
        self, kind: GraphQLObjectType, grouped: GroupedFieldSet, branch: Branch, type_name: str
    ) -> str:
        """A function from an object of this type to its selected fields: one for each selection,
        however often it is spread."""
        nodes = tuple(id(one.node) for details in grouped.values() for one in details)
        key = (self.as_text, type_name, nodes)
        if key not in self._known:
            own = Branch()
            self._known[key] = (self._written(kind, grouped, own, type_name), own)
        name, own = self._known[key]
        branch.merge(own)
        return name

    def _written(
        self, kind: GraphQLObjectType, grouped: GroupedFieldSet, branch: Branch, type_name: str
    ) -> str:
        body: list[str] = []
        wrong: list[str] = []
        items: dict[str, str] = {}
        for key, details in grouped.items():
            field_name = details[0].node.name.value
            if field_name == "__typename":
                items[key] = self._literal(kind.name)
                continue
            definition = kind.fields.get(field_name)
            if definition is None:
                raise NotPlanned("introspection")
            shown = self._of_record(kind.name, definition, details)
            if shown is None:
                variable = f"v{len(items)}"
                given = (variable, key, definition, details, branch, type_name)
                shown = self._field(body, wrong, *given)
            items[key] = shown
        body += _surprised_by(wrong)
        head: list[str] = []
        text = "\n".join([*body, *items.values()])
        has_record = re.search(r"\br\.|\(r\)", text) is not None
        if not body and not has_record:
            head.append("if o is None: raise Surprise")
        if re.search(r"\bc[\[.]", text):
            head.append("c = o.children")
        if has_record and kind.name in RECORDS:
            head += self._held(kind, grouped, type_name)
            items = self._once(head, items)
        elif has_record:
            head.append("r = o.record if o.__class__ is Loaded else o")
        body.append(f"return {self._whole(items)}")
        return self.source.function(kind.name, f"o, x{self._path}", head + body)

    def _held(self, kind: GraphQLObjectType, grouped: GroupedFieldSet, type_name: str) -> list[str]:
        """Statements that find a record of a known class, and hold it to its types."""
        record = self._constant(f"{kind.name}Record", RECORDS[kind.name])
        return [
            "r = o.record",
            "try:",
            f"    if r.typed_as is not {record}: raise Surprise",
            "except AttributeError:",
            f"    hold(r, {record})",
        ]

    def _once(self, head: list[str], items: dict[str, str]) -> dict[str, str]:
        """The items with the record's currency, which all its amounts have, looked up once."""
        shown = self._looked_up(self._currencies(), "r.currency").strip("{}")
        if sum(one.count(shown) for one in items.values()) < 2:
            return items
        head.append(f"currency = {shown}")
        return {key: one.replace(shown, "currency") for key, one in items.items()}

    # How what is shown stands in the code: here as expressions that make Python's values.

    def _literal(self, text: str) -> str:
        return repr(text)

    def _variable(self, name: str) -> str:
        return name

    def _as_it_is(self, value: str, held: type, *, may_be_null: bool) -> str:
        """What a record holds, of this type."""
        return value

    def _looked_up(self, table: str, value: str) -> str:
        return f"{table}[{value}]"

    def _unless_none(self, value: str, shown: str) -> str:
        return f"None if {value} is None else {shown}"

    def _object_of(self, items: Mapping[str, str]) -> str:
        return f"{{{', '.join(f'{key_of(key)}: {one}' for key, one in items.items())}}}"

    def _whole(self, items: Mapping[str, str]) -> str:
        """What a function returns."""
        return self._object_of(items)

    def _of_record(
        self, type_name: str, definition: GraphQLField, details: FieldDetailsList
    ) -> str | None:
        """An expression for an attribute whose shown value stands in a table, or that is shown as
        it is by a record that is held to its types; None where more is to be looked at."""
        made, kind = field_definition(definition), definition.type
        if not isinstance(made, RecordField) or made.show is not None:
            return None
        inner = kind.of_type if is_non_null_type(kind) else kind
        is_nullable, value = inner is kind, f"r.{made.attribute}"
        if not isinstance(made, AmountField) and is_leaf_type(inner) and inner.name not in CHECKS:
            table = self._leaf(inner, or_null=is_nullable, is_open=isinstance(made, EnumField))
            return None if table is None else self._looked_up(table, value)
        held, may_be_null = declared(type_name).get(made.attribute, (object, True))
        if may_be_null and not is_nullable:
            return None
        if isinstance(made, AmountField):
            shown = self._typed_amount(value, type_name, inner, details) if held is int else None
            return self._unless_none(value, shown) if shown and may_be_null else shown
        if is_leaf_type(inner) and TYPES.get(inner.name) is held:
            return self._as_it_is(value, held, may_be_null=may_be_null)
        return None

    def _typed_amount(
        self, value: str, type_name: str, money: GraphQLOutputType, details: FieldDetailsList
    ) -> str | None:
        """An amount of a typed record, where nothing is asked for but what it is made of."""
        assert isinstance(money, GraphQLObjectType)
        if declared(type_name)["currency"] != (str, False):
            return None
        parts = {
            "minorUnits": self._as_it_is(value, int, may_be_null=False),
            "currency": self._looked_up(self._currencies(), "r.currency"),
            "__typename": self._literal("Money"),
        }
        asked = self._asked(money, details)
        if not set(asked.values()) <= parts.keys():
            return None
        return self._object_of({key: parts[name] for key, name in asked.items()})

    def _asked(self, money: GraphQLObjectType, details: FieldDetailsList) -> dict[str, str]:
        """The fields of an amount by their response keys."""
        grouped = self._subfields(money, details)
        return {key: some[0].node.name.value for key, some in grouped.items()}

    def _currencies(self) -> str:
        """The table that shows a currency."""
        currency = self._schema.type_map["CurrencyCode"]
        assert is_leaf_type(currency)
        table = self._leaf(currency)
        assert table is not None
        return table

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
        """An expression for what is shown of the field, after these statements and unless one of
        the conditions tells that something is wrong."""
        made = field_definition(definition)
        if made is None:
            raise NotPlanned("field")
        path = f"path + ({key_of(key)},)" if self._careful else ""
        if isinstance(made, LoadedField):
            lines, branch = self._loaded(variable, made, definition, details, branch, type_name)
        else:
            lines = [f"{variable} = {self._value(made, definition, details)}"]
        place = Place(details, path, branch)
        if isinstance(made, AmountField):
            lines += self._amount(variable, definition.type, place)
        elif (check := _check_of(definition.type)) is not None:
            wrong.append(_fails(check, variable, definition.type))
        else:
            lines += self._completed(variable, definition.type, place)
        if self._careful and _can_fail(made):
            if is_non_null_type(definition.type):
                lines = ["try:", *indented(lines), "except Failed as failed:"]
                lines.append("    raise Surprise from failed")
            else:
                nodes = self._constant("nodes", [one.node for one in details])
                lines = ["try:", *indented(lines), "except Failed as failed:"]
                lines.append(f"    {variable} = x.failed(failed, {nodes}, {path})")
        body += lines
        return self._variable(variable)

    def _value(
        self, made: StrawberryField, definition: GraphQLField, details: FieldDetailsList
    ) -> str:
        """An expression for what the field's resolver would return."""
        if isinstance(made, RecordField):
            if made.show is None:
                return f"r.{made.attribute}"
            return f"{self._constant('show', made.show)}(r)"
        if made.base_resolver is None:
            return f"o.{made.python_name}"
        return self._resolved(made, definition, details)

    def _loaded(
        self,
        variable: str,
        made: LoadedField,
        definition: GraphQLField,
        details: FieldDetailsList,
        branch: Branch,
        type_name: str,
    ) -> tuple[list[str], Branch]:
        """Statements that find what was loaded for the field, and where its own needs go."""
        lines = [] if made.scope is None else [f"x.require({made.scope!r})"]
        if not callable(made.wanted):
            need = self._constant("need", made.wanted)
            below = branch.add(type_name, made.wanted)
            lines.append(f"{variable} = c[{need}]")
            lines.append(
                f"if {variable}.__class__ is not Loaded and {variable} is not None: "
                f"{variable} = o.child({need})"
            )
        else:
            slot = self._slots.number(self._schema, definition, details[0].node)
            below = branch.add_slot(type_name, slot)
            lines.append(f"{variable} = c.get(x.bound[{slot}])")
            lines.append(
                f"if {variable}.__class__ not in LOADED: {variable} = x.child(o, x.bound[{slot}])"
            )
        if made.show is not None:
            lines.append(f"{variable} = {self._constant('show', made.show)}(o, {variable})")
        return lines, below

    def _resolved(
        self, made: StrawberryField, definition: GraphQLField, details: FieldDetailsList
    ) -> str:
        """A call of the resolver; one that has to be awaited was, before."""
        resolver = made.base_resolver
        assert resolver is not None
        given = []
        if resolver.self_parameter is not None:
            given.append("o")
        if resolver.parent_parameter is not None:
            given.append(f"{resolver.parent_parameter.name}=o")
        if resolver.info_parameter is not None:
            self.context_fields.add(made.python_name or "")
            given.append(f"{resolver.info_parameter.name}=x")
        if made.arguments:
            slot = self._slots.number(self._schema, definition, details[0].node)
            given.append(f"**x.bound[{slot}]")
        call = f"{self._constant('resolve', resolver.wrapped_func)}({', '.join(given)})"
        if not made.is_async:
            return call
        self.source.awaited.append(call)
        return f"x.awaited({len(self.source.awaited) - 1})"

    def _amount(self, variable: str, kind: GraphQLOutputType, place: Place) -> list[str]:
        """An amount is made into Money only where more is asked for than what it is made of."""
        money = get_named_type(kind)
        assert isinstance(money, GraphQLObjectType)
        parts = {"minorUnits": variable, "currency": f"{variable}c", "__typename": "'Money'"}
        asked = self._asked(money, place.details)
        if not set(asked.values()) <= parts.keys():
            made = self._constant("Money", Money)
            return [
                f"if {variable} is not None:",
                f"    {variable} = {made}(minor_units={variable}, currency=r.currency)",
                *self._completed(variable, kind, place),
            ]
        lines = [self._checked(variable, "MinorUnits")]
        if "currency" in asked.values():
            lines.append(f"{parts['currency']} = {self._currencies()}[r.currency]")
        made = self._object_of({key: parts[name] for key, name in asked.items()})
        lines.append(f"{variable} = {made}")
        return lines if is_non_null_type(kind) else _unless_null(variable, lines)

    def _checked(self, variable: str, scalar: str) -> str:
        return f"if {CHECKS[scalar].format(v=variable)}: raise Surprise"

    def _leaf(
        self, leaf: GraphQLLeafType, *, or_null: bool = False, is_open: bool = False
    ) -> str | None:
        """The table that shows a leaf's values; None where a function does."""
        key = f"{leaf.name}{'_open' if is_open else ''}{'_or_null' if or_null else ''}"
        if key not in self._leaves:
            self._leaves[key] = table_of(leaf, or_null=or_null, is_open=is_open)
        table = self._leaves[key]
        return None if table is None else self._constant(f"{key}_", table)

    def _completed(self, variable: str, kind: GraphQLOutputType, place: Place) -> list[str]:
        """Statements that turn what `variable` holds into what is shown."""
        if is_non_null_type(kind):
            return self._shown(variable, kind.of_type, place)
        return _unless_null(variable, self._shown(variable, kind, place))

    def _shown(self, variable: str, kind: GraphQLOutputType, place: Place) -> list[str]:
        """The same for what is not null; null is a surprise."""
        if is_list_type(kind):
            return self._list(variable, kind.of_type, place)
        if not is_leaf_type(kind):
            more = f", {place.path}" if self._careful else ""
            return [f"{variable} = {self._composite(kind, place)}({variable}, x{more})"]
        if kind.name in CHECKS:
            return [self._checked(variable, kind.name)]
        table = self._leaf(kind)
        if table is not None:
            return [f"{variable} = {table}[{variable}]"]
        serialize = self._constant(f"{kind.name}_", kind.serialize)
        return [f"if {variable} is None: raise Surprise", f"{variable} = {serialize}({variable})"]

    def _composite(self, kind: Any, place: Place) -> str:
        """The function for a value of an object, interface or union type."""
        if isinstance(kind, GraphQLObjectType):
            grouped = self._subfields(kind, place.details)
            return self._object(kind, grouped, place.branch, kind.name)
        assert is_abstract_type(kind)
        functions = {
            one.name: self._composite(one, place) for one in self._schema.get_possible_types(kind)
        }
        table = self.source.table(kind.name, functions)
        type_of = self._constant("type_of", kind.resolve_type)
        line = f"return {table}[{type_of}(o)](o, x{self._path})"
        return self.source.function(kind.name, f"o, x{self._path}", [line])

    def _list(self, variable: str, item: GraphQLOutputType, place: Place) -> list[str]:
        inner = item.of_type if is_non_null_type(item) else None
        if inner is None or is_list_type(inner) or is_leaf_type(inner):
            function = self._item(item, place)
        else:
            function = self._composite(inner, place)
        made = f"[{function}(i, x) for i in {variable}]"
        if self._careful:
            made = f"[{function}(i, x, {place.path} + (n,)) for n, i in enumerate({variable})]"
        return [
            f"if {variable}.__class__ not in LISTS: raise Surprise",
            f"{variable} = {self._all_of(made)}",
        ]

    def _all_of(self, items: str) -> str:
        return items

    def _item(self, item: GraphQLOutputType, place: Place) -> str:
        """A function for one item of a list: a leaf, or what may be null or have failed."""
        lines = self._completed("v", item, Place(place.details, "path", place.branch))
        failed = "raise v"
        if self._careful and not is_non_null_type(item):
            nodes = self._constant("nodes", [one.node for one in place.details])
            failed = f"return x.failed(v, {nodes}, path)"
        lines = [f"if isinstance(v, Failed): {failed}", *lines, "return v"]
        return self.source.function("item", f"v, x{self._path}", lines)


def _check_of(kind: GraphQLOutputType) -> str | None:
    """The condition under which a leaf that is shown as it is is a surprise."""
    inner = kind.of_type if is_non_null_type(kind) else kind
    return CHECKS.get(inner.name) if is_leaf_type(inner) else None


def _fails(check: str, variable: str, kind: GraphQLOutputType) -> str:
    condition = check.format(v=variable)
    return condition if is_non_null_type(kind) else f"{condition} and {variable} is not None"


def _surprised_by(conditions: list[str]) -> list[str]:
    """One statement for all of them, which is compiled in less time than one for each."""
    if not conditions:
        return []
    first, *more = conditions
    return ["if (", *indented([first, *[f"or {one}" for one in more]]), "): raise Surprise"]


def _unless_null(variable: str, lines: list[str]) -> list[str]:
    return [f"if {variable} is not None:", *indented(lines)]


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _can_fail(made: StrawberryField) -> bool:
    """Whether a field may meet a `Failed`, which only what was loaded or resolved does."""
    return isinstance(made, LoadedField) or made.base_resolver is not None
