"""A release date that is moved back, or a QA3 that begins, while CASA works: nothing is delivered."""

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag

import pytest
from sqlalchemy import Connection, create_engine

from alma_restore.demo.house import House
from contracts.envelope import Event
from contracts.messages import MailSent, ReleaseGranted, ReleaseWithheld, RestoreCompleted, RestoreStarted
from contracts.messages.parts import MailKind
from contracts.reasons import ReasonCode
from observatory.metadata import set_release_date, set_state
from observatory.metadata_demo import EMPTY_FIRST_SESSION, PROPRIETARY, PUBLIC, STRANGER
from observatory.miniature import MiniatureAlma
from tests.support.demo_requests import request_of

MOUS = EMPTY_FIRST_SESSION
SECONDS = 240.0


@pytest.fixture
def alma(tmp_path: Path, observatory_cache: Path) -> Iterator[MiniatureAlma]:
    """One MOUS of one execution block, public."""
    with MiniatureAlma(root=tmp_path / "observatory", cache=observatory_cache, mouss=[MOUS]) as alma:
        change(alma, lambda connection: set_release_date(connection, MOUS, PUBLIC))
        yield alma


def change(alma: MiniatureAlma, action: Callable[[Connection], object]) -> None:
    engine = create_engine(alma.database_url)
    with engine.begin() as connection:
        action(connection)
    engine.dispose()


class Onlooker:
    """Hears when CASA begins, and everything that is said until the request's mail is out."""

    def __init__(self) -> None:
        self.casa_works = Flag()
        self._events = SimpleQueue[Event]()

    def __call__(self, event: Event) -> None:
        if isinstance(event.data, RestoreStarted):
            self.casa_works.set()
        self._events.put(event)

    def until_the_mail(self) -> list[Event]:
        heard = [self._events.get(timeout=SECONDS)]
        while not isinstance(heard[-1].data, MailSent):
            heard.append(self._events.get(timeout=SECONDS))
        return heard


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (lambda connection: set_release_date(connection, MOUS, PROPRIETARY), ReasonCode.NOT_ENTITLED),
        (lambda connection: set_state(connection, MOUS.uid, "QA3InProgress"), ReasonCode.QA3_IN_PROGRESS),
    ],
    ids=["release date", "state"],
)
def test_what_is_taken_back_while_casa_works_is_not_delivered(
    action: Callable[[Connection], object], reason: ReasonCode, alma: MiniatureAlma, tmp_path: Path
) -> None:
    house, onlooker = House(tmp_path / "house"), Onlooker()
    request = request_of(STRANGER, MOUS, contact_email="contact@example.org")
    with house.running(alma, runners=1) as embedded:
        embedded.listen(onlooker)
        embedded.submit(request)
        assert onlooker.casa_works.wait(SECONDS)
        change(alma, action)
        heard = onlooker.until_the_mail()
    topics = [type(event.data) for event in heard]
    assert RestoreCompleted in topics
    assert ReleaseGranted not in topics
    (withheld,) = [event.data for event in heard if isinstance(event.data, ReleaseWithheld)]
    assert withheld.reason is reason
    assert isinstance(heard[-1].data, MailSent)
    assert heard[-1].data.kind is MailKind.WITHHELD
    assert not list(house.deliveries.glob("*"))
