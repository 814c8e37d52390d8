"""Settings of the RabbitMQ adapter."""

import pika
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class RabbitSettings(BaseModel):
    """Where the broker is and how it is used. All times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr = Field(
        default=SecretStr("amqp://guest:guest@localhost:5672/%2F"),
        description="amqp://user:password@host:port/vhost, or amqps:// for TLS",
    )
    prefix: str = Field(
        default="alma-restore",
        pattern=r"^[A-Za-z0-9_-]{1,60}$",
        description="Begins the names of all exchanges and queues",
    )
    heartbeat: int = Field(default=30, ge=1, description="A peer silent for two of these is taken for dead")
    connect_timeout: float = Field(default=30.0, gt=0, description="How long a start waits for the broker")
    confirm_timeout: float = Field(default=30.0, gt=0, description="How long a publish waits for its confirmation")
    reconnect_delay: float = Field(default=0.2, gt=0, description="Wait before the first try to reconnect")
    reconnect_delay_max: float = Field(default=10.0, gt=0, description="Longest wait between tries to reconnect")
    window: int = Field(default=1000, ge=1, description="Messages that may be on their way unconfirmed")
    delivery_limit: int = Field(
        default=20, ge=1, description="Times a message may come back before it is a dead letter"
    )
    settle_time: float = Field(
        default=1.0, ge=0, description="Wait after queues were made: a broker that dies within 0.5 s can break them"
    )
    journal_bytes: int = Field(default=2_000_000_000, ge=1, description="How much of all events the journal keeps")
    journal_age: str = Field(default="90D", pattern=r"^[0-9]+[YMDhms]$", description="How long the journal keeps them")

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretStr) -> SecretStr:
        """Refuse an address that pika cannot read, without showing the password in it."""
        text = url.get_secret_value()
        try:
            pika.URLParameters(text)
        except (ValueError, TypeError):
            text = ""
        if not text.startswith(("amqp://", "amqps://")):
            raise ValueError("not an address of RabbitMQ: amqp://user:password@host:port/vhost is wanted")
        return url

    def parameters(self, name: str) -> pika.URLParameters:
        """Make the parameters of a connection that shows ``name`` to the broker's operator."""
        parameters = pika.URLParameters(self.url.get_secret_value())
        parameters.heartbeat = self.heartbeat
        parameters.connection_attempts = 1
        parameters.socket_timeout = 10.0
        parameters.stack_timeout = 15.0
        parameters.client_properties = {"connection_name": f"{self.prefix} {name}"}
        return parameters
