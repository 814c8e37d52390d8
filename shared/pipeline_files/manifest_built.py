"""Makes the manifest that packages before October 2017 lack, from names and restore script, if nothing is unclear."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from lxml import etree

from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from shared.pipeline_files.manifest import ManifestAsdm, ManifestError, ManifestSession, PipelineManifest
from shared.pipeline_files.names import canonical_product_name
from shared.pipeline_files.ppr.tasks import casa_numbers
from shared.pipeline_files.restore_script import RestoreScript

NAME_INFIX = "built"
"""Stands in the name of a manifest that was built, where others have the recipe."""

_UID = r"uid___a[0-9a-f]{3}_x[0-9a-f]+_x[0-9a-f]+"
_TAR = r"\.(?:tgz|tar\.gz)"
_CALTABLES = re.compile(rf"{_UID}\.(session_[1-9]\d*)\.caltables{_TAR}", re.IGNORECASE | re.ASCII)
_FLAGS = re.compile(rf"({_UID})\.ms\.flagversions{_TAR}", re.IGNORECASE | re.ASCII)
_CALAPPLY = re.compile(rf"({_UID})\.ms\.calapply\.txt", re.IGNORECASE | re.ASCII)

FIRST_WITH_MANIFEST: Final = "5.1.1"
"""CASA of the first release whose packages have a manifest (October 2017)."""


def check_age(expected_casa: str | None) -> str:
    """Return the CASA that a package without a manifest was calibrated with, if packages of that time have none.

    Parameters
    ----------
    expected_casa
        The CASA that was in operation, as far as is known.

    Raises
    ------
    ManifestError
        If that is not known, or its packages have manifests.
    """
    if expected_casa is None:
        raise ManifestError("there is no pipeline manifest, and it is not known which CASA made the calibration")
    if casa_numbers(expected_casa) >= casa_numbers(FIRST_WITH_MANIFEST):
        raise ManifestError(
            f"there is no pipeline manifest, though packages of CASA {expected_casa} have one: "
            f"one is built for those before CASA {FIRST_WITH_MANIFEST} only"
        )
    return expected_casa


def build_manifest(
    *, mous_uid: MousUid, names: Iterable[str], script: RestoreScript | None, casa_version: str
) -> PipelineManifest:
    """Build the manifest of a package.

    Parameters
    ----------
    names
        Names of the package's products, with or without what the archive adds.
    script
        The delivered restore script; without it all blocks must have been calibrated in one session.
    casa_version
        CASA of the calibration.

    Raises
    ------
    ManifestError
        If the session of a block, or the files of a block or session, are not beyond doubt.
    """
    products = _Products(names)
    sessions = products.sessions_by(script)
    return PipelineManifest(
        mous_uid=mous_uid,
        casa_version=casa_version,
        pipeline_version=None,
        # Which recipe it was is not known, but whether it was one of single dish.
        procedure="hsd" if script is not None and script.task.startswith("hsd") else None,
        sessions=tuple(
            ManifestSession(
                name=session,
                caltables=products.caltables(session),
                asdms=tuple(
                    ManifestAsdm(
                        eb_uid=block, flagversions=products.flagversions(block), calapply=products.calapply(block)
                    )
                    for block in sessions[session]
                ),
            )
            for session in sorted(sessions, key=lambda name: name.number)
        ),
    )


def built_name(mous_uid: MousUid) -> str:
    """Name a manifest that was built so that everybody sees it."""
    return f"{mous_uid.file_form}.{NAME_INFIX}.pipeline_manifest.xml"


def write_manifest(manifest: PipelineManifest) -> bytes:
    """Write a manifest as the pipeline's restore reads it; the same manifest gives the same bytes."""
    root = etree.Element("piperesults", name=manifest.mous_uid.file_form)
    ous = etree.SubElement(root, "ous", name=manifest.mous_uid.file_form)
    etree.SubElement(ous, "casaversion", name=manifest.casa_version)
    for tag, value in (("pipeline_version", manifest.pipeline_version), ("procedure_name", manifest.procedure)):
        if value is not None:
            etree.SubElement(ous, tag, name=value)
    for session in manifest.sessions:
        element = etree.SubElement(ous, "session", name=session.name)
        etree.SubElement(element, "caltables", name=session.caltables)
        for asdm in session.asdms:
            block = etree.SubElement(element, "asdm", name=asdm.ms_name)
            etree.SubElement(block, "finalflags", name=asdm.flagversions)
            etree.SubElement(block, "applycmds", name=asdm.calapply)
    body: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=False, pretty_print=True)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body


class _Products:
    """The products of a package by what they are for."""

    def __init__(self, names: Iterable[str]) -> None:
        self._caltables: dict[SessionName, set[str]] = defaultdict(set)
        self._flags: dict[ExecBlockUid, set[str]] = defaultdict(set)
        self._calapply: dict[ExecBlockUid, set[str]] = defaultdict(set)
        for name in map(canonical_product_name, names):
            if found := _CALTABLES.fullmatch(name):
                self._caltables[SessionName(found[1].lower())].add(name)
            elif found := _FLAGS.fullmatch(name):
                self._flags[ExecBlockUid(found[1])].add(name)
            elif found := _CALAPPLY.fullmatch(name):
                self._calapply[ExecBlockUid(found[1])].add(name)

    def sessions_by(self, script: RestoreScript | None) -> dict[SessionName, list[ExecBlockUid]]:
        """Return the blocks of each session, or refuse if a block's session is not beyond doubt."""
        if not self._caltables:
            raise ManifestError("there is no pipeline manifest, and none of the products is a session's caltables")
        blocks = sorted(set(self._flags) | set(self._calapply)) if script is None else list(script.sessions)
        strangers = sorted((set(self._flags) | set(self._calapply)) - set(blocks))
        if strangers:
            raise ManifestError(
                f"the restore script names {', '.join(blocks)}, and there are products of {', '.join(strangers)} too"
            )
        if not blocks:
            raise ManifestError("there is no pipeline manifest, and none of the products is that of a block")
        sessions: dict[SessionName, list[ExecBlockUid]] = defaultdict(list)
        for block in blocks:
            sessions[(script.sessions[block] if script else None) or self._only_session(block)].append(block)
        return sessions

    def caltables(self, session: SessionName) -> str:
        return _only(self._caltables.get(session, set()), f"caltables of {session}")

    def flagversions(self, block: ExecBlockUid) -> str:
        return _only(self._flags.get(block, set()), f"flag versions of {block}")

    def calapply(self, block: ExecBlockUid) -> str:
        return _only(self._calapply.get(block, set()), f"applycal calls of {block}")

    def _only_session(self, block: ExecBlockUid) -> SessionName:
        if len(self._caltables) > 1:
            raise ManifestError(
                f"there is no pipeline manifest, and nothing says in which of {', '.join(sorted(self._caltables))} "
                f"{block} was calibrated"
            )
        return next(iter(self._caltables))


def _only(names: set[str], what: str) -> str:
    if len(names) != 1:
        raise ManifestError(
            f"there is no pipeline manifest, and of {what} there are {', '.join(sorted(names)) or 'none'}"
        )
    return next(iter(names))
