"""Open the object store that the settings name."""

from shared.objects.base import ObjectStore
from shared.objects.directory import DirectoryStore
from shared.objects.settings import DirectorySettings, S3Settings


def open_store(settings: DirectorySettings | S3Settings) -> ObjectStore:
    """Open the store; a directory is created if missing, an S3 server is first spoken to when it is used."""
    match settings:
        case DirectorySettings():
            return DirectoryStore(root=settings.root)
        case S3Settings():
            # Only here, since a process that keeps objects in a directory needs no S3 client.
            from shared.objects.s3 import S3Store

            return S3Store(settings)
