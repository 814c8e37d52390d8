"""What a broken setting shows: where and what, never a password."""

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from services.ngas_fetcher.settings import NgasFetcherSettings
from services.notifier.settings import NotifierSettings
from shared.settings import RuntimeSettings, explain

SECRET = "hush-hush"
CASES: list[tuple[type[BaseSettings], dict[str, object]]] = [
    (RuntimeSettings, {"bus": {"url": f"amqp://vera:{SECRET}@broker:port/"}, "store": {"kind": "directory"}}),
    (RuntimeSettings, {"bus": f"amqp://vera:{SECRET}@broker/", "store": {"kind": "directory"}}),
    (
        RuntimeSettings,
        {"store": {"kind": "s3", "endpoint": "x", "access_key": "a", "secret_key": SECRET, "bucket": "bucket"}},
    ),
    (RuntimeSettings, {"store": {"kind": "s3", "password": SECRET}}),
    (NotifierSettings, {"mail": {"kind": "smtp", "host": "", "password": SECRET}}),
    (NgasFetcherSettings, {"password": [SECRET]}),
]


@pytest.mark.parametrize(("settings", "given"), CASES)
def test_a_broken_setting_is_told_without_the_secret_in_it(
    settings: type[BaseSettings], given: dict[str, object]
) -> None:
    with pytest.raises(ValidationError) as caught:
        settings.model_validate(given)
    assert SECRET not in str(caught.value) + repr(caught.value) + explain(caught.value)
