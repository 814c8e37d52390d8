"""A ppr-builder over a real store, with what is staged in it."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from contracts.messages import ArtefactsStaged, RestoreFailed, RestoreOrdered
from contracts.messages.parts import LackingProduct, MousStructure, NamedRef, ObjectRef, RestoreRequest, Stage
from services.ppr_builder.service import build
from services.ppr_builder.settings import PprBuilderSettings
from shared.objects.directory import DirectoryStore
from tests.support.archives import tgz
from tests.support.delivery import RecordingDelivery
from tests.support.samples import REQUEST, WHEN
from tests.unit.services.ppr_builder.demo import DEMO, SESSIONS, THIRD

MOUS = DEMO.mous_uid.file_form
ASDM = ObjectRef(key="asdm/x/manifest.json", size=10, sha256="b" * 64)
MANIFEST_NAME = f"member.{MOUS}.hifa_calimage.pipeline_manifest.xml"


def manifest(sessions: Mapping[int, tuple[ExecBlockUid, ...]] = SESSIONS, mous: str = MOUS) -> bytes:
    told = "".join(
        f'<session name="session_{number}"><caltables name="{MOUS}.session_{number}.caltables.tgz"/>'
        + "".join(
            f'<asdm name="{eb.file_form}.ms"><finalflags name="{eb.file_form}.ms.flagversions.tgz"/>'
            f'<applycmds name="{eb.file_form}.ms.calapply.txt"/></asdm>'
            for eb in blocks
        )
        + "</session>"
        for number, blocks in sessions.items()
    )
    return (
        f'<piperesults name="{mous}"><ous name="{mous}"><casaversion name="6.6.6-17"/>'
        f'<pipeline_version name="2025.1.0.35"/>{told}</ous></piperesults>'
    ).encode()


def calapply(eb: ExecBlockUid) -> bytes:
    return (
        f"applycal(vis='{eb.file_form}.ms', field='HLX_Target', intent='TARGET', spw='0', antenna='', "
        f"gaintable='{eb.file_form}.ms.a.tbl', gainfield='', spwmap=[], interp='', calwt=True)\n"
    ).encode()


@cache
def tables(session: int) -> bytes:
    return tgz(*(f"{eb.file_form}.ms.a.tbl/table.dat" for eb in SESSIONS[session]))


@cache
def flags(eb: ExecBlockUid) -> bytes:
    return tgz(f"{eb.file_form}.ms.flagversions/flags.Pipeline_Final/table.dat")


def products() -> dict[str, bytes]:
    """Everything that the archive holds of the demo's calibration, by its names."""
    found = {MANIFEST_NAME: manifest(), f"member.{MOUS}.hifa_calimage.pprequest.xml": b"<SciPipeRequest/>"}
    for number, blocks in SESSIONS.items():
        found[f"member.{MOUS}.session_{number}.caltables.tgz"] = tables(number)
        for eb in blocks:
            found[f"{eb.file_form}.ms.flagversions.tgz"] = flags(eb)
            found[f"{eb.file_form}.ms.calapply.txt"] = calapply(eb)
    return found


class Desk:
    """A builder over a real store, with what is staged in it."""

    def __init__(self, folder: Path) -> None:
        self.objects = DirectoryStore(folder)
        self.service = build(objects=self.objects, settings=PprBuilderSettings())
        self.files = products()
        self.structure: MousStructure = DEMO
        self.lacking: tuple[LackingProduct, ...] = ()

    def staged(self, eb: ExecBlockUid = THIRD, request: RestoreRequest = REQUEST) -> Event:
        refs = tuple(
            NamedRef(name=name, ref=self.objects.put_bytes(f"calibration/{name}", data))
            for name, data in self.files.items()
        )
        message = ArtefactsStaged(
            request=request,
            structure=self.structure,
            eb_uid=eb,
            asdm=ASDM,
            products=refs,
            lacking=self.lacking,
        )
        return Event.first(message, source="/test").model_copy(update={"time": WHEN})

    def handle(self, event: Event) -> list[Event]:
        return self.service.handle(event, RecordingDelivery())

    def order(self, eb: ExecBlockUid = THIRD, request: RestoreRequest = REQUEST) -> RestoreOrdered:
        (answer,) = self.handle(self.staged(eb, request))
        assert isinstance(answer.data, RestoreOrdered)
        return answer.data

    def failure(self, eb: ExecBlockUid = THIRD) -> RestoreFailed:
        answers = self.handle(self.staged(eb))
        assert isinstance(answers[0].data, RestoreFailed)
        assert answers[0].data.failure.stage is Stage.PREPARE
        return answers[0].data


def rename(old: str, new: str | None) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        data = desk.files.pop(old)
        if new is not None:
            desk.files[new] = data

    return change
