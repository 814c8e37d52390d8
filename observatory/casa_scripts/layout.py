"""Where the parts of a made execution block lie, and how its maker says how far it is."""

from dataclasses import dataclass
from pathlib import Path

BLOCK_FACTS = "block.json"
_STAGE_MARK = "@stage "


@dataclass(frozen=True, kw_only=True)
class BlockLayout:
    """The files of one execution block below a directory."""

    root: Path
    eb_uid: str

    @property
    def file_form(self) -> str:
        """The block's UID in file names: ``uid___A002_Xc7111c_X3979``."""
        return self.eb_uid.replace(":", "_").replace("/", "_")

    @property
    def ms_name(self) -> str:
        """The name of the block's MeasurementSet: the key of everything the pipeline makes of it."""
        return f"{self.file_form}.ms"

    @property
    def asdm(self) -> Path:
        """The ASDM: a directory of tables and of ``ASDMBinary/``."""
        return self.root / self.file_form

    @property
    def caltables(self) -> Path:
        """The directory that holds the caltables."""
        return self.root / "caltables"

    @property
    def flagversions(self) -> Path:
        """The saved flags, of which the pipeline keeps the final ones."""
        return self.root / f"{self.ms_name}.flagversions"

    @property
    def calapply(self) -> Path:
        """The text file that tells how the caltables are applied."""
        return self.root / f"{self.ms_name}.calapply.txt"

    @property
    def truth(self) -> Path:
        """The corrected data of the original calibration: what a restore has to give."""
        return self.root / f"{self.ms_name}.split.cal"


def announce(stage: str) -> None:
    """Say on standard output that a stage begins."""
    print(f"{_STAGE_MARK}{stage}", flush=True)


def announced(line: str) -> str | None:
    """Give the stage that a line announces, if it is such a line."""
    return line.removeprefix(_STAGE_MARK).strip() if line.startswith(_STAGE_MARK) else None
