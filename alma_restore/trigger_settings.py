"""Settings of the commands with the old names."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.messages.parts import EmailText, LineText
from services.notifier.settings import MailSettings


class TriggerSettings(BaseSettings):
    """Where trigger files are placed, and who gets the request mail."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_TRIGGER_", env_nested_delimiter="__", frozen=True)

    directory: Path = Field(description="Directory of trigger files")
    contact: EmailText | None = Field(default=None, description="The ARC person who gives the command, unless named")
    operations: EmailText = Field(description="Gets the request mail")
    support: EmailText = Field(description="Gets a copy, and stands in the trigger's line 'CC email'")
    sender: EmailText = Field(description="From: of the request mail")
    message_id_domain: str = Field(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
        description="Right side of its Message-ID, as the notifier has it",
    )
    mail: MailSettings = Field(description="How mails travel, as for the notifier")


class StagecalmsSettings(BaseSettings):
    """For whom data is staged when the command does not say."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_STAGECALMS_", frozen=True)

    user_name: LineText | None = Field(default=None, description="Name of the user")
    user_email: EmailText | None = Field(default=None, description="E-mail address of the user")
    contact: EmailText | None = Field(default=None, description="Who is told of a refusal")
