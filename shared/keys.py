"""Keys of the object store: each is made from what the object is, so a repeat finds it again."""

from uuid import NAMESPACE_URL, UUID, uuid5

from contracts.identifiers import ExecBlockUid, MousUid


def asdm_folder(eb_uid: ExecBlockUid, content: str) -> str:
    """Folder of a staged ASDM; ``content`` digests the versions and checksums of all its files."""
    return f"asdm/{eb_uid.file_form}/{content}/"


def calibration_file(mous_uid: MousUid, file_id: str, version: int, checksum: str) -> str:
    """Key of a calibration product as it lies in the archive."""
    return f"calibration/{mous_uid.file_form}/{version}-{checksum}/{file_id}"


def ppr(eb_uid: ExecBlockUid, restore_key: str, name: str) -> str:
    """Key of a processing request."""
    return f"ppr/{eb_uid.file_form}/{restore_key}/{name}"


def product_folder(eb_uid: ExecBlockUid, restore_key: str) -> str:
    """Folder of a restored execution block."""
    return f"products/{eb_uid.file_form}/{restore_key}/"


def log(request_id: UUID, eb_uid: ExecBlockUid, name: str) -> str:
    """Key of a log that is kept for a request."""
    return f"{logs(request_id)}{eb_uid.file_form}/{name}"


def logs(request_id: UUID) -> str:
    """Folder of the logs of a request."""
    return f"logs/{request_id}/"


def outcome(request_id: UUID, eb_uid: ExecBlockUid) -> str:
    """Key of what became of an execution block within a request."""
    return f"{outcomes(request_id)}{eb_uid.file_form}.json"


def outcomes(request_id: UUID) -> str:
    """Folder of the outcomes of a request."""
    return f"requests/{request_id}/blocks/"


def delivery(request_id: UUID) -> str:
    """Key of the record that holds a request's delivery address."""
    return f"requests/{request_id}/delivery.json"


def cancelled(request_id: UUID) -> str:
    """Key of the mark that a request is cancelled."""
    return f"requests/{request_id}/cancelled.json"


def ending(request_id: UUID) -> str:
    """Key of the record of which event ends a request."""
    return f"requests/{request_id}/ending.json"


def ended(request_id: UUID) -> str:
    """Key of the mark that a request has ended and its mail is out."""
    return f"requests/{request_id}/ended.json"


def trigger(request_id: UUID) -> str:
    """Key of the record that a trigger file was submitted."""
    return f"requests/{request_id}/trigger.json"


def drafts(owner: str) -> str:
    """Folder of the requests that somebody has described and not submitted; ``owner`` digests who that is."""
    return f"drafts/{owner}/"


def active(mous_uid: MousUid, selection: str) -> str:
    """Key of the record of who is served a MOUS; ``selection`` digests what of it was chosen."""
    return f"{actives(mous_uid)}{selection}.json"


def actives(mous_uid: MousUid) -> str:
    """What the keys of the records of who is served a MOUS begin with, whatever of it was chosen."""
    return f"active/{mous_uid.file_form}."


NOT_RESTORABLE = "not-restorable/"
"""Folder of the requests whose MOUS cannot be restored yet."""


def not_restorable(mous_uid: MousUid) -> str:
    """Folder of the requests that wait for a MOUS to become restorable."""
    return f"{NOT_RESTORABLE}{mous_uid.file_form}/"


def told_restorable(mous_uid: MousUid, request_id: UUID) -> str:
    """Key of the record that a request's user was told that the MOUS can be restored now."""
    return f"told-restorable/{mous_uid.file_form}/{request_id}.json"


def mail(event_id: UUID) -> str:
    """Key of the record that a mail for this event has gone out."""
    return f"mails/{event_id}.json"


def dead_letter(event_id: UUID, attempt: int) -> str:
    """Key of the traceback of an event that was given up after this attempt."""
    return f"deadletters/{event_id}/{attempt}.txt"


def dropped(name: str) -> str:
    """Key of the note of why a dead letter was dropped; its name may be a stranger's, so only a digest is used."""
    return f"deadletters/dropped/{uuid5(NAMESPACE_URL, name)}.json"
