"""Settings of the RabbitMQ adapter."""

import ssl
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pika
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from shared.errors import MisconfiguredError


class RabbitSettings(BaseModel):
    """Where the broker is and how it is used. All times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr = Field(
        default=SecretStr("amqp://guest:guest@localhost:5672/%2F"),
        description="amqp://user:password@host:port/vhost, or amqps:// for TLS",
    )
    management_url: SecretStr | None = Field(
        default=None,
        description="https://host:15671 (or http://…:15672) of RabbitMQ's management plugin, by which bindings and "
        "policies are compared; with the user and password of the bus's URL unless it has its own",
    )
    management_timeout: float = Field(default=10.0, gt=0, description="How long the management plugin may take")
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust with amqps:// and https:// instead of the system's (PEM)"
    )
    client_certificate: Path | None = Field(default=None, description="Our own certificate, if the broker asks for it")
    client_key: Path | None = Field(default=None, description="Key of our own certificate")
    prefix: str = Field(
        default="alma-restore",
        pattern=r"^[A-Za-z0-9_-]{1,60}$",
        description="Begins the names of all exchanges and queues",
    )
    heartbeat: int = Field(
        default=30,
        ge=1,
        description="Seconds of silence that are no death. The broker is taken for dead after these and 5, at most "
        "twice as long; it takes us for dead after two of these",
    )
    connect_timeout: float = Field(default=30.0, gt=0, description="How long a start waits for the broker")
    confirm_timeout: float = Field(default=30.0, gt=0, description="How long a publish waits for its confirmation")
    reconnect_delay: float = Field(default=0.2, gt=0, description="Wait before the first try to reconnect")
    reconnect_delay_max: float = Field(default=10.0, gt=0, description="Longest wait between tries to reconnect")
    window: int = Field(default=1000, ge=1, description="Messages that may be on their way unconfirmed")
    delivery_limit: int = Field(
        default=20, ge=1, description="Times a message may come back before it is a dead letter"
    )
    broker_consumer_timeout: float | None = Field(
        default=None,
        gt=0,
        description="What consumer_timeout is in rabbitmq.conf, in seconds; only needed before RabbitMQ 3.12, "
        "where nothing but that file can let a service hold an event for hours",
    )
    hold_limit: float = Field(
        default=14 * 24 * 3600.0,
        gt=0,
        le=2_147_483,
        description="How long the queues of services with long work let one event be held, from RabbitMQ 3.12 on; "
        "queues are made with it, so all services need the same value",
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
        except (ValueError, TypeError, IndexError):
            text = ""
        if not text.startswith(("amqp://", "amqps://")):
            raise ValueError("not an address of RabbitMQ: amqp://user:password@host:port/vhost is wanted")
        return url

    @field_validator("management_url")
    @classmethod
    def _check_management_url(cls, url: SecretStr | None) -> SecretStr | None:
        """Refuse an address that cannot be asked, without showing the password in it."""
        if url is None:
            return None
        try:
            split = urlsplit(url.get_secret_value())
            is_address = split.scheme in ("http", "https") and bool(split.hostname) and split.port != 0
        except ValueError:
            is_address = False
        if not is_address or split.query or split.fragment:
            raise ValueError("not an address of RabbitMQ's management plugin: http://host:15672 is wanted, or https://")
        return url

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        management = self.management_url.get_secret_value() if self.management_url else ""
        uses_tls = self.url.get_secret_value().startswith("amqps://") or management.startswith("https://")
        if (self.ca_file or self.client_certificate) and not uses_tls:
            raise ValueError("certificates are for amqps:// and https:// only; the urls say amqp:// and http://")
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key belong together: give both or none")
        return self

    def address(self) -> str:
        """Say where the broker is, without user and password, e.g. ``broker:5672 (ALMA_RESTORE_BUS__URL)``."""
        parameters = pika.URLParameters(self.url.get_secret_value())
        return f"{parameters.host}:{parameters.port} (ALMA_RESTORE_BUS__URL)"

    def parameters(self, name: str) -> pika.URLParameters:
        """Make the parameters of a connection that shows ``name`` to the broker's operator.

        Raises
        ------
        MisconfiguredError
            If a certificate or key cannot be read.
        """
        parameters = pika.URLParameters(self.url.get_secret_value())
        parameters.heartbeat = self.heartbeat
        parameters.connection_attempts = 1
        parameters.socket_timeout = 10.0
        parameters.stack_timeout = 15.0
        if parameters.ssl_options is not None:
            parameters.ssl_options = pika.SSLOptions(self.tls_context(), server_hostname=parameters.host)
        parameters.client_properties = {"connection_name": f"{self.prefix} {name}"}
        return parameters

    def tls_context(self) -> ssl.SSLContext:
        """Make what TLS connections to the broker are made with.

        Raises
        ------
        MisconfiguredError
            If a certificate or key cannot be read.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.client_certificate is not None:
                context.load_cert_chain(self.client_certificate, self.client_key)
        except OSError as error:
            files = ", ".join(str(file) for file in (self.ca_file, self.client_certificate, self.client_key) if file)
            raise MisconfiguredError(
                f"certificates of the bus cannot be read ({files}): {error.strerror or error}; "
                "check ALMA_RESTORE_BUS__CA_FILE, …__CLIENT_CERTIFICATE and …__CLIENT_KEY"
            ) from error
        return context
