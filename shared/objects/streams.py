"""Bytes on their way: counted, hashed, checked against what was promised."""

import hashlib
import os
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import google_crc32c

from contracts.messages.parts import ObjectRef
from shared.objects.base import IntegrityError, ObjectInfo

CHUNK_BYTES = 1024 * 1024

HASHED_ASIDE_BYTES = 8 * CHUNK_BYTES
"""From this size on a stream is hashed in a thread while the next bytes come in."""

CHUNKS_AHEAD = 3
"""Chunks that may wait for being hashed."""


class Digest:
    """The size and SHA-256 of the bytes seen so far."""

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        """Take in the next bytes."""
        self.size += len(chunk)
        self._sha256.update(chunk)

    def info(self, key: str) -> ObjectInfo:
        """Describe the bytes seen so far, under this key."""
        return ObjectInfo(key=key, size=self.size, sha256=self._sha256.hexdigest())

    def ref(self, key: str) -> ObjectRef:
        """Refer to the bytes seen so far by this key."""
        return self.info(key).ref


def ref_of(key: str, data: bytes) -> ObjectRef:
    """Refer by this key to exactly these bytes."""
    digest = Digest()
    digest.update(data)
    return digest.ref(key)


def measured(chunks: Iterable[bytes], digest: Digest) -> Generator[bytes, None, None]:
    """Pass chunks on and let the digest see them."""
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def measured_aside(chunks: Iterable[bytes], digest: Digest) -> Generator[bytes, None, None]:
    """Pass chunks on while a thread lets the digest see them; at their end it has seen all.

    On a single core a thread would only take turns with the reading, so there is none.
    """
    if len(os.sched_getaffinity(0)) < 2:
        yield from measured(chunks, digest)
        return
    waiting = deque[Future[None]]()
    with ThreadPoolExecutor(1, thread_name_prefix="digest") as thread:
        for chunk in chunks:
            while len(waiting) >= CHUNKS_AHEAD:
                waiting.popleft().result()
            waiting.append(thread.submit(digest.update, chunk))
            yield chunk


def verified(chunks: Iterable[bytes], expected: ObjectRef) -> Generator[bytes, None, None]:
    """Pass chunks on; at their end raise `IntegrityError` unless they are what was promised.

    More bytes than promised are an error at once, so that a wrong object cannot fill a disk.
    """
    digest, size = Digest(), 0
    see = measured_aside if expected.size >= HASHED_ASIDE_BYTES else measured
    with closing(see(chunks, digest)) as seen:
        for chunk in seen:
            size += len(chunk)
            if size > expected.size:
                raise IntegrityError(f"{expected.key}: more bytes than the {expected.size} promised; get it anew")
            yield chunk
    check_same(digest.info(expected.key), expected)


def heeded(chunks: Iterable[bytes], heed: Callable[[], None] | None) -> Generator[bytes, None, None]:
    """Pass chunks on, and before each one call who may have a reason to end here; what it raises passes through."""
    for chunk in chunks:
        if heed is not None:
            heed()
        yield chunk


def check_same(got: ObjectRef | ObjectInfo, expected: ObjectRef) -> None:
    """Raise `IntegrityError` unless size and digest are those expected; keys may differ."""
    if (got.size, got.sha256) != (expected.size, expected.sha256):
        raise IntegrityError(
            f"{got.key}: expected {expected.size} bytes with SHA-256 {expected.sha256}, "
            f"got {got.size} bytes with {got.sha256}; get it anew from its source"
        )


def crc32c(data: bytes) -> str:
    """Give what lets the server refuse bytes that were changed on the way; it costs a twentieth of an MD5."""
    return b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()
