"""The time that a handler needs, against the time that the broker gives."""

import pytest

from shared.bus.patience import consumer_arguments
from shared.errors import MisconfiguredError

HOUR = 3600.0


@pytest.mark.parametrize("version", ["3.12.0", "3.13.7", "4.0.5", "4.3.1"])
def test_from_3_12_on_the_consumer_asks_for_the_time_that_it_needs(version: str) -> None:
    arguments = consumer_arguments("casa-runner", longest=48 * HOUR, version=version, broker_timeout=None)
    assert arguments == {"x-consumer-timeout": 49 * 3_600_000}


@pytest.mark.parametrize("version", ["3.10.8", "3.8.19", "3.11.14"])
def test_before_a_service_with_long_work_does_not_start_and_says_what_to_set(version: str) -> None:
    with pytest.raises(MisconfiguredError, match=rf"RabbitMQ {version} takes it back after 1800 s") as caught:
        consumer_arguments("casa-runner", longest=48 * HOUR, version=version, broker_timeout=None)
    assert "`consumer_timeout = 176400000` into rabbitmq.conf" in str(caught.value)
    assert "ALMA_RESTORE_BUS__BROKER_CONSUMER_TIMEOUT=176400" in str(caught.value)


def test_before_what_the_brokers_file_is_said_to_allow_is_believed() -> None:
    given = {"longest": 48 * HOUR, "version": "3.10.8"}
    assert consumer_arguments("casa-runner", broker_timeout=48 * HOUR, **given) == {}  # type: ignore[arg-type]  # a table of keywords
    with pytest.raises(MisconfiguredError, match="after 172799 s"):
        consumer_arguments("casa-runner", broker_timeout=48 * HOUR - 1, **given)  # type: ignore[arg-type]  # a table of keywords


def test_quick_work_asks_for_nothing() -> None:
    assert consumer_arguments("notifier", longest=None, version="3.10.8", broker_timeout=None) == {}
    assert consumer_arguments("notifier", longest=60.0, version="3.10.8", broker_timeout=None) == {}
