"""A local record of which MOUSs can be restored, kept current from the archive's tables."""

from shared.calibration_status.record import StatusRecord
from shared.calibration_status.settings import CalibrationStatusSettings
from shared.calibration_status.status import Change, MousStatus
from shared.calibration_status.updater import Refreshed, Updater

__all__ = ["CalibrationStatusSettings", "Change", "MousStatus", "Refreshed", "StatusRecord", "Updater"]
