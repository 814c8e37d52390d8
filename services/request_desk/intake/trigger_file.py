"""Read trigger files: tolerant of line ends and spacing, strict in meaning.

Name and layout are those of the procedure (version 2022-04-04), whose ``calfield`` line
is optional. `shared.request_text` writes the same layout.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import TypeAdapter, ValidationError

from contracts.identifiers import InvalidIdentifierError, MousUid, ProjectCode
from contracts.messages.parts import EmailText, FieldName, LineText, RestoreRequest, Selection
from shared.errors import RestoreError

LONGEST = 64 * 1024
"""Bytes that a trigger file may have; the procedure's examples have about 400."""

_NAME = re.compile(r"trigger-(uid___A[0-9a-fA-F]{3}_X[0-9a-fA-F]+_X[0-9a-fA-F]+)-(\S{19})\.txt", re.ASCII)
_TIME = "%Y-%m-%dT%H-%M-%S"
_LINE_END = re.compile(r"\r\n|\n|\r")
_NAMESPACE = uuid5(NAMESPACE_URL, "tag:alma-restore,2026:trigger")


class UnreadableTriggerError(RestoreError):
    """A trigger file does not say what a request needs; each line of the text is one fault."""

    code = "unreadable_trigger"


@dataclass(frozen=True)
class _Rule:
    """A line of the layout: the words it begins with, and what the rest of it is."""

    name: str
    words: str
    read: Callable[[str], Any]
    optional: bool = False


@dataclass(frozen=True)
class _Line:
    """A line that is not empty, with single spaces."""

    number: int
    text: str


def _email(text: str) -> str:
    return TypeAdapter(EmailText).validate_python(text)


def _emails(text: str) -> tuple[str, ...]:
    return tuple(_email(one) for one in text.split(","))


def _one_line(text: str) -> str:
    return TypeAdapter(LineText).validate_python(text)


def _fields(text: str) -> tuple[str, ...]:
    if " " in text:
        raise ValueError("write field names separated by commas, without spaces")
    return tuple(TypeAdapter(FieldName).validate_python(name) for name in text.split(","))


def _nothing(text: str) -> None:
    if text:
        raise ValueError("nothing may follow here")


def _force(text: str) -> bool:
    if text != "duplicate":
        raise ValueError("only 'force duplicate' is known")
    return True


LAYOUT = (
    _Rule("contact_email", "EU ARC contact", _email),
    _Rule("cc", "CC email", _emails, optional=True),
    _Rule("subject", "ALMA: REQUEST FOR CALIBRATED DATA MOUS", MousUid),
    _Rule("greeting", "Dear AOG,", _nothing),
    _Rule("mous_uid", "please create the calibrated MS for MOUS", MousUid),
    _Rule("project_code", "project", ProjectCode),
    _Rule("fields", "calfield", _fields, optional=True),
    _Rule("user_name", "for user", _one_line),
    _Rule("user_email", "email", _email),
    _Rule("ticket", "helpdesk ticket", _one_line),
    _Rule("force", "force", _force, optional=True),
)
"""The lines in their order."""


def trigger_name(mous_uid: MousUid, moment: datetime) -> str:
    """Name a trigger file: ``trigger-<MOUS UID>-YYYY-MM-DDThh-mm-ss.txt``."""
    return f"trigger-{mous_uid.file_form}-{moment.strftime(_TIME)}.txt"


def mous_of_name(name: str) -> MousUid:
    """Return the MOUS in a trigger file's name.

    Raises
    ------
    UnreadableTriggerError
        If the name is not one of a trigger file.
    """
    found = _NAME.fullmatch(name)
    if found is None or not _is_time(found[2]):
        raise UnreadableTriggerError(
            f"name: {name!r} is not like trigger-uid___A001_X1296_X675-2019-09-02T14-00-27.txt"
        )
    return MousUid(found[1])


def request_id_of(name: str, data: bytes) -> UUID:
    """Return the id of the request that a trigger file makes: the same file always makes the same one."""
    return uuid5(_NAMESPACE, f"{name}/{hashlib.sha256(data).hexdigest()}")


