"""The commands that talk to a request desk."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from alma_restore.cli import app
from contracts.messages import RequestRefused
from contracts.reasons import ReasonCode
from tests.support.desk_site import MOUS, TAR, VERA, DeskSite, deliver, with_deliveries

Run = Callable[..., Result]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DeskSite]:
    with DeskSite(tmp_path / "desk", deliveries=with_deliveries) as site:
        yield site


@pytest.fixture
def run(site: DeskSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("ALMA_RESTORE_DESK_TOKEN", site.provider.token(VERA))
    monkeypatch.setenv("ALMA_RESTORE_DESK_URL", site.base_url)
    with capture_logs():  # the desk's own, in the same process: commands write to the same terminal
        yield lambda *words: CliRunner().invoke(app, list(words))


def test_one_submits_in_ones_own_name_and_sees_it(run: Run) -> None:
    asked = run("submit", "2017.1.00886.L", MOUS, "16140", "--json")
    assert asked.exit_code == 0, asked.output
    request_id = json.loads(asked.output)["request_id"]
    shown = json.loads(run("status", request_id, "--json").output)
    assert (shown["state"], shown["mous"]) == ("submitted", MOUS)
    assert MOUS in run("status", request_id).output
    listed = run("status").output
    assert "submitted" in listed
    assert request_id in listed, "an id that is cut off cannot be given to another command"
    assert json.loads(run("cancel", request_id, "--json").output)["state"] == "cancelled"
    assert run("status", "--active", "--json").output == ""


def test_a_mous_that_cannot_be_read_ends_with_1_and_the_others_are_submitted(run: Run) -> None:
    asked = run("submit", "2017.1.00886.L", MOUS, "nonsense", "16140")
    assert asked.exit_code == 1
    assert "no MOUS with this UID" in asked.output


def test_a_refusal_is_one_sentence_and_exit_code_2(run: Run) -> None:
    asked = run("submit", "nonsense", MOUS, "16140")
    assert asked.exit_code == 2
    assert "project code" in asked.output


def test_watching_ends_with_the_request(run: Run, site: DeskSite) -> None:
    request = site.request(VERA)
    ending = Thread(target=lambda: site.say(RequestRefused(request=request, reason=ReasonCode.NOT_ENTITLED)))
    ending.start()
    watched = run("watch", str(request.request_id), "--json")
    ending.join()
    assert watched.exit_code == 1
    assert json.loads(watched.output.splitlines()[-1])["state"] == "refused"
    assert run("watch", str(request.request_id)).exit_code == 1


def test_a_delivery_is_fetched_and_renewed(run: Run, site: DeskSite, tmp_path: Path) -> None:
    request = site.request(VERA)
    deliver(site, request, {TAR: b"calibrated"})
    fetched = run("download", str(request.request_id), "--to", str(tmp_path / "data"))
    assert fetched.exit_code == 0, fetched.output
    assert (tmp_path / "data" / TAR).read_bytes() == b"calibrated"
    again = run("download", str(request.request_id), "--to", str(tmp_path / "data"), "--json")
    assert len(json.loads(again.output)) == 2
    assert run("renew", str(request.request_id)).exit_code == 0
    watched = run("watch", str(request.request_id))
    assert watched.exit_code == 0
    assert f"{site.base_url}/deliveries/" in watched.output


def test_a_request_is_shown_step_by_step_and_what_is_copied_stands_whole_on_a_line(run: Run, site: DeskSite) -> None:
    request = site.request(VERA)
    under_way = run("status", str(request.request_id)).output
    assert [under_way.count(step) for step in ("entitlement", "structure", "fetch", "release", "delivery")] == [1] * 5
    made = deliver(site, request)
    lines = run("status", str(request.request_id)).output.splitlines()
    assert lines[0].startswith(f"{request.request_id}  {MOUS}")
    assert lines[-1] == made.address
    assert "1 file, 3 bytes" in lines[1]
    assert [line.split()[:2] for line in lines if line.startswith("delivery")] == [["delivery", "done"]]
    assert run("watch", str(request.request_id)).output.splitlines()[-1] == made.address


def test_without_a_desk_over_the_bus_a_name_is_needed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALMA_RESTORE_DESK_URL")
    asked = run("submit", "2017.1.00886.L", MOUS, "16140")
    assert asked.exit_code == 2
    assert "--desk" in asked.output
    assert "ALMA_RESTORE_DESK_URL" in run("status").output
