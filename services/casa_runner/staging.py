"""Brings an execution block's inputs from the store to an attempt's directory."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path, PurePosixPath

from contracts.manifests import AsdmManifest
from contracts.messages import RestoreOrdered
from contracts.messages.parts import NamedRef
from contracts.reasons import ReasonCode
from services.casa_runner.asdm import AsdmPromise, read_promise, rows_in
from services.casa_runner.observed import Observed, read_observed
from services.casa_runner.products import Calibration, find_calibration, lay_out, read_calls
from services.casa_runner.source import Source
from services.casa_runner.workspace import Attempt
from shared.errors import BlockFailedError
from shared.pipeline_files import ApplyCall
from shared.pipeline_files.ppr import ProcessingRequest, read_ppr


class Inputs:
    """The inputs of one order, as they lie in the store.

    Parameters
    ----------
    order
        The order.
    source
        The store, as long as the restore is wanted.

    Raises
    ------
    BlockFailedError
        If the staged ASDM is another block's.
    """

    def __init__(self, order: RestoreOrdered, source: Source) -> None:
        self._order = order
        self._source = source
        self._asdm = AsdmManifest.model_validate_json(source.read(order.asdm))
        if self._asdm.eb_uid != order.eb_uid:
            raise BlockFailedError(
                ReasonCode.ASDM_INCOMPLETE, f"{order.asdm.key} holds {self._asdm.eb_uid}, not {order.eb_uid}"
            )

    @property
    def size(self) -> int:
        """Bytes of the ASDM."""
        return self._asdm.size

    def described(self) -> tuple[AsdmPromise, Observed]:
        """Work out what the ASDM promises, and read what it holds; only its small tables are read, each once."""
        rows_of = rows_in(self._table)
        return read_promise(rows_of), read_observed(rows_of)

    def _table(self, name: str) -> bytes:
        ref = next((file.ref for file in self._asdm.files if file.path == f"{name}.xml"), None)
        if ref is None:
            raise BlockFailedError(ReasonCode.ASDM_INCOMPLETE, f"the ASDM has no {name}.xml")
        return self._source.read(ref)

    @cached_property
    def calls(self) -> tuple[ApplyCall, ...]:
        """The applycal calls of the block."""
        return read_calls(self._calibration, eb_uid=self._order.eb_uid, source=self._source)

    def unpack_calibration(self, attempt: Attempt, *, limit: int) -> None:
        """Write flags and tables where CASA's tasks look for them.

        Parameters
        ----------
        limit
            Most bytes that an archive of tables may unpack to.
        """
        lay_out(
            self._calibration,
            self.calls,
            eb_uid=self._order.eb_uid,
            source=self._source,
            rawdata=attempt.rawdata,
            working=attempt.working,
            limit=limit,
        )

    def write_calibration(self, folder: Path) -> None:
        """Write the calibration's files as they are, under the names that the manifest has for them."""
        calibration = self._calibration
        for product in (calibration.manifest, calibration.caltables, calibration.flagversions, calibration.calapply):
            self._source.fetch_to(product.ref, folder / product.name)

    def write_products(self, folder_of: Callable[[NamedRef], Path]) -> None:
        """Write all products as they are, each into the folder that is its place."""
        for product in self._order.products:
            self._source.fetch_to(product.ref, folder_of(product) / product.name)

    def write_ppr(self, folder: Path) -> ProcessingRequest:
        """Write the processing request under its name, and return what it says."""
        data = self._source.read(self._order.ppr.ref)
        (folder / self._order.ppr.name).write_bytes(data)
        return read_ppr(data)

    def write_asdm(self, attempt: Attempt) -> None:
        """Write the ASDM into ``rawdata``, with a link to it in ``working``."""
        name = self._order.eb_uid.file_form
        self._write_asdm(attempt.rawdata / name)
        (attempt.working / name).symlink_to(Path("..", "rawdata", name))

    @cached_property
    def _calibration(self) -> Calibration:
        return find_calibration(self._order.products, eb_uid=self._order.eb_uid, source=self._source)

    def _write_asdm(self, folder: Path) -> None:
        for file in self._asdm.files:
            place = PurePosixPath(file.path)
            if place.is_absolute() or ".." in place.parts:
                raise BlockFailedError(ReasonCode.ASDM_INCOMPLETE, f"{file.path!r} leads out of the ASDM")
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            self._source.fetch_to(file.ref, path)
