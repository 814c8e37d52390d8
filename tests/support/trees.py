"""Folders of files, to compare."""

from pathlib import Path


def files_below(folder: Path) -> dict[str, bytes]:
    """Read all files below a folder, by their paths within it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
