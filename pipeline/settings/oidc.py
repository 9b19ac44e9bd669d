"""OpenID Connect: whose tokens are good, and what their claims are called."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Group


class OidcSettings(Group):
    """OpenID Connect: whose tokens are good, and what their claims are called."""

    oidc_issuer: str = Field("", description="OpenID Connect provider whose JWTs are good tokens, too; empty: none.")
    oidc_audience: str = Field("", description="What the provider's tokens must have in aud.")
    oidc_client_id: str = Field(
        "", description="What the web interface is called at the provider, for signing in with it; empty: nobody does."
    )
    oidc_client_secret: str = Field(
        "", repr=False, description="Its secret there (secret); empty: a public client, which PKCE protects."
    )
    oidc_scopes: str = Field("openid profile", description="What it asks the provider for; openid must be among it.")
    oidc_jwks_url: str = Field("", description="Where its keys are; empty: as its discovery document says.")
    oidc_tenant_claim: str = Field("tenant", description="Claim with the tenant; a.b is member b of claim a.")
    oidc_scope_claim: str = Field("scope", description="Claim with the scopes, a text of words or a list.")
    oidc_role_claim: str = Field("role", description="Claim with the role: admin, manager or user.")
    oidc_extension_claim: str = Field("extension", description="Claim with the extension of a user.")
