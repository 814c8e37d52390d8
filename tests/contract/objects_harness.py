"""What the object store's suite needs of each adapter beside the store itself: spoil it, take it away, look beneath."""

import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from contracts.messages.parts import ObjectRef
from shared.objects import ObjectStore, S3Settings
from shared.objects.directory import DirectoryStore
from shared.objects.s3 import S3Store
from shared.objects.s3_client import S3Client
from shared.objects.s3_digests import RECORDS, WRITER_HEADER
from tests.support.certificates import certificate_for
from tests.support.relay import Relay, RelayTls

MIB = 1024 * 1024
LARGE = 36 * MIB + 12345
"""Bytes of a large object: several parts, the last one short."""


class StoreHarness(ABC):
    """One adapter under test."""

    store: ObjectStore

    def close(self) -> None:
        """Release what was opened."""
        self.store.close()

    @abstractmethod
    def another(self) -> ObjectStore:
        """Open the same store once more, as another process would."""

    @abstractmethod
    def spoil(self, key: str) -> None:
        """Change a stored byte underneath the store, keeping size and recorded digest."""

    @abstractmethod
    def leftovers(self) -> list[str]:
        """Name what lies in the store that belongs to no visible object."""

    @abstractmethod
    def take_away(self) -> None:
        """Make the store unreachable."""

    @abstractmethod
    def bring_back(self) -> None:
        """Make it reachable again with all its objects."""


class DirectoryHarness(StoreHarness):
    """The adapter for a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = DirectoryStore(root=root)

    def another(self) -> ObjectStore:
        return DirectoryStore(root=self.root)

    def spoil(self, key: str) -> None:
        path = (self.root / "objects" / key).resolve(strict=True)
        path.chmod(0o644)
        with path.open("r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(bytes([first[0] ^ 0xFF]))
        path.chmod(0o444)

    def leftovers(self) -> list[str]:
        named = {path.resolve() for path in _files(self.root / "objects")}
        held = [*_files(self.root / "data"), *_files(self.root / "tmp"), *_files(self.root / "links")]
        return [str(path) for path in held if path.resolve() not in named]

    def take_away(self) -> None:
        self.root.rename(self.root.with_name("away"))

    def bring_back(self) -> None:
        self.root.with_name("away").rename(self.root)


class S3Harness(StoreHarness):
    """The adapter for S3, in a bucket that is empty at first, behind a relay that can be away.

    Over https the relay has a certificate of its own, so that it reads what passes, and verifies the server's.

    Attributes
    ----------
    direct, settings
        Settings of the server itself, and by way of the relay.
    http
        Follows signed links.
    """

    def __init__(self, settings: S3Settings) -> None:
        self.direct = settings
        self._folder = tempfile.TemporaryDirectory(prefix="s3-relay-")
        self.relay, self.settings = relayed(settings, Path(self._folder.name))
        self.relay.bring_back()
        self.store = S3Store(self.settings)
        self.http = urllib3.PoolManager(ca_certs=str(self.settings.ca_file) if self.settings.ca_file else None)
        self.client = S3Client(self.direct, connect_timeout=5, read_timeout=60, retries=1)

    def close(self) -> None:
        super().close()
        self.relay.take_away()
        for key, upload, _ in self.client.uploads():
            self.client.abort_upload(key, upload)
        for name in self.names():
            self.client.remove_object(self.client.bucket, name)
        self.client.close()
        self.http.clear()
        self._folder.cleanup()

    def another(self) -> ObjectStore:
        return S3Store(self.settings)

    def names(self) -> list[str]:
        """Name all that lies in the bucket."""
        found = self.client.list_objects(self.client.bucket, recursive=True)
        return [item.object_name for item in found if item.object_name]

    def spoil(self, key: str) -> None:
        head = self.client.stat_object(self.client.bucket, key).metadata
        assert head is not None
        data = self.client.body(key)
        kept = {name: value for name, value in head.items() if name.lower().startswith("x-amz-meta-")}
        self.client.put(key, bytes([data[0] ^ 0xFF]) + data[1:], dict(kept))

    def leftovers(self) -> list[str]:
        writers = {self._writer(name) for name in self.names() if not name.startswith(".")}
        records = [name for name in self.names() if name.startswith(".")]
        return [name for name in records if name.removeprefix(RECORDS) not in writers] + [
            f"upload of {key}" for key, _, _ in self.client.uploads()
        ]

    def take_away(self) -> None:
        self.relay.take_away()

    def bring_back(self) -> None:
        self.relay.bring_back()

    def _writer(self, key: str) -> str | None:
        return (self.client.stat_object(self.client.bucket, key).metadata or {}).get(WRITER_HEADER)


def relayed(settings: S3Settings, folder: Path) -> tuple[Relay, S3Settings]:
    """Make a relay to an S3 server and the settings that lead over it, with the relay's certificate in a folder."""
    server = urlsplit(settings.endpoint)
    host = server.hostname or ""
    if server.scheme == "http":
        relay = Relay(host, server.port or 80)
        return relay, settings.model_copy(update={"endpoint": f"http://127.0.0.1:{relay.port}"})
    shown = certificate_for("127.0.0.1", folder)
    relay = Relay(host, server.port or 443, tls=RelayTls(shown=shown, trusted=settings.ca_file))
    changes = {"endpoint": f"https://127.0.0.1:{relay.port}", "ca_file": shown.certificate}
    return relay, settings.model_copy(update=changes)


def _files(directory: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(directory):
        yield from (Path(parent) / name for name in names)


def large(size: int = LARGE) -> Iterator[bytes]:
    """Make a large object's bytes in uneven chunks."""
    block = bytes(index * 31 % 251 for index in range(251)) * 4000
    left = size
    while left:
        chunk = block[: min(left, len(block))]
        left -= len(chunk)
        yield chunk


def ref_of(key: str, data: bytes) -> ObjectRef:
    return ObjectRef(key=key, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def failing(size: int) -> Iterator[bytes]:
    """Give bytes and then break, as a source does whose connection is lost."""
    for _ in range(size // MIB):
        yield bytes(MIB)
    raise OSError("the source broke")


def keys(harness: StoreHarness, prefix: str = "") -> list[str]:
    return [found.key for found in harness.store.list(prefix)]
