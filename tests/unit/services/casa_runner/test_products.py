"""A block's calibration is found by what the manifest says, whatever the archive made of the names."""

from pathlib import Path

import pytest

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import NamedRef
from contracts.reasons import ReasonCode
from services.casa_runner.products import calls_needed, find_calibration
from services.casa_runner.source import Source
from shared.errors import BlockFailedError
from shared.objects.directory import DirectoryStore
from shared.pipeline_files import ApplyCall

EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
MOUS = "uid___A001_X1284_X265f"
MANIFEST = f"""<piperesults name="{MOUS}"><ous name="{MOUS}"><casaversion name="6.7.0.31"/>
<session name="session_1"><caltables name="{MOUS}.session_1.caltables.tgz"/>
<asdm name="{EB.file_form}.ms"><finalflags name="{EB.file_form}.ms.flagversions.tgz"/>
<applycmds name="{EB.file_form}.ms.calapply.txt"/></asdm></session></ous></piperesults>""".encode()
NAMES = (
    f"member.{MOUS}.s1.caltables.tgz",
    f"member.{MOUS}.session_2.caltables.tgz",
    f"{EB.file_form}.ms.flagversions.tgz",
    f"{EB.file_form}.ms.calapply.txt",
)


@pytest.fixture
def objects(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


def staged(objects: DirectoryStore, contents: dict[str, bytes]) -> list[NamedRef]:
    return [NamedRef(name=name, ref=objects.put_bytes(f"c/{name}", data)) for name, data in contents.items()]


def test_names_of_the_archive_are_those_of_the_manifest(objects: DirectoryStore) -> None:
    manifest = {f"member.{MOUS}.hifa_calimage.pipeline_manifest.xml": MANIFEST}
    found = find_calibration(staged(objects, manifest | dict.fromkeys(NAMES, b"x")), eb_uid=EB, source=Source(objects))
    of_manifest = (f"{MOUS}.session_1.caltables.tgz", NAMES[2], NAMES[3])
    assert (found.caltables.name, found.flagversions.name, found.calapply.name) == of_manifest


def test_of_two_manifests_the_calibrations_is_used(objects: DirectoryStore) -> None:
    manifests = {
        f"{MOUS}.hifa_image.pipeline_manifest.xml": b"<other/>",
        f"{MOUS}.hifa_calimage.pipeline_manifest.xml": MANIFEST,
    }
    assert find_calibration(staged(objects, manifests | dict.fromkeys(NAMES, b"x")), eb_uid=EB, source=Source(objects))


def test_a_file_that_was_not_staged_is_named(objects: DirectoryStore) -> None:
    products = staged(objects, {f"{MOUS}.x.pipeline_manifest.xml": MANIFEST} | dict.fromkeys(NAMES[1:], b"x"))
    with pytest.raises(BlockFailedError, match=r"session_1\.caltables\.tgz") as raised:
        find_calibration(products, eb_uid=EB, source=Source(objects))
    assert raised.value.reason is ReasonCode.PRODUCTS_INCOMPLETE


def test_no_manifest_fails_the_block(objects: DirectoryStore) -> None:
    with pytest.raises(BlockFailedError) as raised:
        find_calibration(staged(objects, dict.fromkeys(NAMES, b"x")), eb_uid=EB, source=Source(objects))
    assert raised.value.reason is ReasonCode.MANIFEST_UNREADABLE


def call(field: str) -> ApplyCall:
    return ApplyCall(
        line=1,
        vis="x.ms",
        field=field,
        intent="",
        spw="",
        antenna="",
        gaintable=("a.tbl",),
        gainfield=("",),
        spwmap=((),),
        interp=("",),
        calwt=(True,),
    )


@pytest.mark.parametrize(
    ("field", "is_needed"),
    [
        ("J0510+1800", True),
        ("HLX_Target", False),
        ("HLX_Target, J0510+1800", True),
        ("HLX_Target,J0423-0120", False),
        ("", True),
        ("J05*", True),
        ("2", True),
        ("0~3", True),
        ("HLX_Target,3", True),
    ],
)
def test_a_call_is_left_out_only_if_by_name_it_touches_no_selected_field(field: str, is_needed: bool) -> None:
    assert calls_needed([call(field)], ["J0510+1800", "J0321+1234"]) == ((call(field),) if is_needed else ())


def test_without_a_selection_every_call_is_needed() -> None:
    assert calls_needed([call("HLX_Target")], []) == (call("HLX_Target"),)
