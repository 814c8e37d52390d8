"""Read what people wrote into forms, and say in plain words what cannot be used."""

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from contracts.identifiers import InvalidIdentifierError, MousUid
from services.request_desk.web.acting import Submission

_NAMES = {
    "project_code": "Project code",
    "mous_uids": "MOUS UIDs",
    "ticket": "Helpdesk ticket",
    "calibrator_fields": "Calibrator fields",
    "selection": "Calibrator fields",
    "cc": "Copies to",
}


def split(text: str) -> tuple[str, ...]:
    """Split what somebody listed, by lines, spaces, commas or semicolons."""
    return tuple(part for part in re.split(r"[\s,;]+", text) if part)


def submission_of(form: Mapping[str, str]) -> Submission:
    """Read the form by which data is asked for.

    Raises
    ------
    pydantic.ValidationError
        If something cannot be used; `faults_of` says what.
    """
    return Submission.model_validate(
        {
            "project_code": form.get("project_code", "").strip(),
            "mous_uids": split(form.get("mous", "")),
            "ticket": form.get("ticket", "").strip() or None,
            "selection": {"calibrator_fields": split(form.get("fields", ""))},
            "cc": split(form.get("cc", "")),
            "force": form.get("force") == "yes",
        }
    )


def faults_of(error: ValidationError, form: Mapping[str, str]) -> list[str]:
    """Say for each thing that cannot be used what it is and why.

    A MOUS that cannot be read keeps no others from being submitted; where nothing is submitted it is named as well.
    """
    found = []
    for item in error.errors(include_url=False, include_input=False):
        name = next((_NAMES[str(part)] for part in reversed(item["loc"]) if str(part) in _NAMES), "")
        text = str(item["msg"]).removeprefix("Value error, ")
        if item["type"] == "too_short":
            text = "give at least one"
        found.append(f"{name}: {text}" if name else text)
    found += [f"{_NAMES['mous_uids']}: {fault}" for fault in _unreadable(split(form.get("mous", "")))]
    return list(dict.fromkeys(found))


def _unreadable(mous_uids: Sequence[str]) -> Iterator[str]:
    for text in mous_uids:
        try:
            MousUid(text)
        except InvalidIdentifierError as error:
            yield str(error)
