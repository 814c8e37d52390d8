"""What is wrong with a setting is said with the variable of the environment that it comes from."""

from uuid import uuid4

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from contracts.messages.parts import RestoreTicket
from services.casa_runner.settings import CasaRunnerSettings
from services.ngas_fetcher.settings import NgasFetcherSettings
from services.notifier.settings import NotifierSettings
from shared.settings import BusAccess, RuntimeSettings, explain


@pytest.mark.parametrize(
    ("settings", "given", "said"),
    [
        (RuntimeSettings, {}, "store: Field required (environment: ALMA_RESTORE_STORE__KIND)"),
        (RuntimeSettings, {"STORE__KIND": "tape"}, "(environment: ALMA_RESTORE_STORE__KIND)"),
        (
            RuntimeSettings,
            {"STORE__KIND": "s3"},
            "store.endpoint: Field required (environment: ALMA_RESTORE_STORE__ENDPOINT)",
        ),
        (
            NotifierSettings,
            {"NOTIFIER_MAIL__KIND": "smtp"},
            "mail.host: Field required (environment: ALMA_RESTORE_NOTIFIER_MAIL__HOST)",
        ),
        (
            CasaRunnerSettings,
            {"CASA_RUNNER_LAUNCHER__KIND": "ship"},
            "(environment: ALMA_RESTORE_CASA_RUNNER_LAUNCHER__KIND)",
        ),
        (
            RuntimeSettings,
            {"STORE__KIND": "directory", "STORE__ROOT": "/objects", "STORE__ENDPOINT": "http://objects"},
            "is not known, or not together with what else is set: take it away "
            "(environment: ALMA_RESTORE_STORE__ENDPOINT)",
        ),
        (BusAccess, {"RETRY_DELAYS": '[1, "x"]'}, "(environment: ALMA_RESTORE_RETRY_DELAYS)"),
        (BusAccess, {"RETRY_DELAYS": "1, 10"}, "(environment: ALMA_RESTORE_RETRY_DELAYS)"),
        (BusAccess, {"BUS__HEARTBEAT": "often"}, "(environment: ALMA_RESTORE_BUS__HEARTBEAT)"),
        (BusAccess, {"BUS__CA_FILE": "/ca.pem"}, "(environment: ALMA_RESTORE_BUS__…)"),
        (BusAccess, {"BUS__URL": "broker"}, "(environment: ALMA_RESTORE_BUS__URL)"),
        (BusAccess, {"BUS__URL": "broker:5672"}, "(environment: ALMA_RESTORE_BUS__URL)"),
    ],
)
def test_the_variable_that_is_named_is_the_one_to_set(
    settings: type[BaseSettings], given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"ALMA_RESTORE_{name}", value)
    with pytest.raises((ValidationError, SettingsError)) as caught:
        settings()
    assert isinstance(caught.value, ValidationError | SettingsError)
    assert said in explain(caught.value)


def test_what_several_settings_have_to_agree_on_names_no_variable_that_does_not_exist() -> None:
    with pytest.raises(ValidationError) as caught:
        NgasFetcherSettings(hosts=("ngas:7777",))
    assert explain(caught.value) == "location_directory must be set: it holds the location reports"


def test_a_list_whose_only_member_is_wrong_is_not_called_too_short_as_well() -> None:
    given = {"request_id": uuid4(), "project_code": "2017.1.00886.L", "ticket": "16140", "user_name": "Vera Rubin"}
    with pytest.raises(ValidationError) as caught:
        RestoreTicket.model_validate(given | {"user_email": "vera@example.org", "mous_uids": ["uid:/A001/X1/X2"]})
    assert explain(caught.value).startswith("mous_uids.0: 'uid:/A001/X1/X2' is not an ALMA UID: ")
    assert "at least" not in explain(caught.value)
    with pytest.raises(ValidationError) as caught:
        RestoreTicket.model_validate(given | {"user_email": "vera@example.org", "mous_uids": []})
    assert "at least 1" in explain(caught.value)
