"""Where CASA can work: it copies tables by a shell, with paths between apostrophes, and replaces names after ``$``."""

from pathlib import Path


def fit_for_casa(path: Path) -> Path:
    """Return a path below which CASA can work.

    Blanks and other signs of shells do no harm; seen with CASA 6.7.

    Raises
    ------
    ValueError
        If it cannot.
    """
    if unfit := sorted(set(str(path.absolute())) & set("'$")):
        raise ValueError(
            f"{path.absolute()} holds {' and '.join(unfit)}, below which CASA cannot copy tables: choose another"
        )
    return path
