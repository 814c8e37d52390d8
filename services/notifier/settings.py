"""Settings of the notifier: where results are laid out, who writes to whom, and how mails travel."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.messages.parts import EmailText, LineText


class DirectoryMailSettings(BaseModel):
    """Mails are written to a directory: for a demonstration, or for another program to send."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="forbid")

    kind: Literal["directory"] = "directory"
    folder: Path = Field(description="Directory of the .eml files; created if it is missing")


class SmtpSettings(BaseModel):
    """Mails are handed to an SMTP server."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="forbid")

    kind: Literal["smtp"] = "smtp"
    host: str = Field(min_length=1, description="Name or address of the mail server")
    port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls: upgrade and insist; tls: from the first byte; none: plain text"
    )
    ca_file: Path | None = Field(default=None, description="Certificates to trust instead of the system's")
    user: str | None = Field(default=None, description="Account to log in with; no login if unset")
    password: SecretStr = Field(default=SecretStr(""), description="Password of the account; never logged")
    timeout_seconds: float = Field(default=30, gt=0, description="Wait for each answer of the server, seconds")


MailSettings = Annotated[DirectoryMailSettings | SmtpSettings, Field(discriminator="kind")]
"""Settings of either way of mails, told apart by ``kind``."""


class NotifierSettings(BaseSettings):
    """Settings of the notifier; what only a site can know has no default.

    Members of ``mail`` follow two underscores: ``ALMA_RESTORE_NOTIFIER_MAIL__KIND``.
    """

    model_config = SettingsConfigDict(
        env_prefix="ALMA_RESTORE_NOTIFIER_", env_nested_delimiter="__", frozen=True, hide_input_in_errors=True
    )

    deliveries: Path | None = Field(
        default=None,
        description="Directory that a web server shows; each delivery is a directory in it. "
        "Unset: deliveries lie in the store alone, and the request desk serves them",
    )
    public_url: str = Field(
        pattern=r"""^(https?|file)://[^\s'"<>\\]+$""",
        description="Address of that directory as users reach it, or of the request desk's deliveries",
    )
    retention_days: int = Field(default=28, ge=1, le=3650, description="Days until a delivery is deleted")

    mail: MailSettings = Field(description="How mails travel")
    sender: EmailText = Field(description="From: of every mail; bounces go there")
    no_reply: EmailText = Field(description="Reply-To: of mails to users")
    support: EmailText = Field(description="Gets failures with their logs, and a blind copy of every delivery")
    operations: EmailText = Field(description="Gets a blind copy of every delivery, and replies to refusals")
    message_id_domain: str = Field(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", description="Right side of every Message-ID"
    )
    signature: LineText = Field(default="The ESO ALMA Team", description="Last line of mails to users")

    plain_log_bytes: int = Field(default=256 * 1024, ge=1, description="A longer log is attached compressed")
    attached_log_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Of a log that is longer even compressed only the end is attached"
    )
    attached_total_bytes: int = Field(
        default=7 * 1024 * 1024, ge=0, description="Logs beyond this total are named in the mail, not attached"
    )
    lease_seconds: float = Field(
        default=30.0, gt=0, description="How long a process that died while it sent a mail keeps others from sending it"
    )
    concurrency: int = Field(default=2, ge=1, le=32, description="Events that one process handles at a time")
    longest: float = Field(
        default=2 * 24 * 3600.0,
        gt=0,
        description="Seconds that laying out a delivery in that directory may take; RabbitMQ has to let its event be "
        "held for so long",
    )

    @field_validator("public_url")
    @classmethod
    def _without_last_slash(cls, value: str) -> str:
        return value.rstrip("/")
