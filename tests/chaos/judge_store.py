"""What must be whole in the object store, and what must not be left there."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from contracts.manifests import ProductManifest
from contracts.messages.parts import ObjectRef
from shared.errors import RestoreError
from shared.objects import ObjectStore, S3Settings
from shared.objects.lease import Leases
from shared.objects.lease_records import SystemClock
from shared.objects.s3_client import S3Client
from shared.objects.s3_digests import RECORDS, Digests


def damaged_objects(store: ObjectStore) -> Iterator[str]:
    """Read every object; say which is not what it should be, or is named by nothing."""
    tars, named = set[str](), set[str]()
    for found in store.list(""):
        try:
            data = store.read(found.ref)
        except RestoreError as error:
            yield f"object {found.key}: {error}"
            continue
        if found.key.startswith("products/"):
            if found.key.endswith("/manifest.json"):
                named.add(ProductManifest.model_validate_json(data).block.tar.key)
            else:
                tars.add(found.key)
    yield from (f"object {key} is named by no manifest" for key in sorted(tars - named))
    yield from (f"object {key} is named by a manifest and missing" for key in sorted(named - tars))


class Tomorrow(SystemClock):
    """A clock by which every lease that nobody renews is over."""

    def now(self) -> datetime:
        """Tell the time a day later."""
        return super().now() + timedelta(days=1)


def left_by_the_living(store: ObjectStore, settings: S3Settings, *, calm_since: datetime) -> Iterator[str]:
    """Say what was begun after all killing and is left: no sweep may be needed to remove that.

    The dead may leave leases, uploads and records of digests; they all date from before.
    """
    for record in Leases(objects=store).standing():
        if record.renewed > calm_since:
            yield f"lease of {record.key}, which {record.owner} never let go"
    with closing(S3Client(settings, connect_timeout=5, read_timeout=30, retries=5)) as client:
        for key, _, begun in client.uploads():
            if begun > calm_since:
                yield f"upload of {key}, begun at {begun}, neither completed nor aborted"
        digests = Digests(client=client)
        for item in client.list_objects(client.bucket, prefix=RECORDS, recursive=True):
            if item.object_name and item.last_modified and item.last_modified > calm_since:
                ref = ObjectRef.model_validate_json(client.body(item.object_name))
                if digests.writer_of(ref.key) != item.object_name.removeprefix(RECORDS):
                    yield f"record of a digest of {ref.key}, written at {item.last_modified}, whose object is not there"


def left_after_sweeping(store: ObjectStore, *, scratch: Path) -> Iterator[str]:
    """Sweep as services do now and then, and say what is still left behind."""
    store.sweep(timedelta(0))
    leases = Leases(objects=store, clock=Tomorrow())
    leases.sweep(timedelta(0))
    if again := store.sweep(timedelta(0)):
        yield f"{again} things of killed writers in the object store that no sweep removes"
    yield from (f"lease of {record.key}" for record in leases.standing())
    yield from (f"working directory {path}" for path in sorted(scratch.glob("attempts/*")))
