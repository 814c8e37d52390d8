"""Which CASA a calibration script needs, in the spellings that scripts have had."""

import pytest

from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError
from shared.pipeline_files.calibration_script import casa_version_of

TESTS = {
    "4.2.2": "if re.search('^4.2.2', casadef.casa_version) == None:\n sys.exit('no')\n",
    "4.1": "if re.search('^4.1', casadef.casa_version) == None:\n sys.exit('no')\n",
    "5.1.1": "if re.search('^5.1.1', '.'.join([str(i) for i in cu.version().tolist()[:-1]])) == None:\n",
    "6.2.1": "if re.search('^6.2.1', '.'.join([str(i) for i in casalith.version()[:-1]])) == None:\n",
    "6.4.1": 'if re.search( "^6.4.1" , casaVersion) == None:\r\n',
}


@pytest.mark.parametrize("version", TESTS)
def test_the_version_is_the_one_that_the_script_tests_for(version: str) -> None:
    script = f"# Calibration\nthesteps = []\nprint 'a step'\n\nimport re\n\n{TESTS[version]}\nmystep = 0\n"

    assert casa_version_of(script.encode(), name="x.py") == version


def test_a_version_that_is_tested_twice_is_one() -> None:
    assert casa_version_of((TESTS["4.2.2"] * 2).encode(), name="x.py") == "4.2.2"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("print 'nothing'\n", "none"),
        ("# " + TESTS["4.2.2"], "none"),
        ("x = re.search('^4.2.2', text)\n", "none"),
        (TESTS["4.2.2"] + TESTS["6.2.1"], "4.2.2, 6.2.1"),
        (
            "if (re.search('^4.2', casadef.casa_version) or re.search('^4.3', casadef.casa_version)) == None:\n",
            "4.2, 4.3",
        ),
    ],
)
def test_a_script_that_leaves_doubt_is_refused(script: str, told: str) -> None:
    with pytest.raises(BlockFailedError, match=rf"x\.py .*names {told}$") as refused:
        casa_version_of(script.encode(), name="x.py")
    assert refused.value.reason is ReasonCode.CASA_VERSION_UNAVAILABLE
