"""A desk's process with live requests, for its benchmark: ``python -m tests.benchmarks.desk_server FOLDER`` < plan.

The requests say something in turn, evenly, as the runners' progress comes over the bus in a
deployment; each event passes the ledger, and holds the moment at which it was said.
"""

import gc
import json
import logging
import sys
import time
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from uuid import NAMESPACE_URL, uuid5

import structlog
from pydantic import BaseModel, SecretStr

from contracts.envelope import Event
from contracts.identifiers import MousUid, ProjectCode
from contracts.messages import RequestAccepted, RequestSubmitted, RestoreProgressed, StructureResolved
from contracts.messages.parts import Entitlement, RestoreRequest
from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.store import SqlLedger
from services.request_desk.web.app import create_app
from services.request_desk.web.parts import make_parts
from services.request_desk.web.server import WebServer, base_url_of, bind
from services.request_desk.web.settings import OidcSignIn, WebSettings
from shared.bus.memory import MemoryBus
from shared.objects.directory import DirectoryStore
from tests.support.samples import EB, STRUCTURE

SECRET = "the benchmark's secret, which signs its sessions"
SOURCE = "/alma-restore/bench"


class Plan(BaseModel):
    """How much there is to do.

    Attributes
    ----------
    requests
        Live requests.
    period
        Seconds from one word of a request to its next.
    """

    requests: int
    period: float


def settings() -> WebSettings:
    """Return the settings of the desk: those of a deployment, with sessions that the benchmark can sign."""
    sign_in = OidcSignIn(issuer="http://127.0.0.1:1/realms/ALMA", client_id="bench", audience="bench")
    return WebSettings(port=0, sign_in=sign_in, session_secret=SecretStr(SECRET))


def owner(number: int) -> str:
    """Name the account that a request belongs to."""
    return f"owner{number}"


def begin(ledger: SqlLedger, number: int) -> Event:
    """Let a request come as far as its restore; return the event that its progress answers."""
    request = RestoreRequest(
        request_id=uuid5(NAMESPACE_URL, f"live request {number}"),
        project_code=ProjectCode("2017.1.00886.L"),
        mous_uid=MousUid(f"uid://A001/X1/X{number:x}"),
        user_name=f"Owner {number}",
        user_email=f"owner{number}@example.org",
        user_account=owner(number),
        ticket=str(number),
    )
    first = Event.first(RequestSubmitted(request=request), source=SOURCE)
    accepted = first.derive(RequestAccepted(request=request, entitlement=Entitlement.PUBLIC), source=SOURCE)
    resolved = accepted.derive(StructureResolved(request=request, structure=STRUCTURE), source=SOURCE)
    for event in (first, accepted, resolved):
        ledger.record(event)
    return resolved


class Saying(Thread):
    """Lets the requests say something in turn, evenly, until it is stopped."""

    def __init__(self, ledger: SqlLedger, causes: list[Event], period: float) -> None:
        super().__init__(name="saying", daemon=True)
        self._ledger, self._causes, self._pause = ledger, causes, period / len(causes)
        self.stopping = Flag()
        self.said = 0

    def run(self) -> None:
        """Say one thing after another; what comes late is made up for."""
        next_one = time.monotonic()
        while not self.stopping.wait(max(0.0, next_one - time.monotonic())):
            cause = self._causes[self.said % len(self._causes)]
            self._ledger.record(self._progress(cause))
            self.said += 1
            next_one += self._pause

    def _progress(self, cause: Event) -> Event:
        number = self.said // len(self._causes)
        message = RestoreProgressed(
            request_id=cause.correlationid,
            mous_uid=cause.data.request.mous_uid,  # type: ignore[attr-defined]  # it is a resolved structure
            eb_uid=EB,
            step=f"said {time.time():.6f}",
            percent=min(99.0, number / 10),
        )
        return cause.derive(message, source=SOURCE, key=f"{EB}/{number}")


class Halts:
    """Notes how long the collection of garbage has halted the process at most, in milliseconds of its own CPU time."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            self.longest = max(self.longest, 1000 * (time.thread_time() - self._began))


def main() -> None:
    """Serve until the standard input ends; tell the address and the ids first, and how much was said last."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    folder, plan = Path(sys.argv[1]), Plan.model_validate_json(sys.stdin.readline())
    url = f"sqlite:///{folder / 'ledger.db'}"
    migrate(url)
    ledger, bus = SqlLedger(url=url), MemoryBus()
    causes = [begin(ledger, number) for number in range(plan.requests)]
    listening = bind(settings())
    base_url = base_url_of(settings(), listening)
    objects = DirectoryStore(folder / "objects")
    parts = make_parts(
        settings=settings(), base_url=base_url, ledger=ledger, objects=objects, publish=bus.publish, bus=bus
    )
    server = WebServer(app=create_app(parts=parts), listening=listening, settings=settings())
    server.begin()
    saying = Saying(ledger, causes, plan.period)
    print(json.dumps({"base_url": base_url, "requests": [str(cause.correlationid) for cause in causes]}), flush=True)
    sys.stdin.readline()
    saying.start()
    halts, began = Halts(), time.process_time()
    sys.stdin.readline()
    saying.stopping.set()
    saying.join()
    print(json.dumps({"said": saying.said, "cpu": time.process_time() - began, "halt": halts.longest}), flush=True)
    server.close()
    parts.close()


if __name__ == "__main__":
    main()
