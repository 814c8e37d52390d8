"""How long a restore takes and how much it writes, learnt from those that came out well.

The last jobs of each way and CASA version are kept in the store, as pairs of a block's size
and what it took. Two runners that end at the same moment can lose one of two pairs: the
next ones heal that.
"""

from collections.abc import Sequence

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import RestoreError
from shared.objects import ObjectStore

KEPT = 50
_FOLDER = "expectations/casa-runner/"
log = structlog.get_logger()


class PastJob(BaseModel):
    """What one restore took.

    Attributes
    ----------
    size
        Bytes of the ASDM that were worked on: of the whole, or of the fields that were asked for.
    seconds
        How long CASA worked.
    written
        Bytes of the MeasurementSet that came out.
    """

    model_config = ConfigDict(frozen=True)

    size: int
    seconds: float
    written: int


class _History(BaseModel):
    jobs: tuple[PastJob, ...] = ()


class Expectations:
    """Remembers past jobs, and tells what to expect of the next.

    Parameters
    ----------
    objects
        Where they are kept.
    """

    def __init__(self, *, objects: ObjectStore) -> None:
        self._objects = objects

    def of(self, *, method: str, version: str | None, size: int) -> PastJob | None:
        """Tell what a job of this size is expected to take; None if nobody knows.

        ``version`` is the CASA that will do it; None takes the jobs of all.
        """
        return predicted(self._jobs(method, version), size)

    def _jobs(self, method: str, version: str | None) -> tuple[PastJob, ...]:
        if version is not None:
            return self._read(_key(method, version))
        try:
            found = [info.key for info in self._objects.list(_folder(method))]
        except RestoreError as error:
            log.warning("past_jobs_unread", method=method, cause=str(error))
            return ()
        return tuple(job for key in found for job in self._read(key))

    def learn(self, job: PastJob, *, method: str, version: str) -> None:
        """Remember a job; a store that is away costs nothing but this memory."""
        key = _key(method, version)
        try:
            jobs = (*self._read(key), job)[-KEPT:]
            self._objects.put_bytes(key, _History(jobs=jobs).model_dump_json().encode())
        except RestoreError as error:
            log.warning("past_job_forgotten", cause=str(error))

    def _read(self, key: str) -> tuple[PastJob, ...]:
        try:
            if self._objects.info(key) is None:
                return ()
            return _History.model_validate_json(self._objects.get(key)).jobs
        except (RestoreError, ValidationError) as error:
            log.warning("past_jobs_unread", key=key, cause=str(error))
            return ()


def predicted(jobs: Sequence[PastJob], size: int) -> PastJob | None:
    """Fit straight lines of time and bytes over size, never falling, and read them at one size."""
    if not jobs:
        return None
    sizes = [float(job.size) for job in jobs]
    seconds = _at(size, sizes, [job.seconds for job in jobs])
    written = _at(size, sizes, [float(job.written) for job in jobs])
    return PastJob(size=size, seconds=seconds, written=round(written))


def _at(where: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """Read a least-squares line at one place; where sizes tell nothing, the mean."""
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    if not spread:
        return mean_y
    slope = max(0.0, sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread)
    return max(0.0, mean_y + slope * (where - mean_x))


def _key(method: str, version: str) -> str:
    return f"{_folder(method)}{version.replace('-', '.')}.json"


def _folder(method: str) -> str:
    return f"{_FOLDER}{method.replace(' ', '-')}/"
