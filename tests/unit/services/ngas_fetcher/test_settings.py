"""Settings come from the environment, lists separated by commas."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.ngas_fetcher.settings import NgasFetcherSettings


def test_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_HOSTS", "ngas1:7777, https://ngas2:7778,")
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_LOCATION_DIRECTORY", "/locations")
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_PASSWORD", "secret")
    settings = NgasFetcherSettings()
    assert settings.hosts == ("ngas1:7777", "https://ngas2:7778")
    assert settings.location_directory == Path("/locations")
    assert "secret" not in repr(settings)


def test_an_archive_must_be_named() -> None:
    with pytest.raises(ValidationError, match="hosts"):
        NgasFetcherSettings(hosts=(), location_directory=Path("/locations"))
