"""OpenID Connect: whose tokens are good, and what their claims are called."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Group


class OidcSettings(Group):
    """OpenID Connect: whose tokens are good, and what their claims are called."""

    oidc_issuer: str = Field("", description="OpenID Connect provider whose JWTs are good tokens, too; empty: none.")
    oidc_audience: str = Field("", description="What the provider's tokens must have in aud.")
    oidc_jwks_url: str = Field("", description="Where its keys are; empty: as its discovery document says.")
    oidc_tenant_claim: str = Field("tenant", description="Claim with the tenant; a.b is member b of claim a.")
    oidc_scope_claim: str = Field("scope", description="Claim with the scopes, a text of words or a list.")
    oidc_role_claim: str = Field("role", description="Claim with the role: admin, manager or user.")
    oidc_extension_claim: str = Field("extension", description="Claim with the extension of a user.")
