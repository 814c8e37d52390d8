"""Reads ``casa_piperestorescript.py``: which execution block was calibrated in which session. It is never run."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from contracts.identifiers import ExecBlockUid, InvalidIdentifierError, SessionName
from shared.pipeline_files.manifest import ManifestError

MAX_BYTES = 2**20
_RESTORES = ("hifa_restoredata", "hif_restoredata", "hsd_restoredata", "h_restoredata")
_FRAME = ("h_init", "h_save")


@dataclass(frozen=True, kw_only=True)
class RestoreScript:
    """What a restore script does.

    Attributes
    ----------
    sessions
        The session of each execution block; None where the script names none.
    other_calls
        Functions that it calls besides the restore, e.g. ``fixsyscaltimes``: steps that a restore of ours leaves out.
    task
        The restore that it calls; that of single dish begins with ``hsd``.
    """

    sessions: dict[ExecBlockUid, SessionName | None]
    other_calls: tuple[str, ...] = ()
    task: str = "hifa_restoredata"


def read_restore_script(data: bytes, *, name: str = "casa_piperestorescript.py") -> RestoreScript:
    """Read the one restore that the script calls; only literals count.

    Raises
    ------
    ManifestError
        If it cannot be parsed, does not call exactly one restore, or that names
        no blocks, blocks twice, or not one session per block.
    """
    if len(data) > MAX_BYTES:
        raise ManifestError(f"{name} has {len(data)} bytes, which no restore script has")
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ManifestError(f"{name} is no Python that can be parsed: {error}") from error
    calls = list(_calls(tree))
    restores = [(called, call) for called, call in calls if called in _RESTORES]
    if len(restores) != 1:
        raise ManifestError(f"{name} calls {len(restores)} restores ({', '.join(_RESTORES)}), and needs exactly one")
    ((called, call),) = restores
    vis = _texts(call, "vis", name)
    sessions = _texts(call, "session", name)
    if not vis or (sessions is not None and len(sessions) != len(vis)):
        raise ManifestError(f"{name}: {called} has vis {vis} and session {sessions}, and needs one session per block")
    blocks = [_block(text, name) for text in vis]
    if len(set(blocks)) != len(blocks):
        raise ManifestError(f"{name}: {called} names a block twice: {', '.join(blocks)}")
    names = [None] * len(blocks) if sessions is None else [_session(text, name) for text in sessions]
    return RestoreScript(
        sessions=dict(zip(blocks, names, strict=True)),
        other_calls=tuple(dict.fromkeys(other for other, _ in calls if other not in (*_RESTORES, *_FRAME))),
        task=called,
    )


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def _texts(call: ast.Call, keyword: str, name: str) -> list[str] | None:
    """Return a keyword's list of texts; None if the call has no such keyword."""
    values = [each.value for each in call.keywords if each.arg == keyword]
    if not values:
        return None
    try:
        value = ast.literal_eval(values[0])
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise ManifestError(f"{name}: {keyword} is no literal, and code is never run") from error
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(item, str) for item in found):
        raise ManifestError(f"{name}: {keyword} is {value!r:.80}, not a list of names")
    return list(found)


def _block(text: str, name: str) -> ExecBlockUid:
    try:
        return ExecBlockUid(PurePosixPath(text).name.removesuffix(".ms"))
    except InvalidIdentifierError as error:
        raise ManifestError(f"{name}: {error}") from error


def _session(text: str, name: str) -> SessionName:
    try:
        return SessionName(text)
    except InvalidIdentifierError as error:
        raise ManifestError(f"{name}: {error}") from error
