"""Settings of the ledger."""

from collections.abc import Mapping

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.request_desk.ledger.states import Step
from services.request_desk.ledger.stuck import LIMITS
from shared.errors import MisconfiguredError


class LedgerSettings(BaseSettings):
    """Where the ledger is kept, and when a request counts as stuck."""

    model_config = SettingsConfigDict(
        env_prefix="ALMA_RESTORE_REQUEST_DESK_LEDGER_", frozen=True, hide_input_in_errors=True
    )

    url: SecretStr | None = Field(
        default=None,
        description="sqlite:////folder/ledger.db, or postgresql+psycopg://user:password@host/database; "
        "no ledger is kept if unset",
    )
    migrate: bool = Field(default=True, description="Whether the desk brings the tables to its release when it starts")
    look_seconds: float = Field(default=30.0, gt=0, description="How often stuck requests are looked for")
    limit_entitlement: float = Field(
        default=LIMITS[Step.ENTITLEMENT], gt=0, description="Seconds in which a request is accepted or refused"
    )
    limit_structure: float = Field(
        default=LIMITS[Step.STRUCTURE], gt=0, description="Seconds in which its structure is known"
    )
    limit_fetch: float = Field(
        default=LIMITS[Step.FETCH], gt=0, description="Seconds in which more bytes of a block arrive"
    )
    limit_prepare: float = Field(
        default=LIMITS[Step.PREPARE], gt=0, description="Seconds in which the processing request of a block is made"
    )
    limit_queue: float = Field(
        default=LIMITS[Step.QUEUE], gt=0, description="Seconds in which a runner takes up a block"
    )
    limit_restore: float = Field(
        default=LIMITS[Step.RESTORE], gt=0, description="Seconds in which a restore gets further"
    )
    limit_conclude: float = Field(
        default=LIMITS[Step.CONCLUDE], gt=0, description="Seconds in which the end of the last block is concluded"
    )
    limit_release: float = Field(
        default=LIMITS[Step.RELEASE],
        gt=0,
        description="Seconds in which it is asked again whether the user may have the data",
    )
    limit_delivery: float = Field(
        default=LIMITS[Step.DELIVERY], gt=0, description="Seconds in which the delivery is announced"
    )
    limit_mail: float = Field(
        default=LIMITS[Step.MAIL], gt=0, description="Seconds in which the mail about a refusal or failure is out"
    )

    def address(self) -> str:
        """Return the URL of the ledger's database.

        Raises
        ------
        MisconfiguredError
            If none is set.
        """
        if self.url is None:
            raise MisconfiguredError("no ledger is named: set ALMA_RESTORE_REQUEST_DESK_LEDGER_URL")
        return self.url.get_secret_value()

    def limits(self) -> Mapping[Step, float]:
        """Return the seconds that each step may take without going forward."""
        return {step: getattr(self, f"limit_{step.value}") for step in Step}
