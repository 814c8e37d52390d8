"""Checksums as NGAS records them, and the same computed while the bytes pass."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from google_crc32c import extend

try:
    # A fifth of all that a transfer computes less: it sums ten times as fast as zlib.
    from isal.isal_zlib import crc32
except ImportError:  # a platform without it
    from zlib import crc32

_MASK = 0xFFFFFFFF


class ChecksumKind(StrEnum):
    """Which sum: zlib's CRC-32 or Castagnoli's."""

    CRC32 = "crc32"
    CRC32C = "crc32c"


_PLUGINS = {
    "ngamsgencrc32": ChecksumKind.CRC32,
    "crc32": ChecksumKind.CRC32,
    "crc32z": ChecksumKind.CRC32,
    "crc32c": ChecksumKind.CRC32C,
}
_ABSENT = ("", "none", "null")


def _crc32(crc: int, chunk: bytes) -> int:
    return crc32(chunk, crc)


_UPDATES: dict[ChecksumKind, Callable[[int, bytes], int]] = {
    ChecksumKind.CRC32: _crc32,
    ChecksumKind.CRC32C: extend,
}


class UnreadableChecksumError(ValueError):
    """A recorded checksum is of an unknown kind or no number of 32 bits."""


@dataclass(frozen=True)
class Checksum:
    """A checksum of 32 bits; reads ``crc32:582543640`` as text."""

    kind: ChecksumKind
    value: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"

    @classmethod
    def recorded(cls, plugin: str | None, value: str | int | None) -> "Checksum | None":
        """Read what an archive recorded; None where it recorded nothing.

        Parameters
        ----------
        plugin
            The name of the plug-in: ``ngamsGenCrc32``, ``crc32``, ``crc32z``, ``crc32c``, ``None``.
        value
            A decimal number, signed in old archives.

        Raises
        ------
        UnreadableChecksumError
            If the plug-in is unknown or the value is no number of 32 bits.
        """
        name, text = str(plugin or "").strip().lower(), "" if value is None else str(value).strip()
        if name in _ABSENT or text.lower() in _ABSENT:
            return None
        kind = _PLUGINS.get(name)
        if kind is None:
            raise UnreadableChecksumError(f"checksum plug-in {plugin!r} is unknown: known are {', '.join(_PLUGINS)}")
        try:
            number = int(text)
        except ValueError:
            raise UnreadableChecksumError(f"checksum {value!r} is no decimal number") from None
        if not -(1 << 31) <= number <= _MASK:
            raise UnreadableChecksumError(f"checksum {value!r} does not fit 32 bits")
        return cls(kind, number & _MASK)


class RunningChecksum:
    """A checksum of the bytes so far; can be carried over a broken transfer.

    Parameters
    ----------
    kind
        Which sum; CRC-32 if the archive recorded none, so that there is something to log.
    """

    def __init__(self, kind: ChecksumKind = ChecksumKind.CRC32) -> None:
        self._kind = kind
        self._update = _UPDATES[kind]
        self._value = 0

    def add(self, chunk: bytes) -> None:
        """Take in the next bytes."""
        self._value = self._update(self._value, chunk)

    @property
    def checksum(self) -> Checksum:
        """The checksum of all bytes so far."""
        return Checksum(self._kind, self._value)
