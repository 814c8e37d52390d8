"""Settings of the request desk's web server: where it listens, who may come in, and how much of it."""

import ipaddress
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SHORTEST_SECRET = 32


class LocalSignIn(BaseModel):
    """One person at their own machine: no provider is asked, and nothing but loopback is listened on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["local"] = "local"
    key: SecretStr | None = Field(
        default=None, description="What opens the door; a new one is made and logged at each start if unset"
    )
    account: str = Field(default="local", min_length=1, description="ALMA account that the person has")
    name: str = Field(default="Local User", min_length=1, description="Name that requests are made in")
    email: str = Field(default="local@localhost.localdomain", description="E-mail address that mails go to")
    is_operator: bool = Field(default=True, description="Whether the person is an operator too")
    published_on_loopback: bool = Field(
        default=False,
        description="Only with a container whose port is published on this machine's loopback alone: "
        "lets it listen on its own network",
    )


class OidcSignIn(BaseModel):
    """People sign in at an OpenID Connect provider such as Keycloak; programs bring its tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["oidc"] = "oidc"
    issuer: str = Field(
        pattern=r"^https?://\S+$", description="Issuer, e.g. https://sso.example.org/realms/ALMA; http on loopback only"
    )
    client_id: str = Field(min_length=1, description="Our client at the provider")
    client_secret: SecretStr | None = Field(default=None, description="Its secret; none for a public client")
    audience: str = Field(min_length=1, description="What tokens of programs must be made for (aud)")
    scope: str = Field(default="openid profile email", description="What is asked of the provider at sign-in")
    account_claim: str = Field(default="preferred_username", description="Claim with the ALMA account")
    name_claim: str = Field(default="name", description="Claim with the person's name")
    email_claim: str = Field(default="email", description="Claim with the e-mail address; must be verified")
    roles_claim: str = Field(default="realm_access.roles", description="Claim with the roles; dots lead into objects")
    user_role: str | None = Field(default=None, description="Role that users need; everybody is one if unset")
    operator_role: str = Field(default="alma-restore-operator", description="Role of operators")
    submitter_role: str = Field(default="alma-restore-submitter", description="Role of programs that ask for others")
    leeway_seconds: int = Field(default=30, ge=0, le=300, description="How far clocks may differ")
    keys_seconds: float = Field(default=3600.0, gt=0, description="How long the provider's keys are believed")
    timeout_seconds: float = Field(default=10.0, gt=0, description="How long the provider may take to answer")

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        parts = urlsplit(self.issuer)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError("issuer: tokens over plain http can be forged on the way: use https")
        return self


SignIn = Annotated[LocalSignIn | OidcSignIn, Field(discriminator="kind")]


class WebSettings(BaseSettings):
    """Where the web server listens, and what it lets in."""

    model_config = SettingsConfigDict(
        env_prefix="ALMA_RESTORE_REQUEST_DESK_WEB_",
        env_nested_delimiter="__",
        frozen=True,
        hide_input_in_errors=True,
    )

    port: int | None = Field(
        default=None, ge=0, le=65535, description="Port to listen on; 0 takes a free one. No web server if unset"
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on")
    base_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#@]+$",
        description="How users reach it, without a path, e.g. https://restore.example.org; host and port if unset",
    )
    sign_in: SignIn = Field(default=LocalSignIn(), description="Who may come in")
    session_secret: SecretStr | None = Field(
        default=None, description="Signs sessions, 32 characters or more; made anew at each start if unset"
    )
    session_hours: float = Field(default=8.0, gt=0, le=168, description="How long a sign-in lasts")
    trusted_proxies: str = Field(
        default="", description="Addresses of reverse proxies whose X-Forwarded-For is believed, with commas"
    )
    body_bytes: int = Field(default=64 * 1024, ge=1024, description="Longest body of a call")
    reads_per_minute: int = Field(default=1200, ge=1, description="Calls of one user that read")
    changes_per_minute: int = Field(default=60, ge=1, description="Calls of one user that change something")
    sign_ins_per_minute: int = Field(default=30, ge=1, description="Calls of one address that is not signed in")
    streams_per_user: int = Field(default=20, ge=1, description="Live views that one user may have open")
    streams: int = Field(default=5000, ge=1, description="Live views that may be open in one process")
    active_per_user: int = Field(default=50, ge=1, description="Requests of one user that may be under way")
    active_in_all: int = Field(
        default=400, ge=1, description="Requests under way from which on users get equal shares of this number"
    )
    threads: int = Field(default=8, ge=1, le=64, description="Calls that read the ledger at a time")

    @model_validator(mode="after")
    def _local_is_local(self) -> Self:
        is_local = isinstance(self.sign_in, LocalSignIn) and not self.sign_in.published_on_loopback
        if is_local and not is_loopback(self.host):
            raise ValueError(
                f"host: the local sign-in listens on loopback only, and {self.host} is not: "
                "set ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__KIND=oidc to let others in"
            )
        return self

    @model_validator(mode="after")
    def _is_reachable(self) -> Self:
        if self.port is not None and self.base_url is None and not is_loopback(self.host):
            raise ValueError("base_url: say how users reach this server, e.g. https://restore.example.org")
        return self

    @model_validator(mode="after")
    def _secret_is_long(self) -> Self:
        secret = self.session_secret
        if secret is not None and len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"session_secret: give {SHORTEST_SECRET} characters or more")
        return self


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and no other: a loopback address, or the name ``localhost``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
