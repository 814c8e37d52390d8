"""What is recorded of a MOUS, and what a change of it means."""

from dataclasses import dataclass
from datetime import datetime

DELIVERED = "Delivered"


@dataclass(frozen=True, kw_only=True)
class MousStatus:
    """The calibration status of a MOUS as the archive's tables had it.

    Attributes
    ----------
    mous_uid
        Its UID.
    project_code, state
        Its project and life-cycle state.
    release_date
        When all its deliveries are public, UTC; None if one of them has no date.
    is_date_moved
        Whether a release date is another than the original one.
    caltables, manifests, scripts
        Numbers of its files with calibration tables, of pipeline manifests and of calibration scripts.
    """

    mous_uid: str
    project_code: str | None
    state: str | None
    release_date: datetime | None
    is_date_moved: bool
    caltables: int
    manifests: int
    scripts: int

    def is_restorable(self, *, restore_manual: bool) -> bool:
        """Whether a restore is possible: the MOUS is delivered, and its calibration exists.

        Parameters
        ----------
        restore_manual
            Whether scripts of a calibration by hand will do without calibration tables.
        """
        return self.state == DELIVERED and (self.caltables > 0 or (restore_manual and self.scripts > 0))


@dataclass(frozen=True)
class Change:
    """A MOUS before and after; None where it is not there."""

    before: MousStatus | None
    after: MousStatus | None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Say what has changed: ``new``, ``gone``, or some of ``products``, ``state``, ``release date``."""
        before, after = self.before, self.after
        if before is None or after is None:
            return ("new",) if before is None else ("gone",)
        products = (before.caltables, before.manifests, before.scripts) != (
            after.caltables,
            after.manifests,
            after.scripts,
        )
        dates = (before.release_date, before.is_date_moved) != (after.release_date, after.is_date_moved)
        named = (("products", products), ("state", before.state != after.state), ("release date", dates))
        return tuple(name for name, changed in named if changed)
