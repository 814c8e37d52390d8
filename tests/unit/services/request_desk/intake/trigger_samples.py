"""The golden trigger files: the two examples of the procedure, typed by us, with people of our own."""

from pathlib import Path

GOLDENS = Path(__file__).parents[4] / "golden" / "triggers"
WHOLE = GOLDENS / "trigger-uid___A001_X1296_X675-2019-09-02T14-00-27.txt"
CALIBRATORS = GOLDENS / "trigger-uid___A001_X159a_X6b-2022-04-04T09-30-00.txt"
