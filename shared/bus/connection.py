"""A connection that gives the socket the frames of many messages at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika

AT_ONCE = 64 * 1024
"""Bytes that are given to the socket together; more would be cut up there, and copied."""


class TogetherConnection(pika.SelectConnection):
    """Pika's connection, which otherwise makes a system call for each frame: three for a message."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._together: bytearray | None = None
        super().__init__(*arguments, **settings)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send at the end, or in large pieces, what is published within; use it in the connection's thread only."""
        self._together = bytearray()
        try:
            yield
        finally:
            self._send_together()
            self._together = None

    def _adapter_emit_data(self, data: bytes) -> None:
        """Take what pika would give to the socket (pika: "subclasses must override")."""
        if self._together is None:
            self._give(data)
            return
        self._together += data
        if len(self._together) >= AT_ONCE:
            self._send_together()

    def _send_together(self) -> None:
        if self._together:
            data, self._together = bytes(self._together), bytearray()
            self._give(data)

    def _give(self, data: bytes) -> None:
        super()._adapter_emit_data(data)  # type: ignore[misc]  # the stubs leave out what subclasses override
