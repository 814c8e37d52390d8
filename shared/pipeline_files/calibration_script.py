"""Reads from a ``scriptForCalibration.py`` which CASA it was written for, without running or parsing it.

Such scripts are Python 2 or 3. Those that ALMA's generator writes begin with a test of the version,
``if re.search('^4.7.2', casadef.casa_version) == None: sys.exit(...)``, in one of several spellings since 2012.
"""

import re

from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError

MAX_BYTES = 16 * 2**20
_TEST = re.compile(
    rb"""^\s*if\b.*?re\.search\(\s*['"]\^(\d+(?:\.\d+)+)['"]\s*,[^\n]*version""", re.MULTILINE | re.IGNORECASE
)
_EACH = re.compile(rb"""re\.search\(\s*['"]\^(\d+(?:\.\d+)+)['"]""")


def casa_version_of(script: bytes, *, name: str) -> str:
    """Tell the CASA that a script accepts, as it writes it: two numbers or three.

    Raises
    ------
    BlockFailedError
        If it names none, or several (``casa_version_unavailable``).
    """
    tested = [line for line in script.splitlines() if not line.lstrip().startswith(b"#") and _TEST.match(line)]
    found: set[str] = {version.decode() for line in tested for version in _EACH.findall(line)}
    if len(found) != 1:
        raise BlockFailedError(
            ReasonCode.CASA_VERSION_UNAVAILABLE,
            f"{name} does not say which one CASA it needs; it names {', '.join(sorted(found)) or 'none'}",
        )
    (version,) = found
    return version
