"""What is in the tars of tables is known without unpacking them; damage is noticed to the last byte."""

import gzip

import pytest

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.reasons import ReasonCode
from shared.pipeline_files.archives import ArchiveError, check_caltables, check_flagversions, list_archive
from shared.pipeline_files.calapply import ApplyCall, read_calapply
from tests.support.archives import tgz

EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
MS = f"{EB.file_form}.ms"
SESSION = SessionName("session_1")
WHOLE = tgz(f"{MS}.b.tbl/table.dat", f"{MS}.b.tbl/table.f0", f"./{MS}.g.tbl/sub/table.dat")


def calls(*tables: str) -> tuple[ApplyCall, ...]:
    many = len(tables)
    text = (
        f"applycal(vis='{MS}', field='', intent='TARGET', spw='', antenna='', gaintable={list(tables)!r}, "
        f"gainfield={[''] * many!r}, spwmap={[[]] * many!r}, interp={[''] * many!r}, calwt={[True] * many!r})"
    )
    return read_calapply(text.encode(), eb_uid=EB)


def check(contents: bytes, *tables: str) -> None:
    check_caltables("t.tgz", list_archive("t.tgz", [contents]), calls(*tables), eb_uid=EB, session=SESSION)


def test_directories_are_listed_with_what_lies_directly_in_them() -> None:
    assert list_archive("t.tgz", [WHOLE]) == {
        f"{MS}.b.tbl": {"table.dat", "table.f0"},
        f"{MS}.g.tbl": {"sub"},
    }


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_bytes_may_come_in_pieces_of_any_size(size: int) -> None:
    pieces = [WHOLE[start : start + size] for start in range(0, len(WHOLE), size)]

    assert len(list_archive("t.tgz", pieces)) == 2


def test_an_archive_is_read_to_its_end_so_that_the_store_can_compare_its_digest() -> None:
    chunks = iter([WHOLE, b"", b""])

    list_archive("t.tgz", chunks)

    assert next(chunks, None) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"no tar at all", WHOLE[:-1], WHOLE[: len(WHOLE) // 2], gzip.compress(b"x" * 600), b"\0" + WHOLE],
    ids=["empty", "no gzip", "last byte missing", "half", "no tar", "shifted"],
)
def test_damage_is_told(data: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"t\.tgz cannot be read") as refused:
        list_archive("t.tgz", [data])

    assert refused.value.reason is ReasonCode.CALTABLE_DAMAGED


def test_an_archive_that_would_fill_a_disk_is_not_read() -> None:
    with pytest.raises(ArchiveError, match="more than 50 bytes"):
        list_archive("t.tgz", [WHOLE], max_unpacked=50)
    with pytest.raises(ArchiveError, match="2 members"):
        list_archive("t.tgz", [WHOLE], max_members=2)


def test_tables_that_are_applied_are_all_there() -> None:
    check(WHOLE, f"{MS}.b.tbl", f"{MS}.g.tbl")


def test_a_missing_or_empty_table_is_told_with_what_there_is() -> None:
    with pytest.raises(ArchiveError, match=r"lacks or holds empty .*\.k\.tbl; it holds .*\.b\.tbl"):
        check(WHOLE, f"{MS}.b.tbl", f"{MS}.k.tbl")
    with pytest.raises(ArchiveError, match="lacks or holds empty"):
        check(tgz(f"{MS}.b.tbl/"), f"{MS}.b.tbl")


def test_a_table_that_the_pipeline_would_leave_in_the_archive_is_told() -> None:
    check(tgz("session_1.x.tbl/table.dat"), "session_1.x.tbl")
    with pytest.raises(ArchiveError, match=r"would not unpack other\.tbl"):
        check(tgz("other.tbl/table.dat"), "other.tbl")


def test_flag_versions_need_the_version_that_is_restored() -> None:
    folder = f"{MS}.flagversions"
    check_flagversions("f.tgz", list_archive("f.tgz", [tgz(f"{folder}/flags.Pipeline_Final/table.dat")]), eb_uid=EB)

    with pytest.raises(ArchiveError, match=r"lacks .*/flags.Pipeline_Final.*it holds .*/flags.Original"):
        check_flagversions("f.tgz", list_archive("f.tgz", [tgz(f"{folder}/flags.Original/t")]), eb_uid=EB)
