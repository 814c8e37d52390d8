"""The bus over TLS, with certificates by settings."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from traceback import format_exception

import pytest

from contracts.envelope import Event
from shared.bus import Delivery, Subscription
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.errors import DependencyAwayError, MisconfiguredError
from tests.contract.bus_harness import Collector, started
from tests.support.certificates import Certificate, certificate_for
from tests.support.rabbitmq import RabbitServer

STARTED = "restore.started"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_for("127.0.0.1", tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_for("127.0.0.2", tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(certificate: Certificate, authority: Certificate) -> Iterator[RabbitServer]:
    """A broker that asks who wants in for a certificate."""
    with RabbitServer(tls=certificate, clients=authority) as server:
        yield server


def settings(server: RabbitServer, *, connect_timeout: float = 20.0, **files: Path) -> RabbitSettings:
    url = f"amqps://guest:guest@127.0.0.1:{server.tls_port}/%2F"
    return RabbitSettings.model_validate({"url": url, "settle_time": 0, "connect_timeout": connect_timeout, **files})


def test_events_travel_over_tls_to_a_broker_that_knows_our_certificate_as_we_know_its_own(
    server: RabbitServer, certificate: Certificate, authority: Certificate, tmp_path: Path
) -> None:
    ours = certificate_for("127.0.0.3", tmp_path, signed_by=authority)
    bus = RabbitBus(
        settings=settings(
            server,
            ca_file=certificate.certificate,
            client_certificate=ours.certificate,
            client_key=ours.key,
        )
    )
    events, event = Collector[Event](), started()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        events(event)
        return ()

    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    bus.publish([event])
    assert events.wait_for(1) == [event]
    bus.close()


def test_a_broker_whose_certificate_nobody_vouches_for_is_not_spoken_to(server: RabbitServer) -> None:
    bus = RabbitBus(settings=settings(server, connect_timeout=1.0))
    with pytest.raises(DependencyAwayError, match=r"(?i)certificate") as caught:
        bus.declare({"casa-runner": (STARTED,)})
    bus.close()
    assert "guest" not in "".join(format_exception(caught.value))


def test_a_broker_that_asks_for_a_certificate_of_ours_is_told_of_with_what_to_set(
    server: RabbitServer, certificate: Certificate
) -> None:
    bus = RabbitBus(settings=settings(server, ca_file=certificate.certificate))
    with pytest.raises(MisconfiguredError, match=r"asks for a certificate .*BUS__CLIENT_CERTIFICATE") as caught:
        bus.declare({"casa-runner": (STARTED,)})
    bus.close()
    assert "guest" not in "".join(format_exception(caught.value))


def test_a_certificate_of_ours_that_the_broker_does_not_know_is_told_of(
    server: RabbitServer, certificate: Certificate
) -> None:
    bus = RabbitBus(
        settings=settings(
            server,
            ca_file=certificate.certificate,
            client_certificate=certificate.certificate,
            client_key=certificate.key,
        )
    )
    with pytest.raises(MisconfiguredError, match=r"does not accept .*certificate\.pem"):
        bus.declare({"casa-runner": (STARTED,)})
    bus.close()
