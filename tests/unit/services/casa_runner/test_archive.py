"""The archive of results: what the store is told of a tar before its first byte comes."""

import os
from collections.abc import Iterable
from pathlib import Path

from contracts.messages import RestoreOrdered
from contracts.messages.parts import ObjectRef
from services.casa_runner.archive import Archive
from shared.objects.directory import DirectoryStore
from shared.objects.parts import FIRST_PART_BYTES, MAX_PARTS, MIB, part_bytes, upload_bytes
from tests.support.casa_bench import Bench


class ToldStore(DirectoryStore):
    """Remembers how large it was told that a stream is, and reads no more of it than a chunk."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.told: int | None = None

    def put(
        self, key: str, chunks: Iterable[bytes], *, expected: ObjectRef | None = None, at_most: int | None = None
    ) -> ObjectRef:
        assert expected is None
        self.told = at_most
        return super().put(key, [next(iter(chunks))])


def told_of_a_tar(bench: Bench, tmp_path: Path, *, size: int) -> tuple[int, int]:
    """Store the tar of a MeasurementSet with a file of so many bytes; give its size as told and as it was."""
    ms = tmp_path / "x.ms"
    ms.mkdir()
    with (ms / "table.f0").open("wb") as file:
        os.truncate(file.fileno(), size)
    order = bench.order().data
    assert isinstance(order, RestoreOrdered)
    objects = ToldStore(tmp_path / "told")
    ref = Archive(objects=objects).store_tar(
        order, ms, attempt="first", mtime=1_538_380_815, heed=lambda sent, total: None
    )
    assert objects.told is not None
    return objects.told, ref.size


def test_the_store_is_told_how_large_a_tar_is(bench: Bench, tmp_path: Path) -> None:
    told, came = told_of_a_tar(bench, tmp_path, size=1234)
    assert told == came


def test_a_tar_of_500_gb_goes_up_in_alike_parts_of_48_mib_and_takes_143_mib_of_memory(
    bench: Bench, tmp_path: Path
) -> None:
    told, _ = told_of_a_tar(bench, tmp_path, size=500 * 10**9)
    sizes = {part_bytes(number, told) for number in (0, 1_200, 9_600, MAX_PARTS - 1)}
    assert [round(size / MIB) for size in sizes] == [48]
    assert round(upload_bytes(told) / MIB) == 143
    assert part_bytes(0, 156 * 1024 * MIB) == FIRST_PART_BYTES
    assert upload_bytes(156 * 1024 * MIB) == 80 * MIB
