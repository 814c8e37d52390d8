"""Settings come from the environment, lists separated by commas."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.ngas_fetcher.pool import LARGE_TRANSFER, memory_of
from services.ngas_fetcher.settings import NgasFetcherSettings
from shared.settings import explain


def test_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_HOSTS", "ngas1:7777, https://ngas2:7778,")
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_LOCATION_DIRECTORY", "/locations")
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_PASSWORD", "secret")
    settings = NgasFetcherSettings()
    assert settings.hosts == ("ngas1:7777", "https://ngas2:7778")
    assert settings.location_directory == Path("/locations")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "wrong", ['["ngas1:7777"]', "ngas1:port", "ftp://ngas1", "ngas 1:7777", "[::1:7777", "http://"]
)
@pytest.mark.parametrize("member", ["hosts", "allowed_hosts", "direct_copy_hosts"])
def test_what_is_no_server_is_refused_with_how_servers_are_written(
    member: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_HOSTS", "ngas:7777,10.0.0.1:7777,[::1]:7777,https://ngas_2.example")
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_LOCATION_DIRECTORY", "/locations")
    monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_DIRECT_COPY_DIRECTORY", "/copies")
    assert len(NgasFetcherSettings().hosts) == 4
    monkeypatch.setenv(f"ALMA_RESTORE_NGAS_FETCHER_{member.upper()}", wrong)
    with pytest.raises(ValidationError) as refused:
        NgasFetcherSettings()
    said = explain(refused.value)
    assert f"{wrong!r} is no server: host:7777,host2:7777 or https://host:7778 is wanted" in said
    assert f"(environment: ALMA_RESTORE_NGAS_FETCHER_{member.upper()})" in said


def test_an_archive_must_be_named() -> None:
    with pytest.raises(ValidationError, match="hosts"):
        NgasFetcherSettings(hosts=(), location_directory=Path("/locations"))


def test_less_memory_than_one_large_file_takes_is_refused_with_how_much_that_is() -> None:
    with pytest.raises(ValidationError) as refused:
        NgasFetcherSettings(hosts=("ngas:7777",), location_directory=Path("/locations"), memory=LARGE_TRANSFER - 1)
    assert explain(refused.value).startswith(
        "memory: must be at least 100663296: so many bytes the transfer of one large file holds"
    )
    enough = NgasFetcherSettings(hosts=("ngas:7777",), location_directory=Path("/locations"), memory=LARGE_TRANSFER)
    assert enough.memory == LARGE_TRANSFER == memory_of(10 << 30)
