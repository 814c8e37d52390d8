"""What a whole CASA has and its modules have not: the application, and the pipeline's way of being called."""

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[3]


def make_shell(folder: Path, behaviour: str = "") -> tuple[str, ...]:
    """Write an application, and return the command that starts it.

    Parameters
    ----------
    behaviour
        How its pipeline behaves; see `tests.support.standin.pipeline`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "casa"
    program.write_text(
        f"import sys\nsys.path.insert(0, {str(_ROOT)!r})\n"
        f"from tests.support.standin.casa import main\nmain({behaviour!r})\n"
    )
    return (sys.executable, str(program), "--nogui", "--nologger", "--agg")
