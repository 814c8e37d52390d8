"""Synthetic execution blocks: make those that the cache lacks, each in a CASA process of its own."""

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog

from observatory.blocks_spec import BlockFacts, BlockSpec, FieldFlux, MadeBlock
from observatory.casa_process import CONSOLE_LOG, run_casa_script
from observatory.casa_scripts.plan import BlockSize

__all__ = ["BlockFacts", "BlockProgress", "BlockSize", "BlockSpec", "FieldFlux", "MadeBlock", "ensure_blocks"]

_TIMEOUT_S = {BlockSize.SMALL: 300.0, BlockSize.MEDIUM: 900.0, BlockSize.LARGE: 3600.0}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class BlockProgress:
    """A block has come to a stage; ``cached`` and ``made`` are the last ones."""

    spec: BlockSpec
    stage: str


ProgressListener = Callable[[BlockProgress], None]


def ensure_blocks(
    specs: Sequence[BlockSpec],
    *,
    cache: Path,
    workers: int = 2,
    on_progress: ProgressListener = lambda _: None,
) -> list[MadeBlock]:
    """Give a made block for every spec, making those that the cache lacks.

    A block appears in the cache whole or not at all, whatever is killed when; several
    processes may share a cache, and one waits while another makes the block it needs.

    Parameters
    ----------
    cache
        Directory of made blocks; created if need be. It must be on a local disk (file locks).
    workers
        How many CASA processes at a time; each takes a core and about 350 MB.
    on_progress
        Called from several threads, never at once for the same block.

    Raises
    ------
    CasaProcessError
        CASA failed; what it said stays in the cache under ``failed/``.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="block-maker") as pool:
        return list(pool.map(lambda spec: _ensure(spec, cache.resolve(), on_progress), specs))


def _ensure(spec: BlockSpec, cache: Path, on_progress: ProgressListener) -> MadeBlock:
    root = cache / spec.cache_key
    with _locked(cache / f".{spec.cache_key}.lock"):
        if root.is_dir():
            stage = "cached"
        else:
            _make(spec, root, on_progress)
            stage = "made"
    on_progress(BlockProgress(spec=spec, stage=stage))
    return MadeBlock.load(spec, root)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file lock; the kernel lets go of it when its holder dies."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(spec: BlockSpec, root: Path, on_progress: ProgressListener) -> None:
    """Make a block beside its place and move it there when it is whole; the lock is held."""
    prefix = f".making-{spec.cache_key}-"
    _remove_abandoned(root.parent, prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=root.parent, ignore_cleanup_errors=True) as making:
        workdir, scratch = Path(making, "block"), Path(making, "scratch")
        workdir.mkdir()
        scratch.mkdir()
        try:
            run_casa_script(
                "make_block",
                spec.order,
                workdir=workdir,
                scratch=scratch,
                timeout_s=_TIMEOUT_S[spec.size],
                on_stage=lambda stage: on_progress(BlockProgress(spec=spec, stage=stage)),
            )
        except BaseException:  # whatever ended it, its log tells why; raised again
            _keep_log(scratch / CONSOLE_LOG, root)
            raise
        workdir.rename(root)
    # A CASA whose maker was killed a moment ago may have written while its directory was removed at first.
    _remove_abandoned(root.parent, prefix)
    log.info("block_made", eb_uid=str(spec.eb_uid), size=spec.size.value, path=str(root))


def _remove_abandoned(cache: Path, prefix: str) -> None:
    for abandoned in cache.glob(f"{prefix}*"):
        shutil.rmtree(abandoned, ignore_errors=True)


def _keep_log(said: Path, root: Path) -> None:
    failed = root.parent / "failed"
    failed.mkdir(exist_ok=True)
    if said.exists():
        shutil.copy(said, failed / f"{root.name}.log")
