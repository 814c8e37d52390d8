"""The archive's metadata database: ALMA's tables, and how they are read."""

from shared.archive_db.database import ArchiveDatabase
from shared.archive_db.settings import ArchiveDbSettings

__all__ = ["ArchiveDatabase", "ArchiveDbSettings"]
