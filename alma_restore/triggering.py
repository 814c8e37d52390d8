"""Carry out the command ``trigger``: check as the procedure does, warn of duplicates, then mail and place."""

from datetime import UTC, datetime
from uuid import uuid4

import typer

from alma_restore.requests_under_way import UnderWay, find_requests_under_way
from alma_restore.surroundings import BadArgumentsError
from alma_restore.trigger_settings import TriggerSettings
from alma_restore.triggers import RequestMailPeople, active_triggers, place_trigger
from contracts.identifiers import InvalidIdentifierError, MousUid
from contracts.messages.parts import RestoreRequest, RestoreTicket
from contracts.reasons import REASONS, ReasonCode
from services.notifier.opening import open_transport
from shared.archive_db import ArchiveDatabase, ArchiveDbSettings
from shared.entitlement.records import ArchiveRecords, EntitlementRecords
from shared.tickets import requests_of

NO_QA0_PASS = (
    "ERROR: No QA0_PASS data found for this MOUS. "  # noqa: S105  # a verdict of QA0
    "Please double-check MOUS UID.\n"
    "                 If confirmed, please inform the user that ALMA cannot offer calibrated data for this MOUS."
)


def run_trigger(
    *,
    project: str,
    user: str,
    email: str,
    ticket: str,
    mous_and_fields: list[str],
    contact: str | None,
    force: bool,
) -> None:
    """Request data for each MOUS by mail and trigger file; all are checked before the first one is.

    Raises
    ------
    RestoreError
        If arguments or settings are wrong, or mail server, database or directory are away.
    typer.Exit
        With code 1 if the procedure asks for nothing in this case.
    """
    settings = TriggerSettings()
    if (person := contact or settings.contact) is None:
        raise BadArgumentsError("say who asks: --contact ADDRESS, or set ALMA_RESTORE_TRIGGER_CONTACT")
    mous, fields = split_fields(mous_and_fields)
    requests = requests_of(
        RestoreTicket.model_validate(
            {
                "request_id": uuid4(),
                "project_code": project,
                "mous_uids": mous,
                "user_name": user,
                "user_email": email,
                "ticket": ticket,
                "selection": {"calibrator_fields": fields},
                "contact_email": person,
                "cc": [settings.support],
                "force": force,
            }
        )
    )
    _refuse_cycle_0(requests)
    _refuse_without_data(requests)
    under_way = find_requests_under_way([request.mous_uid for request in requests])
    if under_way.unknown:
        typer.echo(
            f"WARNING: whether requests are under way that have no trigger is not known: {under_way.unknown}", err=True
        )
    for request in [_confirmed(request, settings, under_way) for request in requests]:
        _place(request, person, settings)


def split_fields(texts: list[str]) -> tuple[list[MousUid], list[str]]:
    """Tell the MOUS UIDs from the field names, which may follow as the last argument.

    Raises
    ------
    BadArgumentsError
        If there is no MOUS UID, or one is mistyped.
    """
    mous_uids: list[MousUid] = []
    rest = list(texts)
    try:
        while rest and (not mous_uids or len(rest) > 1 or rest[0].startswith("uid")):
            mous_uids.append(MousUid(rest[0]))
            rest.pop(0)
    except InvalidIdentifierError as error:
        raise BadArgumentsError(str(error)) from error
    if rest and (" " in rest[0] or not all(rest[0].split(","))):
        raise BadArgumentsError(f"{rest[0]!r}: write field names separated by commas, without spaces")
    return mous_uids, rest[0].split(",") if rest else []


def _refuse_cycle_0(requests: tuple[RestoreRequest, ...]) -> None:
    """Remind of what Cycle 0 is; operations is not to be contacted then."""
    if requests[0].project_code.is_cycle_0:
        typer.echo(f"ERROR: {REASONS[ReasonCode.CYCLE_0].user}", err=True)
        raise typer.Exit(1)


def _refuse_without_data(requests: tuple[RestoreRequest, ...]) -> None:
    records = ArchiveRecords(database=ArchiveDatabase(settings=ArchiveDbSettings()))
    try:
        empty = [request.mous_uid for request in requests if not _has_passed(records, request.mous_uid)]
    finally:
        records.close()
    for mous_uid in empty:
        typer.echo(f"{mous_uid}:\n{NO_QA0_PASS}" if len(requests) > 1 else NO_QA0_PASS, err=True)
    if empty:
        raise typer.Exit(1)


def _has_passed(records: EntitlementRecords, mous_uid: MousUid) -> bool:
    facts = records.mous(mous_uid)
    return facts is not None and facts.passed_blocks > 0


def _confirmed(request: RestoreRequest, settings: TriggerSettings, under_way: UnderWay) -> RestoreRequest:
    """Warn of active triggers and requests for the same MOUS; who goes on all the same means it."""
    triggers = active_triggers(settings.directory, request.mous_uid)
    others = [
        f"request {holder.request_id} (ticket {holder.ticket}), since {holder.since:%Y-%m-%d %H:%M} UTC"
        for holder in under_way.holders.get(request.mous_uid, ())
        if holder.request_id not in triggers.values()
    ]
    _warn("trigger", request.mous_uid, list(triggers))
    _warn("request", request.mous_uid, others)
    if not triggers and not others:
        return request
    if not request.force:
        typer.confirm("Ask for it once more?", abort=True, err=True)
    return request.model_copy(update={"force": True})


def _warn(what: str, mous_uid: MousUid, active: list[str]) -> None:
    if active:
        typer.echo(f"WARNING: there is an active {what} for {mous_uid} already:", err=True)
    for name in active:
        typer.echo(f"    {name}", err=True)


def _place(request: RestoreRequest, contact: str, settings: TriggerSettings) -> None:
    people = RequestMailPeople(
        sender=settings.sender,
        operations=settings.operations,
        support=settings.support,
        contact=contact,
        message_id_domain=settings.message_id_domain,
    )
    placed = place_trigger(
        request,
        directory=settings.directory,
        people=people,
        transport=open_transport(settings.mail),
        clock=lambda: datetime.now(UTC),
    )
    for one, words in {**placed.handover.refused, **placed.handover.deferred}.items():
        typer.echo(f"WARNING: {one} did not get the mail: {words}", err=True)
    typer.echo(f"Request mail sent to {', '.join(placed.mail.recipients)}")
    typer.echo(f"Trigger placed: {placed.path}")
