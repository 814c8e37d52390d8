"""Tars as the pipeline packs tables, made in memory."""

import io
import tarfile


def tgz(*names: str) -> bytes:
    """Pack files of these names with some bytes each; names that end in a slash are empty directories."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            else:
                content = f"content of {name}".encode()
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()
