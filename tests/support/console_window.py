"""A person's browser window on a desk's pages."""

from playwright.sync_api import BrowserContext, Page

from contracts.messages import RequestAccepted, StructureResolved
from contracts.messages.parts import Entitlement, RestoreRequest
from tests.support import samples
from tests.support.chromium import Complaints
from tests.support.desk_site import DeskSite
from tests.support.oidc_provider import Person


class Window:
    """One person's browser window; complaints of its pages fail the test unless they are taken."""

    def __init__(self, site: DeskSite, context: BrowserContext) -> None:
        self._site = site
        self._context = context
        self.complaints = Complaints(context)
        self.page = context.new_page()

    def sign_in(self, person: Person, path: str = "/requests") -> Page:
        """Sign in, and go to a page."""
        self._site.provider.person = person
        self.page.goto(f"{self._site.base_url}/sign-in?back={path}")
        return self.page

    def open(self, path: str) -> int:
        """Go to a page; returns the status of the answer."""
        answer = self.page.goto(self._site.base_url + path)
        assert answer is not None
        return answer.status


def resolved(site: DeskSite, request: RestoreRequest) -> None:
    """Let a request be accepted, and its structure be known."""
    site.say(
        RequestAccepted(request=request, entitlement=Entitlement.PI),
        StructureResolved(request=request, structure=samples.STRUCTURE),
    )
