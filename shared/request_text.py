"""The text of a request as the procedure lays it out: in trigger files, request mails and quotes."""

from contracts.messages.parts import RestoreRequest, RestoreTicket


def one_line(text: str) -> str:
    """Make one line of a text, whatever kind of line ends it has."""
    return " ".join(text.split())


def write_request_text(request: RestoreRequest) -> str:
    """Write a request in the layout of the procedure (version 2022-04-04).

    One line is ours: ``force duplicate`` at the end says that the person was warned of an
    active request for the same MOUS and wants this one all the same.
    """
    subject = request.mous_uid.file_form
    return _lines(
        *_head(request, f"ALMA: REQUEST FOR CALIBRATED DATA MOUS {subject}"),
        "Dear AOG,",
        f"please create the calibrated MS for MOUS {subject}",
        *_rest(request),
    )


def write_ticket_text(ticket: RestoreTicket) -> str:
    """Write a ticket with several MOUSs in the same layout."""
    return _lines(
        *_head(ticket, "ALMA: REQUEST FOR CALIBRATED DATA"),
        "Dear AOG,",
        *(f"please create the calibrated MS for MOUS {uid.file_form}" for uid in ticket.mous_uids),
        *_rest(ticket),
    )


def _head(request: RestoreRequest | RestoreTicket, subject: str) -> list[str]:
    contact = [f"EU ARC contact {request.contact_email}"] if request.contact_email else []
    copies = [f"CC email {','.join(request.cc)}"] if request.cc else []
    return [*contact, *copies, subject, ""]


def _rest(request: RestoreRequest | RestoreTicket) -> list[str]:
    fields = request.selection.calibrator_fields
    return [
        f"project {request.project_code}",
        *([f"calfield {','.join(fields)}"] if fields else []),
        f"for user {request.user_name}",
        f"email {request.user_email}",
        f"helpdesk ticket {request.ticket}",
        *(["force duplicate"] if request.force else []),
    ]


def _lines(*lines: str) -> str:
    return "".join(f"{one_line(line)}\n" for line in lines)
