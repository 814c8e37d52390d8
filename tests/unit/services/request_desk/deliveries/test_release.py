"""Downloads against the archive's tables: what was moved or taken back is not handed out any more."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from contracts.messages.parts import RestoreRequest, Selection
from contracts.reasons import ReasonCode
from observatory.metadata import set_release_date, set_state
from observatory.metadata_demo import CALIBRATOR_FIELDS, CORRUPTED, MOUS, PI, PROPRIETARY, STRANGER
from services.request_desk.deliveries.base import DeliveryWithheldError
from services.request_desk.deliveries.release import ArchiveRelease
from shared.entitlement.records import ArchiveRecords
from shared.errors import DependencyAwayError
from tests.support.archive_tables import ArchiveTables
from tests.support.deliveries import START
from tests.support.demo_requests import request_of


class Site:
    """The tables, and a release check whose clock is turned by hand."""

    def __init__(self, tables: ArchiveTables) -> None:
        self.now = START
        self.tables = tables
        self.records = ArchiveRecords(database=tables.open())
        self.release = ArchiveRelease(
            records=self.records,
            clock=lambda: self.now,
            fresh=timedelta(seconds=60),
            patience=timedelta(hours=1),
        )

    def reason(self, request: RestoreRequest) -> ReasonCode | None:
        """Return why a result is withheld; None if it is not."""
        try:
            self.release.check(request)
        except DeliveryWithheldError as error:
            return error.reason
        return None


@pytest.fixture
def site(tables: ArchiveTables) -> Iterator[Site]:
    site = Site(tables)
    yield site
    site.records.close()


def test_whoever_may_have_it_still_gets_it(site: Site) -> None:
    assert site.reason(request_of(PI, MOUS)) is None
    assert site.reason(request_of(STRANGER, CORRUPTED)) is None
    assert site.reason(request_of(STRANGER, MOUS, selection=Selection(calibrator_fields=CALIBRATOR_FIELDS))) is None
    assert site.reason(request_of(STRANGER, MOUS)) is ReasonCode.NOT_ENTITLED


def test_a_moved_release_date_withholds_within_a_minute(site: Site) -> None:
    request = request_of(STRANGER, CORRUPTED)
    assert site.reason(request) is None
    site.tables.change(lambda connection: set_release_date(connection, CORRUPTED, PROPRIETARY))
    site.now += timedelta(seconds=59)
    assert site.reason(request) is None
    site.now += timedelta(seconds=1)
    assert site.reason(request) is ReasonCode.NOT_ENTITLED


def test_qa3_withholds_also_from_the_pi_and_its_end_releases(site: Site) -> None:
    request = request_of(PI, MOUS)
    site.tables.change(lambda connection: set_state(connection, MOUS.uid, "QA3InProgress"))
    assert site.reason(request) is ReasonCode.QA3_IN_PROGRESS
    site.tables.change(lambda connection: set_state(connection, MOUS.uid, "Delivered"))
    site.now += timedelta(minutes=1)
    assert site.reason(request) is None


def test_while_the_archive_is_away_an_earlier_yes_is_good_for_a_while_and_nothing_is_refused(site: Site) -> None:
    asked, unasked = request_of(PI, MOUS), request_of(PI, MOUS)
    assert site.reason(asked) is None
    hidden = site.tables.path.rename(site.tables.path.with_suffix(".away"))
    site.now += timedelta(minutes=59)
    assert site.reason(asked) is None
    with pytest.raises(DependencyAwayError):
        site.release.check(unasked)
    site.now += timedelta(minutes=1)
    with pytest.raises(DependencyAwayError):
        site.release.check(asked)
    hidden.rename(site.tables.path)
    assert site.reason(unasked) is None


def test_while_the_archive_is_away_an_earlier_no_opens_nothing(site: Site) -> None:
    request = request_of(STRANGER, MOUS)
    assert site.reason(request) is ReasonCode.NOT_ENTITLED
    site.tables.path.rename(site.tables.path.with_suffix(".away"))
    site.now += timedelta(minutes=2)
    with pytest.raises(DependencyAwayError):
        site.release.check(request)
