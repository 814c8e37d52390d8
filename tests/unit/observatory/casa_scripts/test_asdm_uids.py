"""Entities of an exported ASDM get UIDs of their block's own range."""

import struct
from pathlib import Path

from observatory.casa_scripts.asdm_uids import shift_uids, shifted_uid

EB = "uid://A002/Xc7111c/X3979"


def counted(uid: str) -> bytes:
    return struct.pack("<I", len(uid)) + uid.encode()


def exported(folder: Path) -> Path:
    asdm = folder / "asdm"
    binary = asdm / "ASDMBinary"
    binary.mkdir(parents=True)
    (asdm / "Main.xml").write_text('<a entityId="uid://A002/Xc7111c/X1f"/><b entityId="uid://SAFFEC0C0/X1/X2"/>')
    body = b"<content.bin>\n" + counted("uid://A002/Xc7111c/X2") + b"ab" + counted("uid://A002/Xc7111c/X1")
    (asdm / "Pointing.bin").write_bytes(b"alma-uid:uid://A002/Xc7111c/X2\n" + body)
    for number in ("1", "2"):
        text = f'Content-Location: uid://A002/Xc7111c/X{number}\n<execBlock href="uid://A002/Xc7111c/X1"/>'
        (binary / f"uid___A002_Xc7111c_X{number}").write_text(text)
    return asdm


def test_the_asdm_gets_the_blocks_uid_and_the_rest_follows_it() -> None:
    assert shifted_uid(EB, 1) == EB
    assert shifted_uid(EB, 0x1F) == "uid://A002/Xc7111c/X3997"


def test_uids_in_xml_are_shifted_and_foreign_ones_stay(tmp_path: Path) -> None:
    asdm = exported(tmp_path)
    shift_uids(asdm, EB)
    text = (asdm / "Main.xml").read_text()
    assert text == '<a entityId="uid://A002/Xc7111c/X3997"/><b entityId="uid://SAFFEC0C0/X1/X2"/>'


def test_uids_in_a_binary_table_are_shifted_with_their_length_and_data_behind_them_stays(tmp_path: Path) -> None:
    asdm = exported(tmp_path)
    shift_uids(asdm, EB)
    body = counted("uid://A002/Xc7111c/X397a") + b"ab" + counted(EB)
    expected = b"alma-uid:uid://A002/Xc7111c/X397a\n<content.bin>\n" + body
    assert (asdm / "Pointing.bin").read_bytes() == expected


def test_binary_files_are_renamed_as_they_say_their_name_is(tmp_path: Path) -> None:
    asdm = exported(tmp_path)
    shift_uids(asdm, EB)
    binaries = {path.name: path.read_text() for path in (asdm / "ASDMBinary").iterdir()}
    assert binaries == {
        f"uid___A002_Xc7111c_X{number}": (f'Content-Location: uid://A002/Xc7111c/X{number}\n<execBlock href="{EB}"/>')
        for number in ("3979", "397a")
    }


def test_a_small_shift_overwrites_no_file_that_is_still_to_be_renamed(tmp_path: Path) -> None:
    asdm = exported(tmp_path)
    shift_uids(asdm, "uid://A002/Xc7111c/X2")
    names = sorted(path.name for path in (asdm / "ASDMBinary").iterdir())
    assert names == ["uid___A002_Xc7111c_X2", "uid___A002_Xc7111c_X3"]
