"""Asks RabbitMQ's management plugin for bindings, policies and names of queues, which AMQP has no question for."""

import ssl
from typing import Any, Literal, TypeVar
from urllib.parse import quote, unquote, urlsplit

import pika
import urllib3
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.bus.policies import Policy
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Binding
from shared.errors import DependencyAwayError, MisconfiguredError, behind

_SETTING = "ALMA_RESTORE_BUS__MANAGEMENT_URL"
_COLUMNS = "source,destination,destination_type,routing_key,arguments"
_DEFAULT_EXCHANGE = ""


class _Told(BaseModel):
    """A binding as the management plugin tells it, from RabbitMQ 3.10 to 4."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: str
    destination: str
    destination_type: Literal["queue", "exchange"]
    routing_key: str
    arguments: dict[str, Any] | list[Any]  # some releases write none as a list

    def binding(self) -> Binding:
        """Say it as we do."""
        is_queue = self.destination_type == "queue"
        return Binding(
            exchange=self.source,
            topic=self.routing_key,
            queue=self.destination if is_queue else None,
            to_exchange=None if is_queue else self.destination,
            has_arguments=bool(self.arguments),
        )


class _ToldPolicy(BaseModel):
    """A policy as the management plugin tells it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    pattern: str
    applies_to: str = Field(alias="apply-to")
    priority: int
    definition: dict[str, Any]


class _ToldQueue(BaseModel):
    """A queue as the management plugin tells it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str


_ALL_QUEUES = TypeAdapter(list[_ToldQueue])
_ALL_TOLD = TypeAdapter(list[_Told])
_ALL_POLICIES = TypeAdapter(list[_ToldPolicy])
T = TypeVar("T")


def bindings_in(settings: RabbitSettings) -> frozenset[Binding]:
    """Read all bindings of the bus's virtual host but those that every queue has by its name.

    Raises
    ------
    DependencyAwayError
        If the management plugin does not answer.
    MisconfiguredError
        If it does not let us in, or something else answers there.
    """
    body, shown = _ask(settings, "bindings", f"?columns={_COLUMNS}")
    return read(body, shown=shown)


def read(body: bytes, *, shown: str = "") -> frozenset[Binding]:
    """Read the management plugin's answer.

    Raises
    ------
    MisconfiguredError
        If it is none.
    """
    told = _read(_ALL_TOLD, body, shown)
    return frozenset(each.binding() for each in told if each.source != _DEFAULT_EXCHANGE)


def policies_in(settings: RabbitSettings) -> tuple[Policy, ...]:
    """Read all policies and operator policies of the bus's virtual host.

    Raises
    ------
    DependencyAwayError
        If the management plugin does not answer.
    MisconfiguredError
        If it does not let us in, or something else answers there.
    """
    found: list[Policy] = []
    for what, is_operators in (("policies", False), ("operator-policies", True)):
        body, shown = _ask(settings, what)
        told = _read(_ALL_POLICIES, body, shown)
        found += [Policy(**each.model_dump(), is_operators=is_operators) for each in told]
    return tuple(found)


def queues_in(settings: RabbitSettings) -> tuple[str, ...]:
    """Read the names of all queues of the bus's virtual host.

    Raises
    ------
    DependencyAwayError
        If the management plugin does not answer.
    MisconfiguredError
        If it does not let us in, or something else answers there.
    """
    body, shown = _ask(settings, "queues", "?columns=name")
    return tuple(each.name for each in _read(_ALL_QUEUES, body, shown))


def _read(adapter: TypeAdapter[T], body: bytes, shown: str) -> T:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        raise MisconfiguredError(
            f"what answers at {shown} is not RabbitMQ's management plugin: check {_SETTING} "
            f"({error.errors()[0]['msg']})"
        ) from error


def _ask(settings: RabbitSettings, what: str, query: str = "") -> tuple[bytes, str]:
    """Ask for all of something in the bus's virtual host; return the answer, and the address to show."""
    assert settings.management_url is not None
    address = urlsplit(settings.management_url.get_secret_value())
    user, password = _account(settings)
    shown = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path.rstrip('/')}"
    vhost = quote(pika.URLParameters(settings.url.get_secret_value()).virtual_host, safe="")
    try:
        with _pool(settings, address.scheme) as pool:
            answer = pool.request(
                "GET",
                f"{shown}/api/{what}/{vhost}{query}",
                headers=urllib3.make_headers(basic_auth=f"{user}:{password}") | {"Accept": "application/json"},
            )
    except urllib3.exceptions.HTTPError as error:
        raise DependencyAwayError(
            f"RabbitMQ's management plugin does not answer at {shown}: {behind(error)}; "
            f"enable it (rabbitmq-plugins enable rabbitmq_management), and check {_SETTING}"
        ) from error
    _check(answer, shown=shown, user=user)
    return answer.data, shown


def _check(answer: urllib3.BaseHTTPResponse, *, shown: str, user: str) -> None:
    if answer.status == 200:
        return
    if answer.status in (401, 403):
        raise MisconfiguredError(
            f"RabbitMQ's management plugin at {shown} does not let {user!r} in ({answer.status}{_reason(answer)}): "
            f"check the password, and let it ask (rabbitmqctl set_user_tags {user} management)"
        )
    if answer.status >= 500:
        raise DependencyAwayError(f"RabbitMQ's management plugin at {shown} answers {answer.status}")
    raise MisconfiguredError(
        f"{shown} answers {answer.status}, not as RabbitMQ's management plugin does: check {_SETTING}, "
        "and that the virtual host is there"
    )


def _reason(answer: urllib3.BaseHTTPResponse) -> str:
    try:
        return f": {answer.json()['reason']}"
    except (ValueError, KeyError, TypeError):
        return ""


def _account(settings: RabbitSettings) -> tuple[str, str]:
    """Return user and password: the address' own, or those of the bus."""
    assert settings.management_url is not None
    address = urlsplit(settings.management_url.get_secret_value())
    if address.username is not None:
        return unquote(address.username), unquote(address.password or "")
    credentials = pika.URLParameters(settings.url.get_secret_value()).credentials
    assert isinstance(credentials, pika.PlainCredentials)
    return credentials.username, credentials.password


def _pool(settings: RabbitSettings, scheme: str) -> urllib3.PoolManager:
    context: ssl.SSLContext | None = settings.tls_context() if scheme == "https" else None
    return urllib3.PoolManager(
        retries=urllib3.Retry(0, redirect=False),
        timeout=urllib3.Timeout(settings.management_timeout),
        ssl_context=context,
    )
