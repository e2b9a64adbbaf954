"""How users' tokens (JSON Web Tokens) are checked."""

from __future__ import annotations

from pydantic import Field, SecretStr

from gateway.settings.field_kinds import Group

ASYMMETRIC_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


class TokenSettings(Group):
    """What tokens must look like. Nothing of it is ever taken from a token."""

    jwt_secret: SecretStr | None = Field(
        None, description="Secret of at least 32 bytes that signs users' tokens with HS256."
    )
    jwt_jwks_url: str | None = Field(
        None,
        description="Where the key set of users' tokens is, if they are signed with RS256, ES256 "
        "or EdDSA; https, or http on this machine.",
    )
    jwt_issuer: str | None = Field(None, description="The `iss` that users' tokens must have.")
    jwt_audience: str | None = Field(None, description="The `aud` that users' tokens must have.")
    jwt_leeway_seconds: int = Field(
        30, ge=0, le=600, description="Seconds that the clocks of issuer and gateway may differ."
    )
    jwt_tenant_claim: str = Field(
        "", description="The claim that names a token's tenant; unset: its issuer and subject."
    )
    jwt_scopes_claim: str = Field(
        "scope", description="The claim with a token's scopes: a list, or words in one text."
    )
    jwt_customers_claim: str = Field(
        "customers",
        description='The claim that lists the customers a token may see, or holds "*" for all; a '
        "token without it is refused. Empty: tokens see all customers.",
    )
    jwt_trusted_documents_only: bool = Field(
        False, description="Whether users' tokens may run trusted documents only."
    )

    @property
    def has_tokens(self) -> bool:
        """Whether users' tokens are accepted."""
        return self.jwt_secret is not None or self.jwt_jwks_url is not None

    @property
    def jwt_algorithms(self) -> tuple[str, ...]:
        """With one secret a token is signed in one way, whatever else it claims."""
        return ("HS256",) if self.jwt_secret is not None else ASYMMETRIC_ALGORITHMS
