"""The commands about callers: a new token, and its entry for the clients file."""

from __future__ import annotations

from typing import Annotated

import typer

from schema.ports import SCOPES

token_app = typer.Typer(help="The tokens of clients.", no_args_is_help=True)

_DEFAULT_SCOPES = ["invoices:read", "events:read"]


@token_app.command()
def new(
    name: Annotated[str, typer.Argument(help="The client's name: letters, digits and . _ : @ -")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"May be given several times: {', '.join(SCOPES)}. Default: reading."),
    ] = None,
    customer: Annotated[
        list[str] | None,
        typer.Option(help="A customer (cus_...) it may see; may be given several times. All."),
    ] = None,
) -> None:
    """Make a token and print the client's entry for GATEWAY_CLIENTS_FILE.

    The entry goes to standard output, to be appended to the file; the token, which is kept
    nowhere, to standard error.
    """
    from gateway.callers.clients import ClientsRefused, digest_of, entry_of, new_token

    token = new_token()
    try:
        entry = entry_of(name, digest_of(token), scope or _DEFAULT_SCOPES, customer or [])
    except ClientsRefused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from refused
    typer.echo(entry)
    typer.echo(
        f"Token of {name}, shown only now (the entry above holds its hash):\n{token}", err=True
    )
