"""A small NGAS server: speaks the protocol of ALMA's archive, with switches for its faults."""

from observatory.ngas.archive import Archive, StoredFile
from observatory.ngas.faults import Fault, FaultBoard
from observatory.ngas.locations import location_report, multipart_report, tar_report
from observatory.ngas.server import NgasServer

__all__ = [
    "Archive",
    "Fault",
    "FaultBoard",
    "NgasServer",
    "StoredFile",
    "location_report",
    "multipart_report",
    "tar_report",
]
