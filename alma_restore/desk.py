"""The request desk from Python: ``from alma_restore import Desk``."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

from alma_restore.desk_http import DeskHttp
from alma_restore.desk_models import Delivery, Preview, Request, Submitted, html_table
from alma_restore.desk_settings import DeskAccess
from alma_restore.downloading import Downloading, download

API = "/api/v1"


class Desk:
    """Asks, watches and collects at a request desk; a context manager.

    Parameters
    ----------
    url
        Where the desk is; from ``ALMA_RESTORE_DESK_URL`` if None.
    token
        Bearer token; from ``ALMA_RESTORE_DESK_TOKEN``, or by client credentials, if None.

    Raises
    ------
    MisconfiguredError
        If nobody says where the desk is.

    Examples
    --------
    >>> desk = Desk("https://restore.example.org", token=token)  # doctest: +SKIP
    >>> (asked,) = desk.submit("2017.1.00886.L", ["uid://A001/X1284/X265f"])  # doctest: +SKIP
    >>> for request in desk.watch(asked.request_id):  # doctest: +SKIP
    ...     print(request.state, request.percent)
    >>> desk.download(asked.request_id, "data")  # doctest: +SKIP
    """

    def __init__(self, url: str | None = None, *, token: str | None = None) -> None:
        given = {name: value for name, value in (("url", url), ("token", token)) if value is not None}
        self._http = DeskHttp(access=DeskAccess.model_validate({**DeskAccess().model_dump(), **given}))

    @property
    def url(self) -> str:
        """Where the desk is."""
        return self._http.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(
        self,
        project_code: str,
        mous_uids: Sequence[str],
        *,
        ticket: str | None = None,
        fields: Sequence[str] = (),
        contact: str | None = None,
        cc: Sequence[str] = (),
        force: bool = False,
        user: dict[str, str] | None = None,
    ) -> list[Submitted]:
        """Ask for the calibrated data of up to ten MOUSs; tell what became of each.

        Parameters
        ----------
        project_code
            Their project.
        mous_uids
            In either spelling.
        ticket
            Helpdesk ticket.
        fields
            Only these calibrators.
        contact, cc
            Who gets copies of mails.
        force
            Start although the same data is being restored already.
        user
            ``name``, ``email`` and ``account`` of who it is for; for programs and operators.

        Raises
        ------
        DeskRefusedError
            If none could be submitted.
        """
        body: dict[str, Any] = {
            "project_code": project_code,
            "mous_uids": list(mous_uids),
            "ticket": ticket,
            "selection": {"calibrator_fields": list(fields)},
            "contact_email": contact,
            "cc": list(cc),
            "force": force,
            "user": user,
        }
        found = self._http.post(f"{API}/requests", body, key=uuid4().hex)
        return [Submitted.model_validate(each) for each in found["requests"]]

    def preview(self, mous_uid: str, *, project_code: str | None = None, fields: Sequence[str] = ()) -> Preview:
        """Say what a request would meet: entitled or not, size and time."""
        found = self._http.get(f"{API}/preview", mous=mous_uid, project=project_code, field=list(fields) or None)
        return Preview.model_validate(found)

    def request(self, request_id: UUID | str) -> Request:
        """Return a request as it is now."""
        return Request.model_validate(self._http.get(f"{API}/requests/{request_id}"))

    def requests(self, *, active: bool | None = None, text: str | None = None) -> Iterator[Request]:
        """List one's requests, the newest first.

        Parameters
        ----------
        active
            Only those under way, or only the others.
        text
            Part of project, MOUS or ticket.
        """
        flag, cursor = None if active is None else str(active).lower(), None
        while True:
            page = self._http.get(f"{API}/requests", active=flag, text=text, cursor=cursor)
            yield from (Request.model_validate(each) for each in page["requests"])
            if (cursor := page["next_cursor"]) is None:
                return

    def watch(self, request_id: UUID | str) -> Iterator[Request]:
        """Give a request each time that it has changed, until it is over; a broken connection is made again."""
        for name, data in self._http.events(f"{API}/requests/{request_id}/events"):
            if name == "progress":
                yield Request.model_validate(data)

    def cancel(self, request_id: UUID | str, *, reason: str = "") -> Request:
        """Cancel a request."""
        return Request.model_validate(self._http.post(f"{API}/requests/{request_id}/cancel", {"reason": reason}))

    def renew(self, request_id: UUID | str, *, until: datetime | None = None) -> Delivery:
        """Keep a delivery for longer: until a time (with its zone), or for another whole retention time."""
        body = {"until": until.astimezone().isoformat()} if until else {}
        return Delivery.model_validate(self._http.post(f"{API}/requests/{request_id}/renew", body))

    def delivery(self, request_id: UUID | str) -> Delivery:
        """Return the delivery of a request, file by file."""
        return Delivery.model_validate(self._http.get(f"{API}/requests/{request_id}/delivery"))

    def download(
        self,
        request_id: UUID | str,
        folder: Path | str = ".",
        *,
        parallel: int = 4,
        on_progress: Callable[[Downloading], None] = lambda _: None,
    ) -> list[Path]:
        """Fetch all files of a delivery, several pieces at a time, and check their SHA-256 sums.

        What was fetched before is not fetched again; a file has its name only when it is whole and right.

        Parameters
        ----------
        folder
            Where they are put; made if it is missing.
        parallel
            Pieces that are fetched at a time.
        on_progress
            Told now and then how far it is.
        """
        return download(self.delivery(request_id), Path(folder), http=self._http, parallel=parallel, tell=on_progress)

    def close(self) -> None:
        """Release connections."""
        self._http.close()

    def _repr_html_(self) -> str:
        """Show one's newest requests as a table."""

        page = self._http.get(f"{API}/requests", size=20)
        rows = [(each["id"], each["mous"], each["ticket"], each["state"]) for each in page["requests"]]
        return html_table(("request", "MOUS", "ticket", "state"), rows)
