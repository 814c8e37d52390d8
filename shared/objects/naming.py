"""Names of objects in a directory: symbolic links that hold place, size and digest in one atomic name.

Paths are plain text here: every look into the store comes by, and text is joined in a tenth of a `Path`'s time.
"""

import errno
import os
import re
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from secrets import token_hex

from contracts.messages.parts import ObjectRef
from shared.errors import DependencyAwayError
from shared.objects.base import ObjectChangedError, ObjectExistsError, ObjectInfo
from shared.objects.files import make_directories, sync_directory
from shared.objects.keys import InvalidKeyError
from shared.objects.locks import exclusive_lock, remove_if_abandoned

_OURS = re.compile(r"[0-9a-f]{32}\.([0-9]+)\.([0-9a-f]{64})")


@dataclass(frozen=True)
class Named:
    """An object and the file that holds its data."""

    info: ObjectInfo
    path: str


@dataclass(frozen=True)
class Absent:
    """The condition that a key has no object."""

    def check(self, key: str, found: Named | None) -> None:
        """Raise `ObjectExistsError` unless it holds."""
        if found:
            raise ObjectExistsError(f"The object {key} exists already; it was left as it is")


@dataclass(frozen=True)
class Unchanged:
    """The condition that a key's object is still the expected one."""

    expected: ObjectRef

    def check(self, key: str, found: Named | None) -> None:
        """Raise `ObjectChangedError` unless it holds."""
        if not found or (found.info.size, found.info.sha256) != (self.expected.size, self.expected.sha256):
            raise ObjectChangedError(f"The object {key} was changed or removed meanwhile; nothing was written")


Condition = Absent | Unchanged


