"""The time that a handler needs, against the time that the broker gives."""

from functools import partial

import pytest

from shared.bus.patience import consumer_arguments
from shared.errors import MisconfiguredError

HOUR = 3600.0
ask = partial(consumer_arguments, "casa-runner", queue_timeout=None, broker_timeout=None)


@pytest.mark.parametrize("version", ["4.3.0", "4.3.5", "4.4.0", "5.0.0"])
def test_from_4_3_on_the_consumer_asks_for_the_time_that_it_needs(version: str) -> None:
    assert ask(longest=48 * HOUR, version=version, queue_timeout=HOUR) == {"x-consumer-timeout": 49 * 3_600_000}


@pytest.mark.parametrize("version", ["3.12.0", "3.13.7", "4.0.5", "4.2.1"])
def test_from_3_12_on_the_queue_has_to_give_the_time_since_the_consumer_is_not_heard(version: str) -> None:
    assert ask(longest=48 * HOUR, version=version, queue_timeout=49 * HOUR) == {}
    with pytest.raises(MisconfiguredError, match=rf"RabbitMQ {version} takes it back after 176399 s") as caught:
        ask(longest=48 * HOUR, version=version, queue_timeout=49 * HOUR - 1)
    assert "ALMA_RESTORE_BUS__HOLD_LIMIT=176400" in str(caught.value)


def test_what_the_queue_says_counts_before_the_brokers_file() -> None:
    with pytest.raises(MisconfiguredError, match="after 3600 s"):
        ask(longest=48 * HOUR, version="4.0.5", queue_timeout=HOUR, broker_timeout=96 * HOUR)


@pytest.mark.parametrize("version", ["3.10.8", "3.8.19", "3.11.14"])
def test_before_a_service_with_long_work_does_not_start_and_says_what_to_set(version: str) -> None:
    with pytest.raises(MisconfiguredError, match=rf"RabbitMQ {version} takes it back after 1800 s") as caught:
        ask(longest=48 * HOUR, version=version, queue_timeout=96 * HOUR)
    assert "`consumer_timeout = 176400000` into rabbitmq.conf" in str(caught.value)
    assert "ALMA_RESTORE_BUS__BROKER_CONSUMER_TIMEOUT=176400" in str(caught.value)


def test_before_what_the_brokers_file_is_said_to_allow_is_believed() -> None:
    assert ask(longest=48 * HOUR, version="3.10.8", broker_timeout=49 * HOUR) == {}
    with pytest.raises(MisconfiguredError, match=r"may hold an event for 176400 s, .* after 176399 s"):
        ask(longest=48 * HOUR, version="3.10.8", broker_timeout=49 * HOUR - 1)


def test_quick_work_asks_for_nothing() -> None:
    assert ask(longest=None, version="3.10.8") == {}
    assert ask(longest=60.0, version="3.10.8") == {}
