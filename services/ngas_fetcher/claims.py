"""Claims on what is brought into the store: one fetcher does it, others wait; a dead one's claim expires."""

import os
import socket
from contextlib import AbstractContextManager
from datetime import timedelta

from shared.objects import ObjectStore
from shared.objects.lease import Lease, Leases


class Claims:
    """Claims folders of the store for this process.

    Parameters
    ----------
    objects
        The store.
    ttl
        How long others wait for a sign of life before they take over.
    """

    def __init__(self, *, objects: ObjectStore, ttl: timedelta) -> None:
        self._leases = Leases(objects=objects)
        self._ttl = ttl
        self._owner = f"ngas-fetcher {socket.gethostname()}:{os.getpid()}"

    def held(self, folder: str) -> AbstractContextManager[Lease]:
        """Hold a folder for the block; see `Leases.held` for who else may have it."""
        return self._leases.held(folder, owner=self._owner, ttl=self._ttl)

    def is_over(self, folder: str, *, since: timedelta) -> bool:
        """Whether nobody has held a folder for so long."""
        return self._leases.is_over(folder, since=since)