class Naming:
    """Gives, finds and removes names below a directory, one change at a time."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._objects = f"{root}/objects"
        self._data = f"{root}/data"
        self._links = f"{root}/links"

    def prepare(self) -> None:
        """Create the directories, and remove links that were never moved to their name."""
        for directory in (self._objects, self._data, self._links):
            make_directories(directory)
        with self._lock():
            for link in os.listdir(self._links):
                os.unlink(f"{self._links}/{link}")

    def find(self, key: str) -> Named | None:
        """Find an object, or None if there is none."""
        try:
            target = os.readlink(f"{self._objects}/{key}")
        except (FileNotFoundError, NotADirectoryError):
            self.check_present()
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:  # a directory, or a file that somebody else put there
                return None
            raise
        name = target.rpartition("/")[2]
        if not (ours := _OURS.fullmatch(name)):
            return None
        size, sha256 = ours.groups()
        return Named(ObjectInfo(key=key, size=int(size), sha256=sha256), f"{self._data}/{key}/{name}")

    def check_present(self) -> None:
        """Raise `DependencyAwayError` if the store's directories are gone, which is no proof that objects are."""
        if not os.path.isdir(self._objects):
            raise DependencyAwayError(
                f"The object store's directory {self._root} is not there or was emptied; mount it or bring it back"
            )

    def walk(self, prefix: str) -> Iterator[ObjectInfo]:
        """List objects whose key begins with ``prefix`` in order of their keys."""
        self.check_present()
        directory, slash, start = prefix.rpartition("/")
        return self._walk(directory + slash, start)

    def folders(self, prefix: str) -> list[str]:
        """Name the folders directly below a prefix, in order."""
        self.check_present()
        directory, slash, start = prefix.rpartition("/")
        entries = self._entries(directory + slash, start)
        return [directory + slash + name for name, is_directory in entries if is_directory]

    def name(self, written: str, ref: ObjectRef, *, condition: Condition | None) -> None:
        """Give a written and synced file its key if the condition, looked at under the lock, holds.

        Raises
        ------
        ObjectExistsError, ObjectChangedError
            If the condition does not hold.
        InvalidKeyError
            If another key would have to be file and directory at once.
        """
        name, folder = f"{self._objects}/{ref.key}", f"{self._data}/{ref.key}"
        data = f"{folder}/{token_hex(16)}.{ref.size}.{ref.sha256}"
        try:
            self._place(written, folder, data)
            with self._lock():
                replaced = self.find(ref.key)
                if condition:
                    condition.check(ref.key, replaced)
                if replaced is None:
                    self._make_room(ref.key)
                self._link(ref.key, data)
        except BaseException:  # whatever ended it, an interrupt too, nothing of it is left; raised again
            self._take_back(data)
            raise
        # Not under the lock: the disk syncs for several writers at once in little more time than for one.
        with suppress(FileNotFoundError):  # removed meanwhile, with its directory
            sync_directory(_above(name))
        self._remove_older(ref.key, data, replaced)

    def _place(self, written: str, folder: str, data: str) -> None:
        """Move a written file to its place, durably; nobody finds it there yet, and its writer's lock protects it.

        Directories are synced after all of it, not one after the other: then the first sync is the one that waits.
        """
        while True:
            with suppress(FileNotFoundError):  # the directory was removed as empty meanwhile
                new = list(_missing(folder))
                for directory in reversed(new):
                    with suppress(FileExistsError):
                        os.mkdir(directory)
                os.rename(written, data)
                for directory in (folder, *map(_above, new)):
                    sync_directory(directory)
                return
            self.check_present()
            os.stat(written)

    def _take_back(self, data: str) -> None:
        """Remove data that got no name; that they cannot be removed is not what has to be told."""
        with suppress(OSError), self._lock():
            with suppress(FileNotFoundError):
                os.unlink(data)
            _remove_empty(_above(data), self._data)

    def _remove_older(self, key: str, data: str, replaced: Named | None) -> None:
        """Remove what our data replaced, now that the disk knows our name, and what dead writers left."""
        with suppress(FileNotFoundError):
            if replaced is not None:
                with suppress(FileNotFoundError):
                    os.unlink(replaced.path)
            if len(os.listdir(f"{self._data}/{key}")) == 1:
                return
            with self._lock():
                named = self.find(key)
                self._remove_abandoned(key, keep={data, named.path} if named else {data})

    def remove(self, key: str) -> None:
        """Remove a name, its data, and directories that are empty then."""
        self.check_present()
        name = f"{self._objects}/{key}"
        with self._lock():
            if found := self.find(key):
                os.unlink(name)
                sync_directory(_above(name))
                with suppress(FileNotFoundError):
                    os.unlink(found.path)
            self._remove_abandoned(key)
            _remove_empty(_above(name), self._objects)
            _remove_empty(f"{self._data}/{key}", self._data)

    def _lock(self) -> AbstractContextManager[None]:
        return exclusive_lock(f"{self._root}/lock")

    def _make_room(self, key: str) -> None:
        """Create the directories of a key that has no object, unless it collides with another."""
        name = f"{self._objects}/{key}"
        if _is_directory(name):
            _prune(name)
            if _is_directory(name):
                raise InvalidKeyError(f"There are objects below {key}/, so that it cannot be an object; choose another")
        try:
            make_directories(_above(name))
        except (FileExistsError, NotADirectoryError) as error:
            raise InvalidKeyError(f"A part of the key {key} is an object itself; choose another") from error

    def _link(self, key: str, data: str) -> None:
        link = f"{self._links}/{token_hex(16)}"
        os.symlink("../" * (1 + key.count("/")) + data.removeprefix(f"{self._root}/"), link)
        os.rename(link, f"{self._objects}/{key}")

    def _remove_abandoned(self, key: str, keep: Collection[str] = ()) -> None:
        """Remove a key's data but for those to keep, and those that a living writer is about to name."""
        folder = f"{self._data}/{key}"
        with suppress(FileNotFoundError, NotADirectoryError):
            for name in os.listdir(folder):
                path = f"{folder}/{name}"
                if path not in keep and not os.path.isdir(path):
                    remove_if_abandoned(path)

    def _walk(self, directory: str, start: str) -> Iterator[ObjectInfo]:
        for name, is_directory in self._entries(directory, start):
            if is_directory:
                yield from self._walk(directory + name, "")
            elif found := self.find(directory + name):
                yield found.info

    def _entries(self, directory: str, start: str) -> list[tuple[str, bool]]:
        """Sort as keys sort: a directory's name counts with its slash."""
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(f"{self._objects}/{directory}") as entries:
            kinds = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
            return sorted((name + "/" * is_dir, is_dir) for name, is_dir in kinds if name.startswith(start))
        return []


def _is_directory(name: str) -> bool:
    """Whether a name is a directory's own, not a link to one."""
    return os.path.isdir(name) and not os.path.islink(name)


def _above(path: str) -> str:
    """Name the directory of a path that is absolute and plain, as all are here."""
    return path.rpartition("/")[0]


def _missing(directory: str) -> Iterator[str]:
    """Name a directory and those above it that are not there."""
    while not os.path.isdir(directory):
        yield directory
        directory = _above(directory)


def _remove_empty(directory: str, root: str) -> None:
    """Remove a directory and its parents up to the root, as far as they are empty."""
    while directory != root:
        try:
            with suppress(FileNotFoundError, NotADirectoryError):
                os.rmdir(directory)
        except OSError:
            return
        directory = _above(directory)


def _prune(directory: str) -> None:
    """Remove the empty directories that a killed process left where an object is to be."""
    for path, _, _ in os.walk(directory, topdown=False):
        with suppress(OSError):
            os.rmdir(path)
