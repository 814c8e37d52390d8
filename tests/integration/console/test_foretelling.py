"""The form tells what a request would meet before it is made."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from observatory.metadata_demo import MOUS, PI, STRANGER
from observatory.metadata_entities import DemoAccount
from services.request_desk.web.foretelling import ArchiveForeteller
from shared.entitlement.records import ArchiveRecords
from tests.support.archive_tables import ArchiveTables
from tests.support.console_window import Window
from tests.support.desk_site import DeskSite
from tests.support.oidc_provider import Person


@pytest.fixture
def window(tables: ArchiveTables, tmp_path: Path, browser: Browser) -> Iterator[Window]:
    records = ArchiveRecords(database=tables.open())

    def foreteller(site: DeskSite) -> ArchiveForeteller:
        return ArchiveForeteller(records=records, ledger=site.ledger, clock=lambda: datetime.now(UTC))

    with DeskSite(tmp_path / "desk", foreteller=foreteller) as site, browser.new_context() as context:
        yield Window(site, context)
    records.close()


def person(account: DemoAccount) -> Person:
    return Person(account.account_id, f"{account.first_name} {account.last_name}", account.email)


def test_the_pi_is_told_that_the_data_is_to_be_had_and_of_which_project_it_is(window: Window) -> None:
    page = window.sign_in(person(PI), "/requests/new")
    page.get_by_label("MOUS UIDs").fill(f"{MOUS.uid} nonsense")
    page.keyboard.press("Tab")
    told = page.locator("#foretold")
    expect(told).to_contain_text(f"{MOUS.uid}: you may have it; 4 execution blocks")
    expect(told).to_contain_text("nonsense is no MOUS UID")
    expect(page.get_by_label("Project code")).to_have_value(MOUS.project.code)


def test_a_stranger_is_told_why_not_and_that_calibrators_are_for_everybody(window: Window) -> None:
    page = window.sign_in(person(STRANGER), f"/requests/new?mous={MOUS.uid}")
    told = page.locator("#foretold")
    expect(told).to_contain_text("no")
    expect(told).to_contain_text("public")
    page.get_by_label("Only these calibrators").fill("J0510+1800")
    page.keyboard.press("Tab")
    expect(told).to_contain_text("you may have it")
