"""The bus over TLS, with certificates by settings."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from traceback import format_exception

import pytest

from contracts.envelope import Event
from shared.bus import Delivery, Subscription
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.errors import DependencyAwayError
from tests.contract.bus_harness import Collector, started
from tests.support.certificates import Certificate, certificate_for
from tests.support.rabbitmq import RabbitServer

STARTED = "restore.started"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_for("127.0.0.1", tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def server(certificate: Certificate) -> Iterator[RabbitServer]:
    with RabbitServer(tls=certificate) as server:
        yield server


def settings(server: RabbitServer, **files: Path) -> RabbitSettings:
    url = f"amqps://guest:guest@127.0.0.1:{server.tls_port}/%2F"
    return RabbitSettings.model_validate({"url": url, "settle_time": 0, "connect_timeout": 1.0, **files})


def test_events_travel_over_tls_to_a_broker_whose_certificate_we_were_given(
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
    events, event = Collector[Event](), started()

    def handler(event: Event, delivery: Delivery) -> Sequence[Event]:
        events(event)
        return ()

    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=handler))
    bus.publish([event])
    assert events.wait_for(1) == [event]
    bus.close()


def test_a_broker_whose_certificate_nobody_vouches_for_is_not_spoken_to(server: RabbitServer) -> None:
    bus = RabbitBus(settings=settings(server))
    with pytest.raises(DependencyAwayError, match=r"(?i)certificate") as caught:
        bus.declare({"casa-runner": (STARTED,)})
    bus.close()
    assert "guest" not in "".join(format_exception(caught.value))
