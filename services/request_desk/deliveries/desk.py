"""The deliveries as they lie in the store: shown, handed out, renewed."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from contracts.manifests import DeliveryManifest
from contracts.messages.parts import NamedRef
from services.request_desk.deliveries.base import (
    Asker,
    ByteRange,
    DeliveryExpiredError,
    DeliveryLostError,
    DeliveryPhase,
    DeliveryUnknownError,
    DeliveryView,
    Download,
    FileView,
    Offer,
)
from services.request_desk.deliveries.commands import commands_for
from services.request_desk.deliveries.life import DeliveryState, Terms, check_not_ended, latest_end, phase_of, renewed
from services.request_desk.deliveries.register import Entry, Register
from services.request_desk.deliveries.release import Release
from services.request_desk.deliveries.saying import person, renewal, with_word
from services.request_desk.ledger.records import DownloadRecord
from shared.errors import RestoreError
from shared.objects import CannotSignError, ObjectStore

log = structlog.get_logger()

_TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NOT_HERE = "there is no such delivery, or no such file in it; look at the address in the mail"
_OVER = "its time is over; request the data again, or renew it if that is still offered"


class StoreDeliveries:
    """Shows deliveries and hands their files out; see `base.Deliveries`.

    Parameters
    ----------
    objects
        Where the data are.
    register
        The deliveries.
    release
        Knows what may be handed out.
    terms
        How long deliveries are kept.
    link
        How long a signed link is good; None to stream everything through this process.
    clock
        Tells the time, UTC.
    note
        Told each download that begins.
    nudge
        Told the token of a delivery of which something is to be said.
    address
        Where this desk serves deliveries, if that is not what users were told.
    """

    def __init__(
        self,
        *,
        objects: ObjectStore,
        register: Register,
        release: Release,
        terms: Terms,
        link: timedelta | None,
        clock: Callable[[], datetime],
        note: Callable[[DownloadRecord], None],
        nudge: Callable[[str], None],
        address: str | None = None,
    ) -> None:
        self._objects = objects
        self._register = register
        self._release = release
        self._terms = terms
        self._link = link
        self._is_linking: bool | None = None if link is not None else False
        self._clock = clock
        self._note = note
        self._nudge = nudge
        self._address = address

    def find(self, token: str) -> DeliveryView:
        """Return a delivery; see `base.Deliveries.find`."""
        return self._view(self._entry(token))

    def of_request(self, request_id: UUID) -> DeliveryView | None:
        """Return the delivery of a request, or None."""
        token = self._register.token_of(request_id)
        entry = None if token is None else self._register.find(token)
        return None if entry is None else self._view(entry)

    def look(self, token: str, name: str) -> Offer:
        """Return a file if it may be fetched now; see `base.Deliveries.look`."""
        entry, file, is_data = self._open_file(token, name)
        self._check_present(file, entry.manifest)
        return Offer(
            request_id=entry.manifest.request.request_id,
            file=self._file_view(entry.manifest, file, is_data=is_data),
            ref=file.ref,
            is_linked=is_data and file.ref.size > 0 and self._gives_links(file),
            expires=None if entry.state.kept is not None else entry.state.expires,
        )

    def start(self, offer: Offer, *, asker: Asker, part: ByteRange | None = None) -> Download:
        """Let a download begin, and count it; see `base.Deliveries.start`."""
        part = part or ByteRange(0, offer.ref.size)
        link = self._signed(offer) if offer.is_linked else None
        if offer.file.is_data:
            self._count(offer, asker, part)
        return Download(file=offer.file, part=part, ref=offer.ref, link=link)

    def stream(self, download: Download) -> AbstractContextManager[Iterator[bytes]]:
        """Read the bytes of a download; a whole file is checked at its end."""
        part, ref = download.part, download.ref
        if part == ByteRange(0, ref.size):
            return self._objects.open(ref)
        return self._objects.open_part(ref, offset=part.offset, length=part.length)

    def text(self, token: str, name: str) -> str:
        """Return one of the texts of an open delivery."""
        _, file, is_data = self._open_file(token, name)
        if is_data:
            raise DeliveryUnknownError(_NOT_HERE)
        return self._objects.read(file.ref).decode()

    def renew(self, token: str, *, by: str, until: datetime | None = None) -> DeliveryView:
        """Keep a delivery for longer; see `base.Deliveries.renew`."""

        def decide(entry: Entry) -> DeliveryState:
            state = renewed(entry.manifest, entry.state, self._terms, now=self._clock(), until=until)
            return entry.state if state == entry.state else _told(entry.manifest, state, by)

        entry = self._changed(token, decide)
        log.info("delivery_renewed", by=person(by), expires=entry.state.expires.isoformat(), **_bound(entry.manifest))
        return self._view(entry)

    def keep(self, token: str, *, by: str, kept: bool) -> DeliveryView:
        """Set or take away ``.donotremove``; see `base.Deliveries.keep`."""

        def decide(entry: Entry) -> DeliveryState:
            if (entry.state.kept is not None) == kept:
                return entry.state
            if kept:
                check_not_ended(entry.state)
            state = entry.state.model_copy(update={"kept": person(by) if kept else None})
            return _told(entry.manifest, state, by)

        entry = self._changed(token, decide)
        log.info("delivery_kept" if kept else "delivery_not_kept_any_more", by=person(by), **_bound(entry.manifest))
        return self._view(entry)

    def _changed(self, token: str, decide: Callable[[Entry], DeliveryState]) -> Entry:
        self._entry(token)
        entry = self._register.change(token, decide)
        if entry is None:
            raise DeliveryExpiredError(_OVER)
        self._nudge(token)
        return entry

    def _entry(self, token: str) -> Entry:
        entry = self._register.find(token) if _TOKEN.fullmatch(token) else None
        if entry is None:
            raise DeliveryUnknownError(_NOT_HERE)
        return entry

    def _open_file(self, token: str, name: str) -> tuple[Entry, NamedRef, bool]:
        """Return a file, and whether it is data, if it may be handed out now."""
        entry = self._entry(token)
        if entry.removed is not None or phase_of(entry.state, self._clock()) is not DeliveryPhase.OPEN:
            raise DeliveryExpiredError(_OVER)
        self._release.check(entry.manifest.request)
        for files, is_data in ((entry.manifest.files, True), (entry.manifest.texts, False)):
            for file in files:
                if file.name == name:
                    return entry, file, is_data
        raise DeliveryUnknownError(_NOT_HERE)

    def _check_present(self, file: NamedRef, manifest: DeliveryManifest) -> None:
        """Find out before the answer begins what could only break it off later."""
        found = self._objects.info(file.ref.key)
        if found is None or found.ref != file.ref:
            log.error("delivered_file_is_lost", key=file.ref.key, **_bound(manifest))
            raise DeliveryLostError("it is not in the store any more; request the data again, or ask the helpdesk")

    def _gives_links(self, file: NamedRef) -> bool:
        """Find out once whether the store gives links."""
        if self._is_linking is None:
            try:
                self._objects.sign(file.ref, expires=timedelta(seconds=1))
            except CannotSignError:
                self._is_linking = False
            else:
                self._is_linking = True
        return self._is_linking

    def _signed(self, offer: Offer) -> str:
        """Make a link that ends soon, and with the delivery."""
        assert self._link is not None, "else nothing is linked"
        left = self._link if offer.expires is None else min(self._link, offer.expires - self._clock())
        return self._objects.sign(offer.ref, expires=max(left, timedelta(seconds=1)), file_name=offer.file.name)

    def _count(self, offer: Offer, asker: Asker, part: ByteRange) -> None:
        log.info(
            "download_started",
            request_id=str(offer.request_id),
            file=offer.file.name,
            offset=part.offset,
            bytes=part.length,
            way="link" if offer.is_linked else "stream",
        )
        record = DownloadRecord(
            request_id=offer.request_id,
            file=offer.file.name,
            at=self._clock(),
            by=asker.account,
            client=asker.client,
            offset=part.offset,
            length=part.length,
        )
        try:
            self._note(record)
        except RestoreError as error:
            log.warning("download_not_counted", cause=str(error), consequence="the user gets the file all the same")

    def _view(self, entry: Entry) -> DeliveryView:
        manifest, state = entry.manifest, entry.state
        phase = DeliveryPhase.REMOVED if entry.removed is not None else phase_of(state, self._clock())
        files = (
            *(self._file_view(manifest, file, is_data=True) for file in manifest.files),
            *(self._file_view(manifest, file, is_data=False) for file in manifest.texts),
        )
        return DeliveryView(
            token=manifest.token,
            request_id=manifest.request.request_id,
            mous_uid=manifest.request.mous_uid,
            project_code=manifest.request.project_code,
            address=self._address_of(manifest),
            phase=phase,
            created=manifest.created,
            expires=state.expires,
            latest=latest_end(manifest, self._terms),
            renewals=state.renewals,
            kept=state.kept,
            removed=entry.removed,
            files=files,
            commands=commands_for([file.url for file in files]) if phase is DeliveryPhase.OPEN else None,
        )

    def _file_view(self, manifest: DeliveryManifest, file: NamedRef, *, is_data: bool) -> FileView:
        return FileView(
            name=file.name,
            size=file.ref.size,
            sha256=file.ref.sha256,
            url=f"{self._address_of(manifest)}/{file.name}",
            is_data=is_data,
        )

    def _address_of(self, manifest: DeliveryManifest) -> str:
        return manifest.address if self._address is None else f"{self._address}/{manifest.token}"


def _told(manifest: DeliveryManifest, state: DeliveryState, by: str) -> DeliveryState:
    key = f"{state.renewals}/{state.expires.isoformat()}/{state.kept}"
    return with_word(state, renewal(manifest, state, by), key=key, request_id=manifest.request.request_id)


def _bound(manifest: DeliveryManifest) -> dict[str, str]:
    return {"request_id": str(manifest.request.request_id), "mous_uid": manifest.request.mous_uid}
