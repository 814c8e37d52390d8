"""Deliveries appear whole, verified and once."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from contracts.messages.parts import NamedRef, ObjectRef
from services.notifier.area import DeliveryAreaAwayError, DirectoryArea
from services.notifier.provenance import files_of
from shared.objects import IntegrityError, ObjectMissingError, ObjectStore
from tests.unit.services.notifier.samples import TOKEN, restored

TEXTS: Mapping[str, str] = {"README.txt": "read me\n"}


@pytest.fixture
def area(tmp_path: Path, objects: ObjectStore) -> DirectoryArea:
    return DirectoryArea(root=tmp_path / "deliveries", objects=objects)


@pytest.fixture
def files(objects: ObjectStore) -> Sequence[NamedRef]:
    return files_of(restored(objects))


def shown(tmp_path: Path) -> list[str]:
    root = tmp_path / "deliveries"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*")) if root.exists() else []


def test_files_and_texts_are_shown_read_only(
    area: DirectoryArea, files: Sequence[NamedRef], objects: ObjectStore, tmp_path: Path
) -> None:
    area.lay_out(TOKEN, files, TEXTS)
    folder = tmp_path / "deliveries" / TOKEN
    assert sorted(path.name for path in folder.iterdir()) == sorted([*(file.name for file in files), *TEXTS])
    for file in files:
        assert (folder / file.name).read_bytes() == objects.read(file.ref)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}
    assert folder.stat().st_mode & 0o777 == 0o755
    assert folder.parent.stat().st_mode & 0o777 == 0o711


def test_on_the_stores_file_system_a_file_is_a_hard_link(
    area: DirectoryArea, files: Sequence[NamedRef], tmp_path: Path
) -> None:
    area.lay_out(TOKEN, files, TEXTS)
    assert (tmp_path / "deliveries" / TOKEN / files[0].name).stat().st_nlink > 1


def test_a_repeat_leaves_what_is_there(area: DirectoryArea, files: Sequence[NamedRef], tmp_path: Path) -> None:
    area.lay_out(TOKEN, files, TEXTS)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "deliveries").rglob("*")}
    area.lay_out(TOKEN, files, {"README.txt": "another text"})
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "deliveries").rglob("*")} == before


def test_what_a_killed_process_left_is_not_shown_and_is_removed(
    area: DirectoryArea, files: Sequence[NamedRef], tmp_path: Path
) -> None:
    left = tmp_path / "deliveries" / f".{TOKEN}.0123.tmp"
    left.mkdir(parents=True)
    (left / files[0].name).write_bytes(b"half a ta")
    area.lay_out(TOKEN, files, TEXTS)
    assert [path.name for path in (tmp_path / "deliveries").iterdir()] == [TOKEN]


def test_nothing_is_shown_if_a_file_is_missing(
    area: DirectoryArea, files: Sequence[NamedRef], objects: ObjectStore, tmp_path: Path
) -> None:
    objects.delete(files[-1].ref.key)
    with pytest.raises(ObjectMissingError):
        area.lay_out(TOKEN, files, TEXTS)
    assert shown(tmp_path) == []


def test_nothing_is_shown_if_a_file_is_not_the_promised_one(
    area: DirectoryArea, files: Sequence[NamedRef], tmp_path: Path
) -> None:
    wrong = ObjectRef(key=files[0].ref.key, size=files[0].ref.size, sha256="a" * 64)
    with pytest.raises(IntegrityError):
        area.lay_out(TOKEN, [NamedRef(name=files[0].name, ref=wrong), *files[1:]], TEXTS)
    assert shown(tmp_path) == []


def test_an_area_that_cannot_be_written_is_away_and_says_where(
    objects: ObjectStore, files: Sequence[NamedRef], tmp_path: Path
) -> None:
    (tmp_path / "full").write_text("a file where the area should be")
    area = DirectoryArea(root=tmp_path / "full" / "deliveries", objects=objects)
    with pytest.raises(DeliveryAreaAwayError, match=r"full/deliveries.*make room"):
        area.lay_out(TOKEN, files, TEXTS)
    assert not area.is_ready()


def test_of_several_at_once_each_finds_the_delivery_complete(
    area: DirectoryArea, files: Sequence[NamedRef], tmp_path: Path
) -> None:
    start = threading.Barrier(6)
    seen: list[list[str]] = []

    def lay_out() -> None:
        start.wait()
        area.lay_out(TOKEN, files, TEXTS)
        seen.append(sorted(path.name for path in (tmp_path / "deliveries" / TOKEN).iterdir()))

    threads = [threading.Thread(target=lay_out) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [sorted([*(file.name for file in files), *TEXTS])] * 6
    assert [path.name for path in (tmp_path / "deliveries").iterdir()] == [TOKEN]
