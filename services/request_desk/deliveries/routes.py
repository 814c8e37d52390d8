"""Serve the files of deliveries over HTTP: by a signed link of the object store, or streamed from here."""

from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from fastapi.routing import APIRoute

from services.request_desk.deliveries.base import Asker, Deliveries, Download, FileView, Offer
from services.request_desk.deliveries.ranges import RangeNotSatisfiableError, is_same, names, wanted_part
from shared.objects.s3_links import content_disposition

WhoAsks = Callable[[Request], Asker]

_PRIVATE = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
"""An address is a secret: nobody on the way keeps what lies there, nor tells where it lies."""
_TYPES = {".tar": "application/x-tar", ".json": "application/json", ".txt": "text/plain; charset=utf-8"}


def deliveries_router(*, deliveries: Deliveries, who: WhoAsks, prefix: str = "/deliveries") -> APIRouter:
    """Make the routes ``PREFIX/<token>/<file>``.

    Errors are `DeliveryError` and `DependencyAwayError`: the application answers them.

    Parameters
    ----------
    deliveries
        What is served.
    who
        Tells who makes a call, for the ledger; the address alone opens the door.
    prefix
        Path below which deliveries are.
    """
    router = APIRouter(prefix=prefix, tags=["deliveries"], route_class=_RangeRoute)
    files = _Files(deliveries=deliveries, who=who)
    router.add_api_route(
        "/{token}/{name}",
        files.serve,
        methods=["GET", "HEAD"],
        name="delivered_file",
        summary="Fetch a file of a delivery",
        description="A redirect to a short-lived signed link, or the file itself. One range of bytes can be asked for.",
        response_class=Response,
        include_in_schema=False,
    )
    return router


class _Files:
    """Answers calls for files."""

    def __init__(self, *, deliveries: Deliveries, who: WhoAsks) -> None:
        self._deliveries = deliveries
        self._who = who

    def serve(self, request: Request, token: str, name: str) -> Response:
        """Answer GET and HEAD."""
        offer = self._deliveries.look(token, name)
        return self._linked(request, offer) if offer.is_linked else self._streamed(request, offer)

    def _linked(self, request: Request, offer: Offer) -> Response:
        """Send the caller on to the store, which answers conditions by a tag of its own: none is given here."""
        if request.method == "HEAD":
            return Response(headers=_headers(offer.file))
        condition = request.headers.get("if-range")
        part = None if condition is not None else wanted_part(request.headers.get("range"), offer.file.size)
        download = self._deliveries.start(offer, asker=self._who(request), part=part)
        assert download.link is not None, "it was offered as a link"
        return RedirectResponse(download.link, status_code=302, headers=_PRIVATE)

    def _streamed(self, request: Request, offer: Offer) -> Response:
        etag, asked = f'"{offer.file.sha256}"', request.headers
        if (condition := asked.get("if-match")) is not None and not names(condition, etag):
            return Response(status_code=412, headers=_PRIVATE)
        if names(asked.get("if-none-match"), etag):
            return Response(status_code=304, headers={"ETag": etag, **_PRIVATE})
        headers = {**_headers(offer.file), "ETag": etag}
        if request.method == "HEAD":
            return Response(headers=headers)
        part = wanted_part(asked.get("range"), offer.file.size) if is_same(asked.get("if-range"), etag) else None
        download = self._deliveries.start(offer, asker=self._who(request), part=part)
        if part is None:
            return StreamingResponse(self._bytes(download), headers=headers)
        last = part.offset + part.length - 1
        headers |= {
            "Content-Length": str(part.length),
            "Content-Range": f"bytes {part.offset}-{last}/{offer.file.size}",
        }
        return StreamingResponse(self._bytes(download), status_code=206, headers=headers)

    def _bytes(self, download: Download) -> Iterator[bytes]:
        with self._deliveries.stream(download) as chunks:
            yield from chunks


def _headers(file: FileView) -> dict[str, str]:
    ending = f".{file.name.rpartition('.')[2]}"
    disposition = content_disposition(file.name)
    digest = b64encode(bytes.fromhex(file.sha256)).decode()
    return {
        **_PRIVATE,
        "Accept-Ranges": "bytes",
        "Content-Length": str(file.size),
        "Content-Type": _TYPES.get(ending, "application/octet-stream" if file.is_data else _TYPES[".txt"]),
        "Content-Disposition": disposition if file.is_data else disposition.replace("attachment", "inline", 1),
        "Repr-Digest": f"sha-256=:{digest}:",
    }


class _RangeRoute(APIRoute):
    """Tells the size of a file to who asks for bytes that it has not: by that programs know that they have all."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RangeNotSatisfiableError as error:
                return _nothing_left(error)

        return answer


def _nothing_left(error: RangeNotSatisfiableError) -> Response:
    body = {"title": error.title, "status": error.status, "code": error.code, "detail": str(error)}
    headers = {**_PRIVATE, "Content-Range": f"bytes */{error.size}"}
    return JSONResponse(body, status_code=error.status, media_type="application/problem+json", headers=headers)
