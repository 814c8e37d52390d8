"""Reads ``pipeline_manifest.xml``: which files a calibration consists of, and which session each block was in."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from contracts.identifiers import ExecBlockUid, InvalidIdentifierError, MousUid
from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError
from shared.pipeline_files.names import is_bare_file_name
from shared.pipeline_files.untrusted_xml import UnsafeXmlError, read_xml


class ManifestError(BlockFailedError):
    """The pipeline manifest cannot be used; the text says which rule it breaks and where."""

    code = "manifest_unreadable"

    def __init__(self, detail: str) -> None:
        super().__init__(ReasonCode.MANIFEST_UNREADABLE, detail)


@dataclass(frozen=True, kw_only=True)
class ManifestAsdm:
    """An execution block as the manifest lists it.

    Attributes
    ----------
    eb_uid
        The execution block.
    flagversions
        Name of the tar with its flag versions.
    calapply
        Name of the text file with its applycal calls.
    """

    eb_uid: ExecBlockUid
    flagversions: str
    calapply: str

    @property
    def ms_name(self) -> str:
        """Name of the MeasurementSet, the key that the pipeline's restore looks the block up by."""
        return f"{self.eb_uid.file_form}.ms"


@dataclass(frozen=True, kw_only=True)
class ManifestSession:
    """A session with the tar of its calibration tables and its execution blocks.

    Attributes
    ----------
    name
        As written, nearly always ``session_<n>``; whether it is the right one is for the reader to judge.
    caltables
        Name of the tar with the calibration tables.
    asdms
        The session's execution blocks in the manifest's order.
    """

    name: str
    caltables: str
    asdms: tuple[ManifestAsdm, ...]


@dataclass(frozen=True, kw_only=True)
class PipelineManifest:
    """What the pipeline says that it wrote for a MOUS.

    Attributes
    ----------
    mous_uid
        The MOUS that was calibrated.
    casa_version
        CASA that made the calibration, e.g. ``6.6.6-17``.
    pipeline_version, procedure
        Version of the pipeline and name of its recipe, where the manifest has them.
    sessions
        The sessions that hold execution blocks.
    mpi_servers
        MPI servers of all its nodes: 0 if standard CASA made the calibration; None if the manifest does not tell.
    """

    mous_uid: MousUid
    casa_version: str
    pipeline_version: str | None
    procedure: str | None
    sessions: tuple[ManifestSession, ...]
    mpi_servers: int | None = None

    @property
    def blocks_by_session(self) -> dict[str, tuple[ExecBlockUid, ...]]:
        """The execution blocks of each session by its name."""
        return {session.name: tuple(asdm.eb_uid for asdm in session.asdms) for session in self.sessions}

    def find(self, eb_uid: ExecBlockUid) -> tuple[ManifestSession, ManifestAsdm]:
        """Return an execution block's entry and the session that it stands in.

        Raises
        ------
        ManifestError
            If the manifest does not list the block.
        """
        for session in self.sessions:
            for asdm in session.asdms:
                if asdm.eb_uid == eb_uid:
                    return session, asdm
        raise ManifestError(f"the manifest of {self.mous_uid} does not list {eb_uid}: it was not calibrated with it")


def read_manifest(data: bytes) -> PipelineManifest:
    """Read a pipeline manifest as the pipeline's restore would, but refuse what it would trip over.

    Only elements and their ``name`` are read: other attributes change with every
    release. Elements of other kinds (images, weblog …) are left alone.

    Raises
    ------
    ManifestError
        If it is no manifest, names no CASA version, lists a block twice, a
        session without calibration tables or with two, a block without ``.ms``
        in its name, or a name that is no bare file name.
    """
    try:
        root = read_xml(data)
    except UnsafeXmlError as error:
        raise ManifestError(str(error)) from error
    if root.tag != "piperesults":
        raise ManifestError(f"the root element is <{root.tag}>, not <piperesults>: this is no pipeline manifest")
    ous = _only(root, "ous")
    manifest = PipelineManifest(
        mous_uid=_mous_uid(ous),
        casa_version=_name(_only(ous, "casaversion")),
        pipeline_version=_optional_name(ous, "pipeline_version"),
        procedure=_optional_name(ous, "procedure_name"),
        sessions=tuple(_session(element) for element in ous.findall("session") if element.find("asdm") is not None),
        mpi_servers=_mpi_servers(ous),
    )
    _refuse_repeats("session", (session.name for session in manifest.sessions))
    _refuse_repeats("execution block", (asdm.eb_uid for session in manifest.sessions for asdm in session.asdms))
    if not manifest.sessions:
        raise ManifestError("no session lists an execution block")
    return manifest


def _session(element: etree._Element) -> ManifestSession:
    return ManifestSession(
        name=_name(element),
        caltables=_file(_only(element, "caltables")),
        asdms=tuple(_asdm(asdm) for asdm in element.findall("asdm")),
    )


def _asdm(element: etree._Element) -> ManifestAsdm:
    name = _file(element)
    try:
        eb_uid = ExecBlockUid(name.removesuffix(".ms"))
    except InvalidIdentifierError as error:
        raise ManifestError(f"{_where(element)} is not named after an execution block: {error}") from error
    if name != f"{eb_uid.file_form}.ms":
        raise ManifestError(f"{_where(element)} has to be named {eb_uid.file_form}.ms, else the restore misses it")
    return ManifestAsdm(
        eb_uid=eb_uid,
        flagversions=_file(_only(element, "finalflags")),
        calapply=_file(_only(element, "applycmds")),
    )


def _mpi_servers(ous: etree._Element) -> int | None:
    """Add up the MPI servers of all nodes; nothing of the restore depends on it, so an odd number is not told."""
    numbers = [str(node.get("num_mpi_servers", "")) for node in ous.findall("execution_environment/node")]
    if not numbers or not all(number.isdecimal() for number in numbers):
        return None
    return sum(map(int, numbers))


def _mous_uid(ous: etree._Element) -> MousUid:
    try:
        return MousUid(_name(ous))
    except InvalidIdentifierError as error:
        raise ManifestError(f"{_where(ous)} is not named after a MOUS: {error}") from error


def _only(parent: etree._Element, tag: str) -> etree._Element:
    """Return the one child of this kind; the pipeline would use the first of several and drop the rest."""
    found = parent.findall(tag)
    if len(found) != 1:
        raise ManifestError(f"{_where(parent)} has {len(found)} <{tag}> elements, and needs exactly one")
    return found[0]


def _optional_name(parent: etree._Element, tag: str) -> str | None:
    return None if parent.find(tag) is None else _name(_only(parent, tag))


def _name(element: etree._Element) -> str:
    name = str(element.get("name", "")).strip()
    if not name:
        raise ManifestError(f"{_where(element)} has no name")
    return name


def _file(element: etree._Element) -> str:
    name = _name(element)
    if not is_bare_file_name(name):
        raise ManifestError(f"{_where(element)} is not a bare file name")
    return name


def _refuse_repeats(kind: str, names: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ManifestError(f"listed more than once as {kind}: {', '.join(repeated)}")


def _where(element: etree._Element) -> str:
    return f'<{element.tag} name="{element.get("name", "")}"> in line {element.sourceline}'
