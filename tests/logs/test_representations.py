"""What prints itself, in a log or a trace, prints nothing secret and nothing personal."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

import gateway
import schema
from gateway.settings import Settings, SettingsRefused, read_settings
from schema.records import ConfirmationSecret, Customer, Invoice

CANARY = "c4n4ry"
PRIVATE = {
    "api_key", "body", "client_secret", "credentials", "customer_email", "customer_name", "email",
    "hosted_invoice_url", "jwt_secret", "memo", "metadata", "password", "payload", "reference",
    "secret", "signature", "token", "variables",
}  # fmt: skip
"""Names of fields that hold such things, wherever they stand."""
SHOWN_WITH_REASON = {
    "schema.ports.write_port.CreditNoteDraft": "the input's hash is of its representation",
    "schema.ports.write_port.OutOfBandPayment": "the input's hash is of its representation",
}
"""Never part of a log call; what they hold is in the journal alone."""


def dataclasses_of_the_house() -> Iterator[type]:
    """Every one of both packages. The sandbox has no secrets but its own and no people."""
    for package in (gateway, schema):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.startswith(("gateway.sandbox", "gateway.__main__", "gateway.console")):
                continue
            for _, found in inspect.getmembers(importlib.import_module(module.name)):
                is_of_here = inspect.isclass(found) and found.__module__ == module.name
                if is_of_here and dataclasses.is_dataclass(found):
                    yield found


def test_private_fields_are_not_part_of_a_representation() -> None:
    """A rule for all that is to come, by the names that such fields have."""
    shown = {
        f"{owner.__module__}.{owner.__qualname__}": field.name
        for owner in dataclasses_of_the_house()
        for field in dataclasses.fields(owner)
        if field.name in PRIVATE and field.repr and not _is_of_the_schema(owner)
    }

    assert {name: field for name, field in shown.items() if name not in SHOWN_WITH_REASON} == {}


def _is_of_the_schema(owner: type) -> bool:
    """Types and inputs of GraphQL are made and gone within one resolver."""
    return hasattr(owner, "__strawberry_definition__")


@pytest.mark.parametrize(
    "record",
    [
        Customer("cus_1", 1, name=CANARY, email=CANARY, metadata=((CANARY, CANARY),)),
        Invoice("in_1", 1, "usd", "cus_1", "open", customer_name=CANARY, description=CANARY),
        ConfirmationSecret(CANARY),
        Settings(
            stripe_webhook_secrets=SecretStr(CANARY),
            redis_url=SecretStr(f"redis://:{CANARY}@x"),
            jwt_secret=SecretStr(CANARY),
        ),
    ],
    ids=lambda record: type(record).__name__,
)
def test_representation_holds_nothing_private(record: object) -> None:
    """Ids and states are enough to find the rest."""
    assert CANARY not in repr(record) + str(record)


@pytest.mark.parametrize(
    ("name", "value"), [("jwt_secret", 7), ("redis_url", 7), ("jwt_jwks_url", 7), ("port", CANARY)]
)
def test_refused_settings_quote_no_secret(name: str, value: object) -> None:
    """What is wrong with an ordinary setting is quoted, as that helps; a secret never is."""
    with pytest.raises(SettingsRefused) as refused:
        read_settings(**{name: value})

    assert f"GATEWAY_{name.upper()}" in str(refused.value)
    assert ("got" in str(refused.value)) == (name == "port")
