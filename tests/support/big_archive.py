"""A metadata database of many MOUSs, as large as the archive's, for benchmarks."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import Table, insert

from contracts.identifiers import MousUid, ProjectCode
from contracts.messages.parts import RestoreRequest
from observatory.metadata import create_tables
from shared.archive_db import tables

Row = dict[str, object]
PUBLIC, PROPRIETARY = datetime(2019, 1, 1), datetime(2099, 1, 1)  # noqa: DTZ001 - as the tables have them
START = datetime(2018, 1, 1)  # noqa: DTZ001 - as above
USERS = 20_000
PER_PROJECT = 10
FILES = (
    "hifa_calimage.pipeline_manifest.xml",
    "hifa_calimage.pprequest.xml",
    "hifa_calimage.auxproducts.tgz",
    "hifa_calimage.casa_piperestorescript.py",
    "hifa_calimage.weblog.tgz",
    "session_1.caltables.tgz",
    "session_2.caltables.tgz",
    "HLX_Target_sci.spw25.cube.I.pbcor.fits",
    "HLX_Target_sci.spw27.cube.I.pbcor.fits",
    "README.txt",
)


def mous_uid(number: int) -> MousUid:
    """Name a MOUS by its number."""
    return MousUid(_uid(number))


def project_code(number: int) -> ProjectCode:
    """Name the project of a MOUS: ten of them share one."""
    return ProjectCode(_code(number))


def _uid(number: int) -> str:
    return f"uid://A001/X{0x1000 + number // 4096:x}/X{number % 4096:x}"


def _file_form(number: int) -> str:
    return _uid(number).replace(":", "_").replace("/", "_")


def _code(number: int) -> str:
    return f"2017.1.{number // PER_PROJECT:05d}.S"


def _user(number: int) -> str:
    return f"user{number // PER_PROJECT % USERS}"


def is_public(number: int) -> bool:
    """Whether a MOUS is public: half of them are."""
    return number % 2 == 0


def request(number: int, *, request_id: UUID | None = None) -> RestoreRequest:
    """Ask for a MOUS: its PI does so, and a stranger every third time."""
    asker = _user(number) if number % 3 else _user(number + 17 * PER_PROJECT)
    return RestoreRequest(
        request_id=request_id or uuid4(),
        project_code=project_code(number),
        mous_uid=mous_uid(number),
        user_name=f"User {asker}",
        user_email=f"{asker}@example.org",
        ticket=str(number),
    )


def make_archive(path: Path, *, mouss: int) -> None:
    """Make a SQLite file with so many MOUSs; every tenth has no calibration tables yet."""
    engine = create_tables(path)
    with engine.begin() as connection:
        for begin in range(0, mouss, 5000):
            numbers = range(begin, min(begin + 5000, mouss))
            for table, rows in _rows(numbers):
                if rows:
                    connection.execute(insert(table), rows)
        for begin in range(0, USERS, 5000):
            people = [_account(number) for number in range(begin, begin + 5000)]
            connection.execute(insert(tables.ACCOUNT), people)
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


def _account(number: int) -> Row:
    name = f"user{number}"
    return {
        "ACCOUNT_ID": name,
        "EMAIL": f"{name.title()}@Example.org",
        "ACTIVE": "T",
        "FIRSTNAME": "A",
        "LASTNAME": name,
    }


def _rows(numbers: range) -> Iterator[tuple[Table, list[Row]]]:
    firsts = [number for number in numbers if number % PER_PROJECT == 0]
    yield tables.BMMV_OBSPROJECT, [{"PRJ_ARCHIVE_UID": _project(n), "CODE": _code(n)} for n in firsts]
    yield (
        tables.BMMV_OBSPROPOSAL,
        [{"ARCHIVE_UID": f"{_project(n)}a", "PROJECTUID": _project(n), "PI_USERID": _user(n)} for n in firsts],
    )
    yield tables.OBS_UNIT_SET_STATUS, [_unit(number) for number in numbers]
    yield tables.SCHED_BLOCK_STATUS, [_scheduling_block(number) for number in numbers]
    yield tables.AQUA_V_EXECBLOCK, [_block(number, which) for number in numbers for which in range(2)]
    yield tables.ASA_DELIVERY_STATUS, [_delivery(number) for number in numbers]
    yield tables.ASA_PRODUCT_FILES, [row for number in numbers for row in _products(number)]
    yield tables.STATE_CHANGES, [_change(number) for number in numbers]


def _project(number: int) -> str:
    return f"uid://A001/X9/X{number // PER_PROJECT:x}"


def _unit(number: int) -> Row:
    return {
        "STATUS_ENTITY_ID": _uid(number),
        "PARENT_OBS_UNIT_SET_STATUS_ID": f"uid://A001/X8/X{number:x}",
        "DOMAIN_ENTITY_ID": f"X{number}",
        "DOMAIN_ENTITY_STATE": "QA3InProgress" if number % 50 == 7 else "Delivered",
        "OBS_PROJECT_ID": _project(number),
    }


def _scheduling_block(number: int) -> Row:
    return {
        "STATUS_ENTITY_ID": f"uid://A001/X7/X{number:x}",
        "DOMAIN_ENTITY_ID": f"uid://A001/X6/X{number:x}",
        "PARENT_OBS_UNIT_SET_STATUS_ID": _uid(number),
    }


def _block(number: int, which: int) -> Row:
    return {
        "EXECBLOCKUID": f"uid://A002/X{which + 1}/X{number:x}",
        "SCHEDBLOCKUID": f"uid://A001/X6/X{number:x}",
        "QA0STATUS": "Pass",
        "STARTTIME": START + timedelta(minutes=number),
    }


def _delivery(number: int) -> Row:
    name = f"{_code(number)}_{_file_form(number)}"
    date = PUBLIC if is_public(number) else PROPRIETARY
    moved = number % 200 == 3
    return {
        "DELIVERY_NAME": name,
        "RELEASE_DATE": date,
        "ORIGINAL_RELEASE_DATE": PUBLIC - timedelta(days=90) if moved else date,
    }


def _products(number: int) -> Iterator[Row]:
    uid, stem = _uid(number), f"member.{_file_form(number)}."
    for name in FILES:
        if number % 10 == 0 and "caltables" in name:
            continue
        yield {"NGAS_FILE_ID": f"{stem}{name}", "ASA_OUS_ID": uid, "STORED_SIZE": 1000}


def _change(number: int) -> Row:
    return {"STATE_CHANGES_ID": number + 1, "STATUS_ENTITY_ID": _uid(number), "ENTITY_TYPE": "OUS"}
