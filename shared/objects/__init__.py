"""The object store: where everything lies that is large or must last. One Protocol, two adapters."""

from shared.objects.base import (
    IntegrityError,
    ObjectExistsError,
    ObjectInfo,
    ObjectMissingError,
    ObjectStore,
)

__all__ = ["IntegrityError", "ObjectExistsError", "ObjectInfo", "ObjectMissingError", "ObjectStore"]
