"""Settings of the broker."""

from pathlib import Path

import pytest
from pika import PlainCredentials
from pydantic import ValidationError

from shared.bus.settings import RabbitSettings
from shared.errors import MisconfiguredError


def test_a_password_is_never_shown() -> None:
    settings = RabbitSettings.model_validate({"url": "amqp://vera:hush-hush@broker:5672/alma"})
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert "hush-hush" not in shown
    credentials = settings.parameters("publisher").credentials
    assert isinstance(credentials, PlainCredentials)
    assert credentials.password == "hush-hush"


def test_tls_is_asked_for_by_the_address() -> None:
    settings = RabbitSettings.model_validate({"url": "amqps://vera:hush-hush@broker/alma"})
    assert settings.parameters("publisher").ssl_options is not None
    assert settings.parameters("publisher").port == 5671


@pytest.mark.parametrize("url", ["amqp://vera:hush-hush@broker:port/", "http://vera:hush-hush@broker/"])
def test_an_address_that_cannot_be_read_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValidationError, match="amqp://user:password@host") as caught:
        RabbitSettings.model_validate({"url": url})
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("url", ["amqp://vera:hush-hush@broker/", "http://vera:hush-hush@:x/", "broker:15672"])
def test_an_address_of_the_management_plugin_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValidationError, match="http://host:15672 is wanted") as caught:
        RabbitSettings.model_validate({"management_url": url})
    assert "hush-hush" not in str(caught.value)


def test_certificates_may_be_for_the_management_plugin_alone(tmp_path: Path) -> None:
    given = {"management_url": "https://broker:15671", "ca_file": tmp_path / "missing.pem"}
    with pytest.raises(MisconfiguredError, match=r"missing\.pem"):
        RabbitSettings.model_validate(given).tls_context()


@pytest.mark.parametrize("prefix", ["", "a.b", "a b", "a#"])
def test_a_prefix_is_a_plain_name(prefix: str) -> None:
    with pytest.raises(ValidationError, match="prefix"):
        RabbitSettings(prefix=prefix)


def test_a_certificate_that_cannot_be_read_is_told_with_file_cause_and_variables(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    settings = RabbitSettings.model_validate({"url": "amqps://broker", "ca_file": missing})
    with pytest.raises(MisconfiguredError) as refused:
        settings.tls_context()
    assert f"({missing}): No such file or directory; check ALMA_RESTORE_BUS__CA_FILE" in str(refused.value)
    missing.write_text("none")
    with pytest.raises(MisconfiguredError, match=r"ca\.pem"):
        settings.tls_context()


def test_certificates_without_tls_are_refused() -> None:
    with pytest.raises(ValidationError, match="amqps"):
        RabbitSettings.model_validate({"url": "amqp://broker/", "ca_file": "/ca.pem"})


def test_a_certificate_of_our_own_needs_its_key() -> None:
    with pytest.raises(ValidationError, match="give both or none"):
        RabbitSettings.model_validate({"url": "amqps://broker/", "client_certificate": "/own.pem"})


def test_a_certificate_that_is_missing_is_named() -> None:
    settings = RabbitSettings.model_validate({"url": "amqps://vera:hush-hush@broker/", "ca_file": "/missing/ca.pem"})
    with pytest.raises(MisconfiguredError, match=r"/missing/ca\.pem") as caught:
        settings.parameters("publisher")
    assert "hush-hush" not in str(caught.value)
