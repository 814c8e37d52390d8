"""Tell what a product file is for by its name, in the spellings of all cycles.

The archive puts ``member.`` before names of files that belong to a whole MOUS;
Cycle 4 has no recipe infix, Cycle 5 one or two; ``.tar.gz`` became ``.tgz`` in
2016; Cycles 10 and 11 were seen with ``s1`` for ``session_1``. So only the end
of a name is looked at.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages.parts import CalibrationKind, ProductKind

_UID = r"uid___a[0-9a-f]{3}_x[0-9a-f]+_x[0-9a-f]+"
_TAR = r"\.(?:tgz|tar\.gz)"
_SESSION = r"\.(?:session_|s)(?P<session>[1-9]\d*)"
_BLOCK = rf"(?P<eb>{_UID})\.ms"

_ENDINGS: tuple[tuple[ProductKind, str], ...] = (
    (ProductKind.MANIFEST, r"\.pipeline_manifest\.xml"),
    (ProductKind.CALTABLES, rf"{_SESSION}\.caltables{_TAR}"),
    (ProductKind.AUX_CALTABLES, rf"{_SESSION}\.auxcaltables{_TAR}"),
    (ProductKind.FLAGVERSIONS, rf"{_BLOCK}\.flagversions{_TAR}"),
    (ProductKind.CALAPPLY, rf"{_BLOCK}\.calapply\.txt"),
    (ProductKind.PPREQUEST, rf"(?:\.pprequest|\bPPR_{_UID})\.xml"),
    (ProductKind.RESTORE_SCRIPT, r"\bcasa_piperestorescript\.py"),
    (ProductKind.PIPE_SCRIPT, r"\bcasa_pipescript\.py"),
    (ProductKind.CALIBRATION_SCRIPT, rf"{_BLOCK}\.scriptFor(?:SD)?Calibration\.py"),
    (ProductKind.CALIBRATION_SCRIPT, r"\bscriptFor(?:Pol|Flux)?Calibration\.py"),
    (ProductKind.SCRIPT_FOR_PI, r"\bscriptForPI\.py"),
    (ProductKind.AUX_PRODUCTS, rf"\.(?:auxproducts|supporting){_TAR}"),
)
_PATTERNS = tuple((kind, re.compile(rf"{ending}$", re.IGNORECASE | re.ASCII)) for kind, ending in _ENDINGS)


@dataclass(frozen=True)
class Classified:
    """What a product file is for, and which session or execution block it belongs to."""

    kind: ProductKind
    session: SessionName | None = None
    eb_uid: ExecBlockUid | None = None


def classify(file_id: str) -> Classified | None:
    """Classify a product file by its name.

    Parameters
    ----------
    file_id
        NGAS file id of the product, which is its name.

    Returns
    -------
    Classified or None
        None for files that no restore needs: images, weblogs, ``*product_ingestor.xml``, ``*product_rename.txt`` …
    """
    for kind, pattern in _PATTERNS:
        if found := pattern.search(file_id):
            groups = found.groupdict()
            session, block = groups.get("session"), groups.get("eb")
            return Classified(
                kind,
                session=SessionName.numbered(int(session)) if session else None,
                eb_uid=ExecBlockUid(block) if block else None,
            )
    return None


def calibration_kind(kinds: Collection[ProductKind]) -> CalibrationKind | None:
    """Tell how a MOUS was calibrated by the kinds of its products.

    Returns
    -------
    CalibrationKind or None
        None if there is neither a table nor a script that could give the calibration.
    """
    by_pipeline = ProductKind.CALTABLES in kinds
    by_hand = ProductKind.CALIBRATION_SCRIPT in kinds
    if by_hand:
        return CalibrationKind.COMBINED if by_pipeline else CalibrationKind.MANUAL
    return CalibrationKind.PIPELINE if by_pipeline else None
