"""Fill the console's templates."""

from functools import cache
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from services.request_desk.web.access import signed_in
from services.request_desk.web.console import words
from services.request_desk.web.identity import Identity, Role

ASSETS = {"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"}


@cache
def asset(name: str) -> bytes:
    """Return one of the files that pages need."""
    return files("services.request_desk.web.console").joinpath("static", name).read_bytes()


def asset_address(name: str) -> str:
    """Return the address of such a file, which changes with its content, so that it can be kept for ever."""
    return f"/assets/{sha256(asset(name)).hexdigest()[:16]}/{name}"


@cache
def environment() -> Environment:
    """Return the templates, which escape whatever is put into them."""
    made = Environment(
        loader=PackageLoader("services.request_desk.web.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        size=words.size,
        duration=words.duration,
        moment=words.moment,
        pretty=words.pretty,
        sentence=words.sentence,
        tone=words.tone,
        state_words=words.state_words,
        step_words=words.STEPS.__getitem__,
        standing_words=words.STANDINGS.__getitem__,
    )
    made.globals["asset_address"] = asset_address
    return made


def page(
    request: Request, template: str, *, user: Identity | None, status: int = 200, **values: object
) -> HTMLResponse:
    """Answer with a page.

    Parameters
    ----------
    request
        The call.
    template
        Name of the template.
    user
        Who is signed in.
    values
        What the template shows.
    """
    is_operator = user is not None and user.is_any(Role.OPERATOR)
    filled = environment().get_template(template)
    text = filled.render(user=user, is_operator=is_operator, path=request.url.path, **values)
    return HTMLResponse(text, status_code=status)


def error_page(request: Request, *, status: int, title: str, detail: str) -> HTMLResponse:
    """Say to a person what went wrong, with the ways on that who is signed in has."""
    can_sign_in = status == HTTPStatus.UNAUTHORIZED and request.app.state.door.sign_in.kind != "local"
    told = {"title": title, "detail": detail, "can_sign_in": can_sign_in}
    return page(request, "error.html", user=signed_in(request), status=status, **told)
