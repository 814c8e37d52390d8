"""Settings of either store."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.objects import DirectorySettings, S3Settings, StoreSettings, open_store
from shared.objects.directory import DirectoryStore
from shared.objects.s3 import S3Store

ADAPTER: TypeAdapter[DirectorySettings | S3Settings] = TypeAdapter(StoreSettings)
S3 = {"kind": "s3", "endpoint": "http://host:9000", "access_key": "a", "secret_key": "hidden", "bucket": "bucket"}


def test_the_kind_says_which_store_is_opened(tmp_path: Path) -> None:
    directory = open_store(ADAPTER.validate_python({"kind": "directory", "root": tmp_path / "new"}))
    assert isinstance(directory, DirectoryStore)
    assert directory.is_ready()
    s3 = open_store(ADAPTER.validate_python(S3))
    assert isinstance(s3, S3Store)
    s3.close()


def test_the_secret_is_not_printed() -> None:
    assert "hidden" not in repr(ADAPTER.validate_python(S3))


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "host:9000"},
        {"endpoint": "ftp://host"},
        {"public_endpoint": "host"},
        {"endpoint": "http://"},
        {"endpoint": "http://host/bucket"},
        {"bucket": "A"},
        {"bucket": ""},
        {"access_key": ""},
        {"unknown": 1},
        {"read_timeout_seconds": 0},
    ],
)
def test_a_wrong_setting_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        ADAPTER.validate_python(S3 | change)


@pytest.mark.parametrize("endpoint", ["http://host:9000", "https://s3.example.org", "http://127.0.0.1:9000/"])
def test_an_endpoint_is_a_server(endpoint: str) -> None:
    settings = ADAPTER.validate_python(S3 | {"endpoint": endpoint})
    assert isinstance(settings, S3Settings)
    assert settings.endpoint == endpoint.rstrip("/")
