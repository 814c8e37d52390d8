"""Runs a processing request as the pipeline's ``executeppr`` was seen to do, errors and silence included."""

import ast
import importlib
import os
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

from shared import tars
from tests.support.pipeline_view import look
from tests.support.standin import pipeline

_EXIT_STATUS = 3


class PipelineException(Exception):  # noqa: N818  # its name in the pipeline
    """A task failed."""


def executeppr(request: str, importonly: bool = True) -> None:  # as the pipeline has it
    """Decode a request and run its commands; what cannot be decoded ends it as if all were well."""
    try:
        seen = look(Path(request).read_bytes())
        ((task, parameters),) = seen.tasks
        run = {"hifa_restoredata": _restore, "hsd_restoredata": _restore, "hifa_importdata": _import}[str(task)]
    except Exception as error:  # as the pipeline does
        _error_exit(f"cannot decode {request}: {error}")
        return
    if not _misbehaves():
        return
    folder = Path(os.environ.get("SCIPIPE_ROOTDIR", ".."), str(seen.path) if "SCIPIPE_ROOTDIR" in os.environ else "")
    pipeline.load_tasks().casalog.post("Starting execution for stage 1", "INFO", str(task))
    try:
        for asdm, session in seen.sessions.items():
            run(folder / "rawdata", str(asdm), session, **{str(name): value for name, value in parameters.items()})
        _misbehave_late()
    except Exception as error:  # as the pipeline does
        _error_exit(f"{task}: {error}")
        raise PipelineException(str(error)) from error


def _misbehaves() -> bool:
    """Behave as told before anything is run; False if that is all."""
    actions: dict[str, Callable[[], Any]] = {
        "errorexit": lambda: _error_exit("Incorrect procedure title"),
        "dies": lambda: os._exit(_EXIT_STATUS),
        "crashes": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "no-ms": lambda: None,
    }
    if pipeline.behaviour == "raises":
        _error_exit("hifa_restoredata: no such table")
        raise PipelineException("no such table")
    if pipeline.behaviour not in actions:
        return True
    actions[pipeline.behaviour]()
    return False


def _misbehave_late() -> None:
    if pipeline.behaviour == "late":
        raise KeyError("default")
    if pipeline.behaviour == "severe":
        log = pipeline.load_tasks().casalog
        log.post("Exception Reported: Error in hifa_restoredata: KeyError: 'session_2'", "SEVERE", "hifa_restoredata")


def _error_exit(text: str) -> None:
    for folder in (Path(), Path("../products")):
        if folder.is_dir():
            (folder / "errorexit-20181001T120000.txt").write_text(text)


def _tasks() -> ModuleType:
    pipeline.load_tasks()
    return importlib.import_module("observatory.casa_scripts.restoring")


def _import(rawdata: Path, asdm: str, session: str) -> None:  # all tasks are given it
    _tasks().import_block(rawdata / asdm, Path(f"{asdm}.ms"))


def _restore(rawdata: Path, asdm: str, session: str, *, copytoraw: bool = True) -> None:
    restoring = _tasks()
    folder = Path("../products") if copytoraw else rawdata
    vis = f"{asdm}.ms"
    names = _names(folder, vis, session)
    restoring.import_block(rawdata / asdm, Path(vis))
    if pipeline.behaviour == "no-corrected":
        return
    for archive in (names["finalflags"], names["caltables"]):
        with tarfile.open(folder / archive) as tar:
            members = [member for member in tar if member.name.startswith((vis, session))]
            tars.extract(tar, members=members)
    pipeline.load_tasks().flagmanager(vis=vis, mode="restore", versionname="Pipeline_Final")
    for line in (folder / names["applycmds"]).read_text().splitlines():
        if line.startswith("applycal("):
            call = ast.parse(line, mode="eval").body
            assert isinstance(call, ast.Call)
            restoring.apply_line({str(each.arg): ast.literal_eval(each.value) for each in call.keywords})


def _names(folder: Path, vis: str, session: str) -> dict[str, str]:
    """Look up the calibration's files in the manifest, by the keys that it has."""
    (manifest,) = folder.glob("*pipeline_manifest.xml")
    ous = ElementTree.parse(manifest).getroot()[0]  # of our own making
    caltables = {each.get("name"): each.find("caltables") for each in ous.findall("session")}
    asdms = {each.get("name"): each for each in ous.iter("asdm")}
    tables = caltables.get(session)
    if tables is None:
        raise KeyError("default")
    files = {each.tag: each.get("name", "") for each in asdms[vis]}
    return {**files, "caltables": tables.get("name", "")}
