"""The object store: where everything lies that is large or must last. One Protocol, two adapters."""

from shared.objects.base import (
    CannotSignError,
    IntegrityError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectInfo,
    ObjectMissingError,
    ObjectStore,
)
from shared.objects.keys import InvalidKeyError
from shared.objects.opening import open_store
from shared.objects.settings import DirectorySettings, S3Settings, StoreSettings
from shared.objects.streams import ref_of

__all__ = [
    "CannotSignError",
    "DirectorySettings",
    "IntegrityError",
    "InvalidKeyError",
    "ObjectChangedError",
    "ObjectExistsError",
    "ObjectInfo",
    "ObjectMissingError",
    "ObjectStore",
    "S3Settings",
    "StoreSettings",
    "open_store",
    "ref_of",
]
