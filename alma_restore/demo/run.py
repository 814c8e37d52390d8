"""Run the demonstration: make the observatory, ask, watch, and show what came out."""

import os
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event as Flag

from pydantic import SecretStr
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from alma_restore.demo.follow import Follower
from alma_restore.demo.house import SUPPORT, DeskDoor, House
from alma_restore.demo.mails import SentMail
from alma_restore.demo.results import Results
from alma_restore.demo.scenario import CONTACT, Asked, scenario
from alma_restore.embedded import Embedded
from alma_restore.view import counted, drawn_live, requests_table, state_text
from observatory.blocks import BlockProgress
from observatory.miniature import MiniatureAlma
from shared.casa_paths import fit_for_casa
from shared.errors import MisconfiguredError
from shared.logs import configure_logs

DEADLINE = 600.0
_MAILS_COME_WITHIN = 10.0
_MARKER = ".made-by-alma-restore-demo"


def run_demo(*, console: Console, directory: Path, cache: Path, runners: int, desk_port: int | None = None) -> bool:
    """Run all requests of the scenario and show what came out.

    Parameters
    ----------
    console
        Where to draw.
    directory
        Where deliveries, mails and all else is put; emptied first.
    cache
        Where execution blocks are kept from run to run.
    runners
        How many CASA processes work side by side.
    desk_port
        Port of the request desk on this machine, which then stays until Ctrl-C; none runs if None.

    Returns
    -------
    bool
        Whether everything came out as expected.

    Raises
    ------
    MisconfiguredError
        If the directory holds files that no demonstration made, CASA cannot work there, or the port is taken.
    """
    started = time.monotonic()
    try:
        fit_for_casa(directory)
        fit_for_casa(cache)
    except ValueError as error:
        raise MisconfiguredError(str(error)) from error
    if desk_port is not None:
        _check_free(desk_port)
    house = House(_emptied(directory))
    follower = Follower(scenario())
    door = None if desk_port is None else DeskDoor(desk_port, SecretStr(secrets.token_urlsafe(16)))
    log_file = house.root / "log.jsonl"
    with log_file.open("w") as log:
        configure_logs(form="json", level="INFO", stream=log)
        with _making_blocks(console) as on_progress:
            alma = MiniatureAlma(root=house.observatory, cache=cache, workers=runners, on_progress=on_progress)
        console.print(f"The miniature ALMA is ready after {time.monotonic() - started:.0f} s. People ask:\n")
        with alma, house.running(alma, runners=runners, desk=door) as embedded:
            if door is not None:
                console.print(f"The request desk: {door.address}\n", soft_wrap=True, highlight=False)
            _ask(console, follower, embedded)
            _wait_for_mails(house, follower)
            as_expected = _show_results(console, house, follower)
            _say_where(
                console, house, log_file, f"{len(follower.asked)} requests in {time.monotonic() - started:.0f} s."
            )
            if door is not None:
                _stay(console, door)
    return as_expected


def _ask(console: Console, follower: Follower, embedded: Embedded) -> None:
    """Send all requests, and draw what becomes of them."""
    with drawn_live(console) as live:

        def draw() -> None:
            shown = [(entry.title, follower.of(entry.title)) for entry in follower.asked]
            live.update(requests_table([(title, progress) for title, progress in shown if progress.request]))

        follower.ask_all(embedded, timeout=DEADLINE, tick=draw)


def _wait_for_mails(house: House, follower: Follower) -> None:
    """Let the mails be written, which follow the end of a request; one that never comes is told as a difference."""
    until = time.monotonic() + _MAILS_COME_WITHIN
    while time.monotonic() < until:
        results = Results(deliveries=house.deliveries, mails=house.mails)
        if all(results.mails_of(entry) for entry in follower.asked):
            return
        time.sleep(0.1)


def _stay(console: Console, door: DeskDoor) -> None:
    """Let people look around at the request desk until they have seen enough."""
    console.print(f"\nThe request desk stays until Ctrl-C: {door.address}", soft_wrap=True, highlight=False)
    with suppress(KeyboardInterrupt):
        Flag().wait()


def _say_where(console: Console, house: House, log_file: Path, took: str) -> None:
    console.print(
        f"\n{took}\nDeliveries: {house.deliveries}\nMails:      {house.mails}\nLogs:       {log_file}",
        soft_wrap=True,
        highlight=False,
    )


def _check_free(port: int) -> None:
    """Find out that a port is taken before minutes are spent, and before the run that has it loses its files."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise MisconfiguredError(f"port {port} cannot be used: name another one by --desk ({reason})") from error


def _emptied(directory: Path) -> Path:
    """Empty the directory of an earlier run; never one that a run did not make."""
    marker = directory / _MARKER
    if directory.exists() and any(directory.iterdir()) and not marker.exists():
        raise MisconfiguredError(
            f"{directory} holds files that no demonstration made: name an empty or new one by --directory"
        )
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    marker.touch()
    return directory


@contextmanager
def _making_blocks(console: Console) -> Iterator[Callable[[BlockProgress], None]]:
    """Show how execution blocks are made."""
    stages: dict[str, str] = {}

    def table() -> Table:
        shown = Table("execution block", "", title="Making synthetic execution blocks with CASA", box=None)
        for eb_uid, stage in sorted(stages.items()):
            shown.add_row(eb_uid, stage)
        return shown

    with Live(console=console, get_renderable=table, refresh_per_second=8, transient=True):
        yield lambda progress: stages.update({progress.spec.eb_uid: progress.stage})
    made = sum(stage == "made" for stage in stages.values())
    console.print(
        f"{len(stages)} synthetic execution blocks: {made} made with CASA, {len(stages) - made} kept from before."
    )


def _show_results(console: Console, house: House, follower: Follower) -> bool:
    """Draw the last table, and say what came out otherwise than expected."""
    results = Results(deliveries=house.deliveries, mails=house.mails)
    table = Table(box=box.SIMPLE, title="\nWhat was asked, and what came out", title_justify="left", pad_edge=False)
    for heading in ("asked", "came out", "mail to", "as expected"):
        table.add_column(heading, overflow="fold")
    wrong = {}
    for entry in follower.asked:
        progress = follower.of(entry.title)
        wrong[entry.title] = results.differences(entry, progress)
        came_out = state_text(progress)
        if progress.delivery is not None:
            came_out.append(f": {counted(len(progress.delivery.files), 'tar')}")
            came_out.append(", found pre-existing" if progress.delivery.reused else "")
        verdict = "[red]no" if wrong[entry.title] else "[green]yes"
        table.add_row(entry.title, came_out, _recipients(entry, results.mails_of(entry)), verdict)
    console.print(table)
    for title, differences in wrong.items():
        for difference in differences:
            console.print(f"[red]{title}: {difference}")
    return not any(wrong.values())


def _recipients(asked: Asked, mails: list[SentMail]) -> str:
    """Say who got the mails about a request, by their part in it."""
    parts = {asked.request.user_email.lower(): "user", SUPPORT: "support", CONTACT: "ARC contact"}
    return ", ".join(parts.get(mail.to, mail.to) for mail in mails)
