"""Pack the calibration products of a MOUS as the pipeline exports and the archive keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from observatory import products_text, products_xml
from observatory.blocks_spec import MadeBlock
from observatory.products_names import ARCHIVE_PREFIX, ProductNames
from observatory.products_tar import write_tgz
from observatory.products_xml import ProcessingFacts, Sessions
from shared.errors import RestoreError

__all__ = ["MousProducts", "ProcessingFacts", "write_products"]


class ProductsError(RestoreError):
    """The sessions and the made blocks do not fit together."""

    code = "synthetic_products_inconsistent"


@dataclass(frozen=True, kw_only=True)
class MousProducts:
    """The products of one MOUS on disk, each under its name in the archive."""

    caltables: dict[SessionName, Path]
    flagversions: dict[ExecBlockUid, Path]
    calapply: dict[ExecBlockUid, Path]
    manifest: Path
    pprequest: Path
    restore_script: Path
    pipe_script: Path
    commands_log: Path
    aux_products: Path
    weblog: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """All products, by name."""
        single = (self.manifest, self.pprequest, self.restore_script, self.pipe_script, self.commands_log)
        groups = (self.caltables, self.flagversions, self.calapply)
        several = [path for group in groups for path in group.values()]
        return tuple(sorted([*single, self.aux_products, self.weblog, *several]))


def write_products(
    mous_uid: MousUid,
    sessions: Sessions,
    blocks: Sequence[MadeBlock],
    *,
    into: Path,
    facts: ProcessingFacts | None = None,
    casa_version: str | None = None,
    prefix_in_manifest: str = "",
) -> MousProducts:
    """Write all products of a MOUS below a directory.

    Parameters
    ----------
    sessions
        The execution blocks of each session, in the order of processing; empty sessions count:
        they are in the processing request, and neither in the manifest nor among the caltables.
    blocks
        The made blocks, of which every one named in ``sessions`` is needed.
    into
        Directory for the files; created if need be. The same input gives the same bytes.
    casa_version
        What the manifest is to say; the version that made the blocks by default.
    prefix_in_manifest
        The archive puts ``member.`` before names after the pipeline has written its manifest,
        so the manifest's names lack it; give ``member.`` for a manifest that has it.

    Raises
    ------
    ProductsError
        A session names a block that was not made, or a block stands in no session.
    """
    facts = facts or ProcessingFacts()
    ordered = _ordered(sessions, blocks)
    into.mkdir(parents=True, exist_ok=True)
    names = ProductNames(mous_uid=mous_uid, procedure=facts.procedure, prefix=ARCHIVE_PREFIX)
    manifest = products_xml.manifest_xml(
        ProductNames(mous_uid=mous_uid, procedure=facts.procedure, prefix=prefix_in_manifest),
        sessions,
        casa_version=casa_version or _manifest_version(ordered),
        pipeline_version=facts.pipeline_version,
    )

    def write(suffix: str, content: str | bytes) -> Path:
        path = into / names.of_mous(suffix)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return MousProducts(
        caltables=_pack_caltables(names, sessions, ordered, into),
        flagversions={block.spec.eb_uid: _pack_flags(names, block, into) for block in ordered},
        calapply={block.spec.eb_uid: _copy_calapply(names, block, into) for block in ordered},
        manifest=write("pipeline_manifest.xml", manifest),
        pprequest=write("pprequest.xml", products_xml.pprequest_xml(mous_uid, sessions, facts)),
        restore_script=write("casa_piperestorescript.py", products_text.restore_script(sessions)),
        pipe_script=write("casa_pipescript.py", products_text.pipe_script(mous_uid, sessions, facts)),
        commands_log=write("casa_commands.log", products_text.commands_log(ordered)),
        aux_products=_pack_aux(names, ordered, into),
        weblog=_pack_weblog(names, ordered, into),
    )


def _ordered(sessions: Sessions, blocks: Sequence[MadeBlock]) -> list[MadeBlock]:
    """Put the blocks into the sessions' order."""
    made = {block.spec.eb_uid: block for block in blocks}
    named = [eb for ebs in sessions.values() for eb in ebs]
    if len(named) != len(set(named)) or set(named) != set(made):
        raise ProductsError(
            f"sessions name {sorted(named)} but the made blocks are {sorted(made)}: give the same, once"
        )
    return [made[eb] for eb in named]


def _manifest_version(blocks: Sequence[MadeBlock]) -> str:
    """Spell CASA's version as manifests made with the packaged CASA do: ``6.7.0.31``."""
    versions = {block.facts.casa_version.replace("-", ".") for block in blocks}
    if len(versions) != 1:
        raise ProductsError(f"the blocks of one MOUS need one CASA version, found {sorted(versions)}")
    return versions.pop()


def _pack_caltables(
    names: ProductNames, sessions: Sessions, blocks: Sequence[MadeBlock], into: Path
) -> dict[SessionName, Path]:
    packed = {}
    for session, ebs in sessions.items():
        tables = [table for block in blocks if block.spec.eb_uid in ebs for table in block.caltables]
        if tables:
            packed[session] = into / names.caltables(session)
            write_tgz(packed[session], [(table.name, table) for table in tables])
    return packed


def _pack_flags(names: ProductNames, block: MadeBlock, into: Path) -> Path:
    path = into / names.flagversions(block.spec.eb_uid)
    write_tgz(path, [(block.flagversions.name, block.flagversions)])
    return path


def _copy_calapply(names: ProductNames, block: MadeBlock, into: Path) -> Path:
    path = into / names.calapply(block.spec.eb_uid)
    path.write_bytes(block.calapply.read_bytes())
    return path


def _pack_aux(names: ProductNames, blocks: Sequence[MadeBlock], into: Path) -> Path:
    path = into / names.of_mous("auxproducts.tgz")
    flags = ((f"{block.asdm.name}.flagtemplate.txt", products_text.flag_template(block)) for block in blocks)
    texts = [
        ("flux.csv", products_text.flux_csv(blocks)),
        ("antennapos.csv", products_text.antennapos_csv(blocks)),
        *flags,
    ]
    write_tgz(path, [(name, text.encode()) for name, text in texts])
    return path


def _pack_weblog(names: ProductNames, blocks: Sequence[MadeBlock], into: Path) -> Path:
    path = into / names.of_mous("weblog.tgz")
    page = products_text.weblog_page(names.mous_uid, blocks)
    write_tgz(path, [("pipeline-synthetic/html/index.html", page.encode())])
    return path
