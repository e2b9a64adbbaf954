"""The clients file: what an entry means, and a sentence for each way to get it wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gateway.backends.stripe.rate_limit import SYSTEM_CALLER
from gateway.callers.clients import (
    TOKEN_PREFIX,
    ClientsRefused,
    digest_of,
    entry_of,
    new_token,
    parse_clients,
    read_clients,
)

HASH = "0123456789abcdef" * 4


def test_an_entry_becomes_a_client() -> None:
    (client,) = parse_clients(
        f"""
        [[client]]
        name = "acme"
        token_sha256 = "{HASH.upper()}"
        tenant = "acme-group"
        scopes = ["invoices:read", "payments:write"]
        customers = ["cus_1", "cus_2"]
        cost_per_minute = 9000
        origins = ["https://app.acme.example"]
        trusted_documents_only = true
        """,
        "clients.toml",
    )

    viewer = client.viewer
    assert (client.name, client.digests) == ("acme", (HASH,))
    assert (viewer.tenant, viewer.caller) == ("acme-group", "acme")
    assert viewer.scopes == {"invoices:read", "payments:write"}
    assert viewer.customers == {"cus_1", "cus_2"}
    assert (viewer.cost_per_minute, viewer.trusted_documents_only) == (9000, True)
    assert client.origins == {"https://app.acme.example"}


@pytest.mark.parametrize("field", ["name", "tenant"])
def test_no_client_can_have_the_name_that_goes_first_at_stripe(field: str) -> None:
    """It would stand in the gateway's own line at the rate budget, before everybody else."""
    fields = {"name": "desk", "token_sha256": HASH, field: SYSTEM_CALLER}
    lines = "\n".join(f'{name} = "{value}"' for name, value in fields.items())

    with pytest.raises(ClientsRefused, match=f"{field} is not right: use 1 to 64"):
        parse_clients(f"[[client]]\n{lines}\nscopes = []", "clients.toml")


def test_what_is_left_out_is_the_name_for_the_tenant_and_no_restriction() -> None:
    (client,) = parse_clients(f'[[client]]\nname="a"\ntoken_sha256="{HASH}"\nscopes=[]', "f")

    assert client.viewer.tenant == "a"
    assert client.viewer.customers is None
    assert client.viewer.cost_per_minute is None
    assert client.viewer.scopes == frozenset()


def test_two_tokens_while_one_replaces_the_other() -> None:
    other = "f" * 64
    text = f'[[client]]\nname="a"\ntoken_sha256=["{HASH}", "{other}"]\nscopes=[]'

    assert parse_clients(text, "f")[0].digests == (HASH, other)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("client = 3", "begin each entry with [[client]]"),
        ("[client]\nname='a'", "begin each entry with [[client]]"),
        ("[[clients]]\nname='a'", "clients: not known here"),
        ("[[client]", "is not TOML"),
        ("[[client]]\nname='a'", "token_sha256 is missing"),
        (f"[[client]]\ntoken_sha256='{HASH}'\nscopes=[]", "name is missing"),
        (f"[[client]]\nname='a b'\ntoken_sha256='{HASH}'\nscopes=[]", "name is not right"),
        ("[[client]]\nname='a'\ntoken_sha256='plain-token'\nscopes=[]", "64 hexadecimal digits"),
        (f"[[client]]\nname='a'\ntoken_sha256='{HASH}'", "scopes is missing"),
        (f"[[client]]\nname='a'\ntoken_sha256='{HASH}'\nscopes=['invoice:read']", "'invoice:read'"),
        (
            f"[[client]]\nname='a'\ntoken_sha256='{HASH}'\nscopes=[]\ncustomer=['cus_1']",
            "customer is no key of a client",
        ),
        (
            f"[[client]]\nname='a'\ntoken_sha256='{HASH}'\nscopes=[]\ncustomers=[]",
            "leave it out for all customers",
        ),
        (
            f"[[client]]\nname='a'\ntoken_sha256='{HASH}'\nscopes=[]\ncustomers=['pi_1']",
            "ids like cus_",
        ),
        (
            f"[[client]]\nname='a'\ntoken_sha256='{HASH}'\nscopes=[]\ncost_per_minute=0",
            "a whole number above 0",
        ),
        (
            f"[[client]]\nname='a'\ntoken_sha256='{HASH}'\nscopes=[]\ncost_per_minute='9'",
            "a whole number above 0",
        ),
        (
            f"[[client]]\nname='a'\ntoken_sha256='{HASH}'\nscopes=[]\norigins=['app.example']",
            "like https://app.example.com",
        ),
        (
            f"[[client]]\nname='a'\ntoken_sha256='{HASH}'\nscopes=[]\n" * 2,
            "name a: given twice",
        ),
        (
            f"[[client]]\nname='a'\ntoken_sha256='{HASH}'\nscopes=[]\n"
            f"[[client]]\nname='b'\ntoken_sha256='{HASH}'\nscopes=[]\n",
            "token_sha256 of a, b: the same",
        ),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence_that_names_entry_and_cure(
    text: str, sentence: str
) -> None:
    with pytest.raises(ClientsRefused) as refused:
        parse_clients(text, "clients.toml")

    assert str(refused.value).startswith("clients.toml")
    assert sentence in str(refused.value)


def test_a_token_written_where_its_hash_belongs_is_not_repeated() -> None:
    """The message goes to the log, and a token must not."""
    text = "[[client]]\nname='a'\ntoken_sha256='igw_secret-canary'\nscopes=[]"

    with pytest.raises(ClientsRefused) as refused:
        parse_clients(text, "clients.toml")

    assert "canary" not in str(refused.value)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = "[[client]]\nname='a'\nscopes=['x']\n[[client]]\nname='b'\nscopes=3"

    with pytest.raises(ClientsRefused) as refused:
        parse_clients(text, "f")

    assert len(str(refused.value).splitlines()) == 3


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClientsRefused, match="cannot be read: No such file"):
        read_clients(tmp_path / "none.toml")


def test_a_new_entry_can_be_read_and_holds_the_hash_of_its_token() -> None:
    token = new_token()
    text = entry_of("acme", digest_of(token), ["invoices:read"], ["cus_1"])

    (client,) = parse_clients(text, "f")

    assert token.startswith(TOKEN_PREFIX)
    assert token not in text
    assert client.digests == (digest_of(token),)
    assert set(tomllib.loads(text)["client"][0]) == {"name", "token_sha256", "scopes", "customers"}


def test_no_two_tokens_are_the_same() -> None:
    assert len({new_token() for _ in range(100)}) == 100
