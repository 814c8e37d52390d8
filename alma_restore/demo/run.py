"""Run the demonstration: make the observatory, ask, watch, and compare what came out with what should."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from urllib.parse import unquote, urlsplit

from rich.console import Console
from rich.live import Live
from rich.table import Table

from alma_restore.demo.house import House
from alma_restore.demo.mails import SentMail, mail_differences, read_mails
from alma_restore.demo.scenario import Asked, scenario
from alma_restore.embedded import Embedded
from alma_restore.progress import RequestProgress
from alma_restore.view import requests_table, state_text
from contracts.envelope import Event
from observatory.blocks import BlockProgress
from observatory.miniature import MiniatureAlma
from shared.errors import MisconfiguredError
from shared.logs import configure_logs

DEADLINE = 600.0
_MARKER = "made-by-alma-restore-demo"


class Watch:
    """Follows requests by their events."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self._changed = Condition()
        self.progress = {entry.request.request_id: RequestProgress() for entry in asked}

    def take(self, event: Event) -> None:
        """Take in an event."""
        with self._changed:
            self.progress[event.correlationid].apply(event)
            self._changed.notify_all()

    def wait(self, is_enough: Callable[[], bool], *, until: float, tick: Callable[[], None]) -> bool:
        """Wait until a condition holds, drawing now and then; False if time ran out before."""
        with self._changed:
            while not is_enough():
                if time.monotonic() > until:
                    return False
                tick()
                self._changed.wait(0.25)
        tick()
        return True


def run_demo(*, console: Console, directory: Path, cache: Path, runners: int) -> bool:
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

    Returns
    -------
    bool
        Whether everything came out as expected.
    """
    started = time.monotonic()
    house = House(_emptied(directory))
    asked = scenario()
    watch = Watch(asked)
    with (house.root / "log.jsonl").open("w") as log:
        configure_logs(form="json", level="INFO", stream=log)
        with _making_blocks(console) as on_progress:
            alma = MiniatureAlma(root=house.observatory, cache=cache, workers=runners, on_progress=on_progress)
        console.print(f"The miniature ALMA is ready after {time.monotonic() - started:.0f} s. Requests are sent:\n")
        with alma, house.running(alma, runners=runners) as embedded:
            _ask_all(console, embedded, asked, watch)
    return _show_results(console, house, asked, watch, time.monotonic() - started)


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


def _ask_all(console: Console, embedded: Embedded, asked: Sequence[Asked], watch: Watch) -> None:
    """Send every request when its turn has come, and watch until all have ended or time is out."""
    deadline = time.monotonic() + DEADLINE
    by_title = {entry.title: watch.progress[entry.request.request_id] for entry in asked}
    embedded.listen(watch.take)
    with Live(console=console, refresh_per_second=8, vertical_overflow="visible") as live:

        def draw() -> None:
            shown = [(entry.title, by_title[entry.title]) for entry in asked if by_title[entry.title].request]
            live.update(requests_table(shown))

        waiting = list(asked)
        while waiting:
            ready = [entry for entry in waiting if entry.after is None or by_title[entry.after].state.is_end]
            for entry in ready:
                embedded.submit(entry.request, source="archive-request-system")
                waiting.remove(entry)
            needed = {entry.after for entry in waiting if entry.after is not None}

            def is_enough(titles: frozenset[str] = frozenset(needed or by_title)) -> bool:
                return all(by_title[title].state.is_end for title in titles)

            if not watch.wait(is_enough, until=deadline, tick=draw):
                return


def _show_results(console: Console, house: House, asked: Sequence[Asked], watch: Watch, seconds: float) -> bool:
    """Draw the last table, and say what came out otherwise than expected."""
    mails = read_mails(house.mails)
    table = Table(title="What was asked, and what came out", title_justify="left", expand=True)
    for heading, ratio in (("asked", 5), ("by", 2), ("came out", 4), ("files", 1), ("mail to", 3), ("as expected", 2)):
        table.add_column(heading, ratio=ratio, overflow="fold")
    wrong: dict[str, list[str]] = {}
    for entry in asked:
        progress = watch.progress[entry.request.request_id]
        sent = mails.get(entry.request.request_id, [])
        wrong[entry.title] = _differences(house, entry, progress, sent)
        table.add_row(
            entry.title,
            entry.request.user_name,
            state_text(progress),
            str(len(progress.delivery.files)) if progress.delivery else "",
            ", ".join(mail.to for mail in sent),
            "[red]no" if wrong[entry.title] else "[green]yes",
        )
    console.print(table)
    for title, differences in wrong.items():
        for difference in differences:
            console.print(f"[red]{title}: {difference}")
    as_expected = not any(wrong.values())
    console.print(
        f"{len(asked)} requests, {sum(not found for found in wrong.values())} as expected, in {seconds:.0f} s.\n"
        f"Deliveries: {house.deliveries}\nMails: {house.mails}\nLogs: {house.root / 'log.jsonl'}",
        soft_wrap=True,
    )
    return as_expected


def _differences(house: House, asked: Asked, progress: RequestProgress, mails: list[SentMail]) -> list[str]:
    return [
        *asked.expected.differences(progress),
        *mail_differences(asked, mails),
        *_damaged_files(progress),
        *_partial_files(house),
    ]


def _damaged_files(progress: RequestProgress) -> list[str]:
    """Name the delivered files whose bytes are not those that were announced."""
    if progress.delivery is None:
        return []
    folder = Path(unquote(urlsplit(progress.delivery.address).path))
    wrong = []
    for file in progress.delivery.files:
        with (folder / file.name).open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
                wrong.append(f"{file.name}: not the announced bytes")
    return wrong


def _partial_files(house: House) -> list[str]:
    """Name what is visible among the deliveries although it is not finished."""
    return [f"{path}: left unfinished" for path in house.deliveries.glob(".*")] if house.deliveries.exists() else []
