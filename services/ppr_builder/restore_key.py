"""Names a result by all that it depends on, so that two requests for the same thing meet."""

import hashlib
import json
from collections.abc import Sequence

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages.parts import NamedRef, ObjectRef, Selection

DELIVERED_KIND = "ms.split.cal"
FORMAT = 1
"""To be raised when the same inputs begin to give another result or another processing request."""


def restore_key(
    *,
    eb_uid: ExecBlockUid,
    session: SessionName,
    asdm: ObjectRef,
    products: Sequence[NamedRef],
    selection: Selection,
    casa_version: str,
) -> str:
    """Digest what a restore depends on: neither request nor user nor time, and no order that means nothing.

    Returns
    -------
    str
        The first 32 hexadecimal digits of a SHA-256 over canonical JSON.
    """
    content = {
        "format": FORMAT,
        "kind": DELIVERED_KIND,
        "eb_uid": eb_uid,
        "session": session,
        "asdm": asdm.sha256,
        "products": {product.name: product.ref.sha256 for product in products},
        "calibrator_fields": sorted(set(selection.calibrator_fields)),
        "casa_version": casa_version,
        **_more(selection),
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _more(selection: Selection) -> dict[str, object]:
    """Say what else is selected; what is not given leaves the key as it was before it could be."""
    given = {
        "science_only": selection.science_only or None,
        "spw": sorted(set(selection.spw)) if selection.spw else None,
        "chanbin": selection.chanbin,
        "timebin": selection.timebin,
    }
    return {name: value for name, value in given.items() if value is not None}
