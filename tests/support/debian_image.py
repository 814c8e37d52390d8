"""Images made of the Debian packages that are installed on this machine, for where no image registry can be reached."""

import os
import re
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

_CONFIGURATION = ("passwd", "group", "nsswitch.conf", "ld.so.cache", "alternatives", "pam.d", "ssl/certs")
"""What the packages' scripts made below /etc; the certificates are this machine's own, a private authority's too."""
_LOCAL_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_FOLDERS = {"dev": 0o755, "etc": 0o755, "proc": 0o755, "run": 0o755, "sys": 0o755, "tmp": 0o1777, "root": 0o700}
_LEFT_OUT = re.compile(r"/usr/share/(doc|info|lintian|locale|man)/")


def write_root(stream: IO[bytes], packages: Iterable[str], more: Iterable[tuple[Path, str]] = ()) -> None:
    """Write a root file system as a tar: the files of the packages and of all that they depend on.

    Parameters
    ----------
    stream
        Where the tar goes.
    packages
        Names of installed packages.
    more
        Files and folders that go in besides, and where to.

    Raises
    ------
    FileNotFoundError
        If one is not installed.
    """
    paths = {path for path in _files(_closure(packages)) if path.parent != Path("/") or not path.is_symlink()}
    for folder in (*(Path("/etc", name) for name in _CONFIGURATION), _LOCAL_CERTIFICATES):
        paths |= {folder, *folder.rglob("*")} if folder.exists() else set()
    links = {path for name in ("bin", "lib", "lib64", "sbin") if (path := Path("/", name)).is_symlink()}
    with tarfile.open(fileobj=stream, mode="w|") as tar:
        for name, mode in _FOLDERS.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        for path in sorted(links | paths - {Path("/", name) for name in _FOLDERS}):
            tar.add(path, str(path).lstrip("/"), recursive=False)
        for path, place in more:
            tar.add(path, place.lstrip("/"))


def _files(packages: set[str]) -> Iterable[Path]:
    """Name what packages brought, each by its real folder; what was removed since is not there."""
    listed = subprocess.run(["dpkg-query", "--listfiles", *packages], capture_output=True, text=True, check=True).stdout
    for line in sorted(set(listed.splitlines())):
        if line.startswith("/") and line != "/." and not _LEFT_OUT.match(line) and os.path.lexists(line):
            yield Path(line).parent.resolve() / Path(line).name


def _closure(packages: Iterable[str]) -> set[str]:
    """Give packages with all that they depend on, as it is installed."""
    needs, provided = _installed()
    found, todo = set[str](), list(packages)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        if name not in needs:
            raise FileNotFoundError(f"the package {name} is missing: install it by `apt-get install {name}`")
        found.add(name)
        for alternatives in needs[name]:
            known = (provided.get(one, one) for one in alternatives)
            todo.extend([one for one in known if one in needs][:1])
    return found


def _installed() -> tuple[dict[str, list[list[str]]], dict[str, str]]:
    """Say of each installed package what it needs (one of each list), and who provides what is none."""
    form = "${db:Status-Status}\t${Package}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    text = subprocess.run(
        ["dpkg-query", "--show", f"--showformat={form}"], capture_output=True, text=True, check=True
    ).stdout
    needs, provided = dict[str, list[list[str]]](), dict[str, str]()
    for line in text.splitlines():
        status, name, depends, provides = line.split("\t")
        if status == "installed":
            needs[name] = [[_bare(one) for one in clause.split("|")] for clause in depends.split(",")]
            provided |= {_bare(one): name for one in provides.split(",")}
    return needs, {virtual: name for virtual, name in provided.items() if virtual not in needs}


def _bare(relation: str) -> str:
    """Take the name out of ``name:any (>= 1)``."""
    return re.split(r"[ (:]", relation.strip(), maxsplit=1)[0]
