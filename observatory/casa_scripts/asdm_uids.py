"""Give every entity of an exported ASDM a UID of its execution block's own range.

exportasdm counts from X1 in every ASDM it writes, so that two blocks would share the
UIDs of all their binary files. Here ``X<n>`` becomes ``X<block + n - 1>``: the ASDM,
which is X1, gets the block's own UID and all else follows it.
"""

import re
import struct
from collections.abc import Callable
from pathlib import Path

# A BDF's MIME and XML headers end long before this; what follows is data.
_BDF_HEADER_BYTES = 8192
_LENGTH_BYTES = 4


def uid_prefix(eb_uid: str) -> str:
    """Give the part of a UID that all entities of the block share: ``uid://A002/Xc7111c/``."""
    return eb_uid[: eb_uid.rindex("/") + 1]


def shifted_uid(eb_uid: str, exported_number: int) -> str:
    """Give the UID of the entity that exportasdm numbered so."""
    block = int(eb_uid.rpartition("/X")[2], 16)
    return f"{uid_prefix(eb_uid)}X{block + exported_number - 1:x}"


def shift_uids(asdm: Path, eb_uid: str) -> None:
    """Rewrite the UIDs in all XML, binary tables and BDFs, and the BDFs' file names."""
    for path in sorted(asdm.glob("*.xml")):
        path.write_bytes(_shift_text(path.read_bytes(), eb_uid))
    for path in sorted(asdm.glob("*.bin")):
        path.write_bytes(_shift_binary_table(path.read_bytes(), eb_uid))
    # From the highest number down, so that no new name is one still in use.
    binaries = sorted((asdm / "ASDMBinary").iterdir(), key=_exported_number, reverse=True)
    for path in binaries:
        _shift_bdf(path, eb_uid)


def _exported_number(path: Path) -> int:
    return int(path.name.rpartition("_X")[2], 16)


def _pattern(eb_uid: str) -> re.Pattern[bytes]:
    # BulkStoreRef spells the UID without its scheme.
    prefix = re.escape(uid_prefix(eb_uid).removeprefix("uid://").encode())
    return re.compile(rb"(?<=[\"'/:])" + prefix + rb"X([0-9a-f]+)")


def _replacement(eb_uid: str) -> Callable[[re.Match[bytes]], bytes]:
    def replace(match: re.Match[bytes]) -> bytes:
        return shifted_uid(eb_uid, int(match.group(1), 16)).removeprefix("uid://").encode()

    return replace


def _shift_text(text: bytes, eb_uid: str) -> bytes:
    return _pattern(eb_uid).sub(_replacement(eb_uid), text)


def _shift_binary_table(content: bytes, eb_uid: str) -> bytes:
    """Shift the UIDs of a table's MIME header as text, those of its body with their length in front."""
    prefix = re.escape(uid_prefix(eb_uid).encode())
    counted = re.compile(rb"(.{4})(" + prefix + rb"X([0-9a-f]+))", re.DOTALL)
    body_at = content.index(b"<content.bin>")

    def replace(match: re.Match[bytes]) -> bytes:
        (length,) = struct.unpack("<I", match.group(1))
        # What follows the UID may look like more hex digits; the length tells where it ends.
        digits_at = len(uid_prefix(eb_uid)) + 1
        number, rest = match.group(2)[digits_at:length], match.group(2)[length:]
        new = shifted_uid(eb_uid, int(number, 16)).encode()
        return struct.pack("<I", len(new)) + new + rest

    return _shift_text(content[:body_at], eb_uid) + counted.sub(replace, content[body_at:])


def _shift_bdf(path: Path, eb_uid: str) -> None:
    content = path.read_bytes()
    new_uid = shifted_uid(eb_uid, _exported_number(path))
    header = _shift_text(content[:_BDF_HEADER_BYTES], eb_uid)
    path.write_bytes(header + content[_BDF_HEADER_BYTES:])
    path.rename(path.with_name(new_uid.replace(":", "_").replace("/", "_")))
