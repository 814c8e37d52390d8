"""Settings of whoever calls the request desk over HTTP: where it is, and by which token one is known."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class DeskAccess(BaseSettings):
    """Where the request desk is, and who calls.

    A person gives a token; a program gives its client at the provider, and gets tokens by itself.
    """

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_DESK_", frozen=True, hide_input_in_errors=True)

    url: str | None = Field(
        default=None, pattern=r"^https?://[^\s/?#@]+$", description="The desk, e.g. https://restore.example.org"
    )
    token: SecretStr | None = Field(default=None, description="Bearer token, or the key of a local sign-in")
    token_url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="Token endpoint of the provider, for client credentials"
    )
    client_id: str | None = Field(default=None, description="The program's client at the provider")
    client_secret: SecretStr | None = Field(default=None, description="Its secret")
    ca_file: Path | None = Field(default=None, description="Certificates to trust instead of the system's (PEM)")
    timeout_seconds: float = Field(default=60.0, gt=0, description="How long an answer may take")

    @model_validator(mode="after")
    def _credentials_are_whole(self) -> Self:
        given = (self.token_url, self.client_id, self.client_secret)
        if any(given) and not all(given):
            raise ValueError("token_url, client_id and client_secret belong together: give all or none")
        return self
