"""What an ASDM promises follows from its own tables, whatever its correlator and radiometers did."""

import pytest

from contracts.reasons import ReasonCode
from services.casa_runner.asdm import check_selection, read_promise, rows_in
from shared.errors import BlockFailedError

FIELDS = ("J0510+1800", "HLX_Target", "HLX_Target")


def table(name: str, rows: list[dict[str, object]]) -> bytes:
    body = "".join(
        "<row>" + "".join(f"<{tag}> {value} </{tag}>" for tag, value in row.items()) + "</row>" for row in rows
    )
    return f'<{name}Table xmlns:x="y">{body}</{name}Table>'.encode()


def asdm(main: list[dict[str, object]], mode: str = "CROSS_ONLY", data_descriptions: int = 1) -> dict[str, bytes]:
    configuration = {
        "configDescriptionId": "ConfigDescription_0",
        "correlationMode": mode,
        "numDataDescription": data_descriptions,
    }
    return {
        "Main": table("Main", main),
        "ConfigDescription": table("ConfigDescription", [configuration]),
        "Field": table(
            "Field", [{"fieldId": f"Field_{number}", "fieldName": name} for number, name in enumerate(FIELDS)]
        ),
    }


def main_row(
    field: int = 0, antennas: int = 8, integrations: int = 5, time: int = 5045097615000000512
) -> dict[str, object]:
    return {
        "time": time,
        "numAntenna": antennas,
        "numIntegration": integrations,
        "configDescriptionId": "ConfigDescription_0",
        "fieldId": f"Field_{field}",
    }


@pytest.mark.parametrize(
    ("mode", "data_descriptions", "rows"),
    [
        ("CROSS_ONLY", 1, 5 * 28),
        ("CROSS_AND_AUTO", 1, 5 * (28 + 8)),
        ("AUTO_ONLY", 1, 5 * 8),
        ("CROSS_AND_AUTO", 4, 5 * (28 + 8) * 4),
    ],
)
def test_rows_follow_from_integrations_antennas_and_how_the_processor_was_set_up(
    mode: str, data_descriptions: int, rows: int
) -> None:
    assert read_promise(rows_in(asdm([main_row()], mode, data_descriptions).__getitem__)).rows == rows


def test_rows_of_fields_with_one_name_add_up_and_an_unobserved_field_has_none() -> None:
    promise = read_promise(rows_in(asdm([main_row(field=1), main_row(field=2, antennas=7)]).__getitem__))
    assert promise.rows_by_field == {"J0510+1800": 0, "HLX_Target": 5 * 28 + 5 * 21}


def test_the_observation_begins_with_its_first_row() -> None:
    later, first = main_row(time=5045097645 * 10**9), main_row(time=5045097615 * 10**9)
    # 2018-10-01T08:00:15 UTC
    assert read_promise(rows_in(asdm([later, first]).__getitem__)).start == 5045097615 - 40587 * 86400


@pytest.mark.parametrize(
    "damage",
    [
        {"Main": b"<MainTable><row>"},
        {"Main": table("Main", [{"time": 1}])},
        {"Main": table("Scan", [])},
        {"Main": table("Main", [])},
        {"Main": table("Main", [main_row(field=9)])},
        {"Field": b'<!DOCTYPE x [<!ENTITY e "f">]><FieldTable/>'},
    ],
)
def test_tables_that_cannot_be_read_or_do_not_fit_together_fail_the_block(damage: dict[str, bytes]) -> None:
    with pytest.raises(BlockFailedError) as raised:
        read_promise(rows_in((asdm([main_row()]) | damage).__getitem__))
    assert raised.value.reason is ReasonCode.ASDM_INCOMPLETE


def test_a_field_that_is_not_in_the_data_is_named_with_those_that_are() -> None:
    with pytest.raises(BlockFailedError) as raised:
        check_selection(["J0510+1800", "hlx_target"], FIELDS)
    assert raised.value.reason is ReasonCode.FIELD_NOT_FOUND
    assert "not in the data: hlx_target" in raised.value.detail
    assert "J0510+1800, HLX_Target" in raised.value.detail


def test_fields_that_are_in_the_data_pass() -> None:
    check_selection([], FIELDS)
    check_selection(["HLX_Target"], FIELDS)