def looks_finished(data: bytes) -> bool:
    """Whether the last line that must be there is, with its line end: else somebody may be writing still."""
    lines = _LINE_END.split(data.decode(errors="replace"))
    ended = [" ".join(line.split()) for line in lines[:-1]]
    return any(line.startswith("helpdesk ticket ") for line in ended)


def read_trigger(name: str, data: bytes) -> RestoreRequest:
    """Read a trigger file as the request that it makes.

    Raises
    ------
    UnreadableTriggerError
        If name or content are not as the procedure lays them out; all faults are named at once.
    """
    named = mous_of_name(name)
    values: dict[str, Any] = {}
    faults = [*_read_lines(list(_lines(data)), values)]
    faults += [f"there is no line '{rule.words} …'" for rule in LAYOUT if not rule.optional and rule.name not in values]
    if not faults:
        faults += _disagreements(named, values)
    if faults:
        raise UnreadableTriggerError("\n".join(faults))
    try:
        return RestoreRequest(
            request_id=request_id_of(name, data),
            project_code=values["project_code"],
            mous_uid=named,
            user_name=values["user_name"],
            user_email=values["user_email"],
            ticket=values["ticket"],
            selection=Selection(calibrator_fields=values.get("fields", ())),
            contact_email=values["contact_email"],
            cc=values.get("cc", ()),
            force=values.get("force", False),
        )
    except ValidationError as error:
        words = {rule.name: rule.words for rule in LAYOUT}
        words["selection"] = words["calibrator_fields"] = words["fields"]
        told = (f"the line '{words[str(item['loc'][0])]} …': {item['msg']}" for item in error.errors())
        raise UnreadableTriggerError("\n".join(told)) from error


def _lines(data: bytes) -> Iterator[_Line]:
    if len(data) > LONGEST:
        raise UnreadableTriggerError(f"the file is longer than {LONGEST} bytes: that is no trigger file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableTriggerError(f"byte {error.start + 1} is not UTF-8: save the file in UTF-8") from error
    for number, line in enumerate(_LINE_END.split(text), 1):
        if spaced := " ".join(line.split()):
            yield _Line(number, spaced)


def _read_lines(lines: list[_Line], values: dict[str, Any]) -> Iterator[str]:
    """Read each line into ``values``, which has every line that was there, and tell the faults."""
    last = -1
    for line in lines:
        place = _place(line.text)
        if place is None:
            yield f"line {line.number}: {_shown(line.text)} is no line of a trigger file"
            continue
        rule = LAYOUT[place]
        if rule.name in values:
            yield f"line {line.number}: there is a line '{rule.words} …' before already"
            continue
        if place < last:
            yield f"line {line.number}: '{rule.words} …' must stand before '{LAYOUT[last].words} …'"
        last = max(place, last)
        values[rule.name] = None
        try:
            values[rule.name] = rule.read(line.text[len(rule.words) :].strip())
        except (ValidationError, InvalidIdentifierError, ValueError) as error:
            yield f"line {line.number}: '{rule.words} …': {_why(error)}"


def _place(text: str) -> int | None:
    """Find the rule of a line."""
    found = (place for place, rule in enumerate(LAYOUT) if text == rule.words or text.startswith(f"{rule.words} "))
    return next(found, None)


def _disagreements(named: MousUid, values: dict[str, Any]) -> list[str]:
    """Tell where name, subject and body name different MOUSs."""
    texts = (("subject", "the subject line"), ("mous_uid", "the text"))
    return [
        f"{what} names {values[name]}, the file's name {named}: they must agree"
        for name, what in texts
        if values[name] != named
    ]


def _is_time(text: str) -> bool:
    try:
        return datetime.strptime(text, _TIME).strftime(_TIME) == text  # noqa: DTZ007  names of trigger files have no zone
    except ValueError:
        return False


def _why(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{_shown(str(item['input']))}: {item['msg']}" for item in error.errors())
    return str(error)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}…")
