"""Files in a person's directory: whole and named, or not there."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.ngas_fetcher.errors import FolderError
from services.ngas_fetcher.folder import Folder
from tests.support.trees import files_below


def test_every_file_has_its_name_when_the_folder_is_closed(tmp_path: Path) -> None:
    data = {f"ASDMBinary/{n}": bytes([n % 256]) * n for n in range(100)}
    with closing(Folder(root=tmp_path)) as folder:
        refs = [folder.put(key, [value[:10], value[10:]]) for key, value in data.items()]
    assert files_below(tmp_path) == data
    assert [ref.size for ref in refs] == [len(value) for value in data.values()]


def test_a_file_can_be_read_as_soon_as_it_is_put(tmp_path: Path) -> None:
    with closing(Folder(root=tmp_path)) as folder:
        ref = folder.put("Main.xml", [b"<x/>"])
        with folder.open(ref) as chunks:
            assert b"".join(chunks) == b"<x/>"
        info = folder.info("Main.xml")
        assert info is not None
        assert info.ref == ref


def test_a_large_file_has_the_digest_of_all_its_chunks(tmp_path: Path) -> None:
    chunks = [bytes([n]) * 100_000 for n in range(40)]
    with closing(Folder(root=tmp_path)) as folder:
        ref = folder.put("large", iter(chunks))
        info = folder.info("large")
    assert info is not None
    assert info.ref == ref


def test_of_a_stream_that_breaks_nothing_is_left(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield from [b"x"] * 20
        raise EOFError

    with closing(Folder(root=tmp_path)) as folder, pytest.raises(EOFError):
        folder.put("broken", broken())
    assert files_below(tmp_path) == {}


def test_what_comes_after_the_end_is_forgotten(tmp_path: Path) -> None:
    """Given a transfer that nobody waits for any more, when it ends after all, then it leaves nothing behind."""
    folder = Folder(root=tmp_path)
    folder.close()
    folder.put("late", [b"x"])
    assert files_below(tmp_path) == {}


def test_a_name_that_is_taken_by_a_directory_is_told_and_the_others_are_there(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    folder = Folder(root=tmp_path)
    for key in "abd":
        folder.put(key, [key.encode()])
    with pytest.raises(FolderError, match="cannot be written or read"):
        folder.close()
    assert files_below(tmp_path) == {"a": b"a", "d": b"d"}
