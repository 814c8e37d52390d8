"""An ASDM from its source into the object store: what it consists of, and a manifest last."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from contracts.manifests import AsdmManifest
from contracts.messages.parts import ObjectRef
from services.ngas_fetcher.claims import Claims
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.holding import Bringing, Holding
from services.ngas_fetcher.pool import Group
from services.ngas_fetcher.progress import Progress
from services.ngas_fetcher.stop import Stop
from services.ngas_fetcher.unpacked import remove_unpacked
from shared import keys
from shared.objects import ObjectExistsError, ObjectStore
from shared.objects.lease import Lease

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class StagedAsdm:
    """An ASDM in the store: the reference of its manifest, and whether it was there before."""

    manifest: ObjectRef
    reused: bool


class AsdmStaging:
    """Brings ASDMs into the store.

    Parameters
    ----------
    objects
        The store.
    fetcher
        Fetches single files.
    interval
        Seconds between two looks at the progress.
    claims
        So that one fetcher stages a block.
    """

    def __init__(self, *, objects: ObjectStore, fetcher: FileFetcher, interval: float, claims: Claims) -> None:
        self._objects = objects
        self._fetcher = fetcher
        self._interval = interval
        self._claims = claims

    def find(self, holding: Holding) -> ObjectRef | None:
        """Return the manifest if the ASDM is in the store: what has a manifest is whole."""
        found = self._objects.info(_manifest_key(holding))
        return found.ref if found else None

    def stage(
        self, holding: Holding, group: Group, *, stop: Stop, progress: Progress, tick: Callable[[], None]
    ) -> StagedAsdm:
        """Bring all that is not there yet, then write the manifest.

        Parameters
        ----------
        holding
            The ASDM as its source has it.
        group
            The request's part of the pool.
        stop
            Ends the fetch.
        progress
            Told what arrives.
        tick
            Called in this thread now and then.

        Raises
        ------
        BlockFailedError
            If a file is missing or damaged, or the ASDM is not whole.
        DependencyAwayError
            If the source or the store is away.
        LeaseHeldError, LeaseLostError
            If another stages this block now: look again later.
        """
        found = self.find(holding)
        if found is not None:
            return StagedAsdm(manifest=found, reused=True)
        with self._claims.held(_folder(holding)) as lease:
            found = self.find(holding)  # who held the lease until now may have just written it
            if found is not None:
                return StagedAsdm(manifest=found, reused=True)
            remove_unpacked(self._objects, _folder(holding))

            def look() -> None:
                if lease.lost.is_set():
                    stop.tell()
                tick()

            return self._stage(holding, group, lease, stop=stop, progress=progress, tick=look)

    def _stage(
        self,
        holding: Holding,
        group: Group,
        lease: Lease,
        *,
        stop: Stop,
        progress: Progress,
        tick: Callable[[], None],
    ) -> StagedAsdm:
        bringing = Bringing(
            folder=_folder(holding),
            target=self._objects,
            fetcher=self._fetcher,
            group=group,
            stop=stop,
            progress=progress,
            interval=self._interval,
            tick=tick,
        )
        files = holding.bring(bringing)
        stop.check()
        lease.check()
        manifest = AsdmManifest(eb_uid=holding.eb_uid, files=files)
        try:
            ref = self._objects.create(_manifest_key(holding), manifest.model_dump_json(indent=1).encode())
        except ObjectExistsError:
            # Whoever took over the claim of a fetcher that stalled was faster: its files are the ones that stay.
            log.info("asdm_staged_by_another", eb_uid=holding.eb_uid)
            found = self.find(holding)
            assert found is not None, "what exists is found"
            return StagedAsdm(manifest=found, reused=True)
        log.info("asdm_staged", eb_uid=holding.eb_uid, files=len(files), bytes=manifest.size, manifest=ref.key)
        return StagedAsdm(manifest=ref, reused=False)


def _folder(holding: Holding) -> str:
    return keys.asdm_folder(holding.eb_uid, holding.content)


def _manifest_key(holding: Holding) -> str:
    return f"{_folder(holding)}manifest.json"
