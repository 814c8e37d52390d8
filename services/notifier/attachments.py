"""Logs as attachments of bounded size: whole if possible, else compressed, else their end."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.messages.parts import BlockFailure
from services.notifier.mail import Attachment
from shared.objects import IntegrityError, ObjectMissingError, ObjectStore

_GZIP_FORMAT = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, kw_only=True)
class LogLimits:
    """Bounds of what a mail carries, in bytes.

    Attributes
    ----------
    plain
        A longer log is compressed; also how much of the end is attached of a log that is too long.
    compressed
        A log that is longer even compressed is cut.
    total
        Bound of all attachments of a mail together.
    """

    plain: int
    compressed: int
    total: int


@dataclass(frozen=True, kw_only=True)
class PackedLog:
    """A log as it is attached.

    Attributes
    ----------
    cut
        Whether only the end of the log is here.
    """

    data: bytes
    compressed: bool
    cut: bool


@dataclass(frozen=True, kw_only=True)
class LogNote:
    """What became of a failure's log: the attachment, if any, and the sentence that says so."""

    sentence: str
    attachment: Attachment | None = None


def pack_log(chunks: Iterable[bytes], limits: LogLimits) -> PackedLog:
    """Pack a log into a bounded number of bytes, reading it as a stream."""
    start, end = bytearray(), bytearray()
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP_FORMAT)
    packed = bytearray()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        start += chunk[: max(0, limits.plain - len(start))]
        end = (end + chunk)[-limits.plain :]
        if len(packed) <= limits.compressed:
            packed += packer.compress(chunk)
    packed += packer.flush()
    if size <= limits.plain:
        return PackedLog(data=bytes(start), compressed=False, cut=False)
    if len(packed) <= limits.compressed:
        return PackedLog(data=bytes(packed), compressed=True, cut=False)
    return PackedLog(data=bytes(end), compressed=False, cut=True)


def attach_logs(failures: Sequence[BlockFailure], *, objects: ObjectStore, limits: LogLimits) -> list[LogNote]:
    """Read each failure's log from the store and say what became of it, in the same order.

    A log that cannot be had is said in the mail; it never keeps the mail back.

    Raises
    ------
    DependencyAwayError
        If the store is away.
    """
    notes: list[LogNote] = []
    room = limits.total
    for failure in failures:
        notes.append(_note(failure, objects, limits, room))
        if (attachment := notes[-1].attachment) is not None:
            room -= len(attachment.data)
    return notes


def _note(failure: BlockFailure, objects: ObjectStore, limits: LogLimits, room: int) -> LogNote:
    if failure.log is None:
        return LogNote(sentence="there is none")
    stored = f"object {failure.log.key}, {failure.log.size} bytes"
    try:
        with objects.open(failure.log) as chunks:
            packed = pack_log(chunks, limits)
    except (ObjectMissingError, IntegrityError) as error:
        return LogNote(sentence=f"not attached, it cannot be read ({error}); {stored}")
    if len(packed.data) > room:
        return LogNote(sentence=f"not attached, the mail would be too large; {stored}")
    name = f"{failure.eb_uid.file_form}.log"
    attachment = Attachment(name=name, data=packed.data, compressed=packed.compressed)
    shown = f"{name}.gz" if packed.compressed else name
    whole = f"attached as {shown}, only its last {len(packed.data)} bytes" if packed.cut else f"attached as {shown}"
    return LogNote(sentence=f"{whole}; {stored}", attachment=attachment)
