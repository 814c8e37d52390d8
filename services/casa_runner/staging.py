"""Brings an execution block's inputs from the store to an attempt's directory."""

from pathlib import Path, PurePosixPath

from contracts.manifests import AsdmManifest
from contracts.messages import RestoreOrdered
from contracts.reasons import ReasonCode
from services.casa_runner.asdm import AsdmPromise, read_promise
from services.casa_runner.observed import Observed, read_observed
from services.casa_runner.products import find_calibration, lay_out
from services.casa_runner.workspace import Attempt
from shared.errors import BlockFailedError
from shared.objects import ObjectStore
from shared.pipeline_files import ApplyCall


class Inputs:
    """The inputs of one order, as they lie in the store.

    Parameters
    ----------
    order
        The order.
    objects
        The store.

    Raises
    ------
    BlockFailedError
        If the staged ASDM is another block's.
    """

    def __init__(self, order: RestoreOrdered, objects: ObjectStore) -> None:
        self._order = order
        self._objects = objects
        self._asdm = AsdmManifest.model_validate_json(objects.read(order.asdm))
        if self._asdm.eb_uid != order.eb_uid:
            raise BlockFailedError(
                ReasonCode.ASDM_INCOMPLETE, f"{order.asdm.key} holds {self._asdm.eb_uid}, not {order.eb_uid}"
            )

    @property
    def size(self) -> int:
        """Bytes of the ASDM."""
        return self._asdm.size

    def promise(self) -> AsdmPromise:
        """Work out what the ASDM promises; only its small tables are read."""
        return read_promise(self._table)

    def observed(self) -> Observed:
        """Read what the ASDM holds."""
        return read_observed(self._table)

    def _table(self, name: str) -> bytes:
        ref = next((file.ref for file in self._asdm.files if file.path == f"{name}.xml"), None)
        if ref is None:
            raise BlockFailedError(ReasonCode.ASDM_INCOMPLETE, f"the ASDM has no {name}.xml")
        return self._objects.read(ref)

    def lay_out(self, attempt: Attempt, *, limit: int) -> tuple[ApplyCall, ...]:
        """Write everything where CASA looks for it, and return the applycal calls.

        Parameters
        ----------
        limit
            Most bytes that an archive of tables may unpack to.
        """
        eb_uid = self._order.eb_uid
        calibration = find_calibration(self._order.products, eb_uid=eb_uid, objects=self._objects)
        calls = lay_out(
            calibration,
            eb_uid=eb_uid,
            objects=self._objects,
            rawdata=attempt.rawdata,
            working=attempt.working,
            limit=limit,
        )
        self._write_asdm(attempt.rawdata / eb_uid.file_form)
        (attempt.working / eb_uid.file_form).symlink_to(Path("..", "rawdata", eb_uid.file_form))
        return calls

    def _write_asdm(self, folder: Path) -> None:
        for file in self._asdm.files:
            if PurePosixPath(file.path).is_absolute() or ".." in PurePosixPath(file.path).parts:
                raise BlockFailedError(ReasonCode.ASDM_INCOMPLETE, f"{file.path!r} leads out of the ASDM")
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            self._objects.fetch_to(file.ref, path)
