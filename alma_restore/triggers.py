"""Place trigger files and send the request mail that goes with each, as the procedure has it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from contracts.identifiers import MousUid
from contracts.messages.parts import RestoreRequest
from services.notifier.mail import Draft, Mail, request_mail_id, write_mail
from services.notifier.texts import as_html
from services.notifier.transport import Handover, MailTransport
from services.request_desk.intake.trigger_file import (
    UnreadableTriggerError,
    mous_of_name,
    request_id_of,
    trigger_name,
)
from shared.errors import RestoreError
from shared.objects.files import sync_directory
from shared.request_text import write_request_text


class TriggerNotPlacedError(RestoreError):
    """The directory of trigger files cannot be written; the message says what was done and what was not."""

    code = "trigger_not_placed"


@dataclass(frozen=True, kw_only=True)
class RequestMailPeople:
    """Who writes the request mail and who gets it."""

    sender: str
    operations: str
    support: str
    contact: str
    message_id_domain: str


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A trigger file that was placed, and what became of its mail."""

    path: Path
    mail: Mail
    handover: Handover


def active_triggers(directory: Path, mous_uid: MousUid) -> dict[str, UUID | None]:
    """Name the trigger files of a MOUS that have not been processed, each with its request unless just removed."""
    try:
        names = sorted(path.name for path in directory.iterdir() if path.is_file())
    except OSError as error:
        raise TriggerNotPlacedError(f"{directory} cannot be read: {error}; nothing was done") from error
    return {name: _made_by(directory / name) for name in names if _is_of(name, mous_uid)}


def _made_by(path: Path) -> UUID | None:
    try:
        return request_id_of(path.name, path.read_bytes())
    except OSError:
        return None


def _is_of(name: str, mous_uid: MousUid) -> bool:
    try:
        return mous_of_name(name) == mous_uid
    except UnreadableTriggerError:
        return False


def write_request_mail(request: RestoreRequest, people: RequestMailPeople, *, date: datetime) -> Mail:
    """Write the mail that asks operations for the data, with copies to the ARC person and to support."""
    subject = f"ALMA: REQUEST FOR CALIBRATED DATA MOUS {request.mous_uid.file_form}"
    text = write_request_text(request)
    draft = Draft(
        to=[people.operations],
        cc=[people.contact, people.support],
        subject=subject,
        body=text,
        html=as_html(text),
        reply_to=people.contact,
        headers={"X-ALMA-Restore-Request": str(request.request_id)},
    )
    return write_mail(
        draft,
        mail_id=request_mail_id(request.request_id),
        sender=people.sender,
        domain=people.message_id_domain,
        date=date,
    )


def place_trigger(
    request: RestoreRequest,
    *,
    directory: Path,
    people: RequestMailPeople,
    transport: MailTransport,
    clock: Callable[[], datetime],
) -> Placed:
    """Send the request mail and place the trigger file, which appears whole.

    The mail goes first: a mail that cannot be sent leaves no trigger behind.

    Raises
    ------
    TriggerNotPlacedError
        If the directory cannot be written.
    MailServerAwayError, MailRefusedError
        If the mail cannot be sent; no trigger is placed then.
    """
    data = write_request_text(request).encode()
    with _reserved(directory, request.mous_uid, clock()) as (hidden, path):
        _write(hidden, data)
        known = request.model_copy(update={"request_id": request_id_of(path.name, data)})
        mail = write_request_mail(known, people, date=clock())
        handover = transport.send(mail)
        try:
            path.hardlink_to(hidden)
            sync_directory(directory)
        except OSError as error:
            raise TriggerNotPlacedError(f"the mail is out, but {path} cannot be placed: {error}") from error
    return Placed(path=path, mail=mail, handover=handover)


@contextmanager
def _reserved(directory: Path, mous_uid: MousUid, moment: datetime) -> Iterator[tuple[Path, Path]]:
    """Find a free name, and hold it by a hidden file of the same name while the mail is sent."""
    while True:
        path = directory / trigger_name(mous_uid, moment)
        hidden = directory / f".{path.name}.part"
        moment += timedelta(seconds=1)
        try:
            hidden.open("xb").close()
        except FileExistsError:
            continue
        except OSError as error:
            raise TriggerNotPlacedError(f"{directory} cannot be written: {error}; nothing was done") from error
        try:
            if not path.exists():
                yield hidden, path
                return
        finally:
            hidden.unlink()


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise TriggerNotPlacedError(f"{path} cannot be written: {error}; nothing was done") from error
