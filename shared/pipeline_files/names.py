"""Names of product files: the pipeline's own, and what the archive makes of them."""

import re

_SHORT_SESSION = re.compile(r"\.s([1-9]\d*)\.((?:aux)?caltables\.tgz)$", re.ASCII)


def canonical_product_name(name: str) -> str:
    """Return the name that the pipeline gave a product file, which is the one that its manifest uses.

    The archive puts ``member.`` before the names of files that belong to a whole
    MOUS, and packages of Cycles 10 and 11 were seen with ``s1`` for ``session_1``.

    Parameters
    ----------
    name
        A file name in either spelling, e.g. ``member.uid___A001_X1_X2.s1.caltables.tgz``.
    """
    return _SHORT_SESSION.sub(r".session_\1.\2", name.removeprefix("member."))


def is_bare_file_name(name: str) -> bool:
    """Whether a name can stand for a file in a folder: no path, nothing invisible, not the folder itself."""
    return 0 < len(name) <= 255 and name not in {".", ".."} and "/" not in name and name.isprintable()
