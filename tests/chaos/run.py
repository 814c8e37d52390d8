"""One run: ask, let things go wrong, let it calm down, judge."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from time import monotonic

from contracts.envelope import Event
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from tests.chaos import judge, judge_ledger, judge_mails, judge_store
from tests.chaos.asker import QUICK, Asker, open_asker
from tests.chaos.plan import STORE, Plan
from tests.chaos.site import Site, running
from tests.chaos.troubles import Troublemaker

CALM = 180.0
"""Seconds that the last requests may take once all is up again."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run showed; no fault means that everything held."""

    plan: Plan
    faults: tuple[str, ...]
    troubles: dict[str, int]
    events: int
    repeated: int
    seconds: float


def run(plan: Plan, *, say: Callable[[str], None], keep: Path | None = None) -> Report:
    """Run a plan; everything that it starts has ended when it returns.

    Parameters
    ----------
    say
        Told how far it is.
    keep
        Where everything is left to be looked at; a directory that is removed at the end if None.
    """
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        root = keep or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        say(f"starting servers and services below {root}")
        with running(plan, root) as site:
            settings = RabbitSettings.model_validate({"url": site.broker.url, "confirm_timeout": 10.0})
            with closing(RabbitBus(settings=settings, retry=QUICK)) as bus:
                asker = open_asker(bus, plan)
                troublemaker = Troublemaker(site=site, asker=asker, plan=plan)
                _go_through(plan, asker, troublemaker, say)
                say("all is up again; the last requests come to their ends")
                faults = _judge_system(plan, site, asker, troublemaker, settings, bus)
                events = judge.read_journal(site.broker.url, Names(settings.prefix))
                faults += _judge_requests(plan, site, troublemaker, events, scratch=root)
                return Report(
                    plan=plan,
                    faults=tuple(faults),
                    troubles=dict(troublemaker.done),
                    events=len(events),
                    repeated=judge.repeated(events),
                    seconds=monotonic() - began,
                )


def _go_through(plan: Plan, asker: Asker, troublemaker: Troublemaker, say: Callable[[str], None]) -> None:
    asking = Thread(target=_ask, args=(plan, asker), daemon=True)
    asking.start()
    clock = monotonic()
    for trouble in plan.troubles:
        while (left := trouble.at - (monotonic() - clock)) > 0:
            troublemaker.look_after()
            Flag().wait(min(left, 0.5))
        say(f"{trouble.at:6.1f} s  {trouble.what}  ({len(asker.told)} of {len(plan.asks)} requests ended)")
        troublemaker.make(trouble.what)
    asking.join()
    troublemaker.wait()


def _ask(plan: Plan, asker: Asker) -> None:
    clock = monotonic()
    for number, each in enumerate(plan.asks):
        Flag().wait(max(0.0, each.at - (monotonic() - clock)))
        asker.ask(number)


def _judge_system(
    plan: Plan, site: Site, asker: Asker, troublemaker: Troublemaker, settings: RabbitSettings, bus: RabbitBus
) -> list[str]:
    calm_since = datetime.now(UTC)
    asker.wait_for_mails([each.request.request_id for each in plan.asked], timeout=CALM)
    asker.repeat()  # once more when all mails are out, so that each run says again what mails were sent about
    judge.wait_until_empty(settings, QUICK, timeout=CALM / 3)
    judge_ledger.wait_until_taken(site.ledger, settings, timeout=CALM / 3)
    faults = [*judge.troubles_that_never_were(plan.kinds, troublemaker.done), *troublemaker.exits]
    faults += judge.restless_ends(site)
    bus.drain(10.0)
    faults += judge.queues_not_empty(settings, QUICK)
    faults += judge.wrong_dead_letters(bus, poisoned=troublemaker.poisoned, perhaps=troublemaker.perhaps_poisoned)
    with closing(site.deployment.store()) as store:
        faults += judge_store.left_by_the_living(store, site.s3.settings(), calm_since=calm_since)
        faults += judge_store.left_after_sweeping(store, scratch=site.deployment.house.scratch)
        faults += judge_store.damaged_objects(store)
    return faults


def _judge_requests(
    plan: Plan, site: Site, troublemaker: Troublemaker, events: Sequence[Event], *, scratch: Path
) -> list[str]:
    house = site.deployment.house
    recorded = judge_mails.mails_recorded(site.deployment.logs)
    away = [*troublemaker.times_away("notifier"), *troublemaker.times_away(STORE)]
    return [
        *judge.requests_at_wrong_ends(plan.asked, events, deliveries=house.deliveries, mails=house.mails),
        *judge_mails.mails_sent_again(site.postbox.sent, away=away, recorded=recorded),
        *judge_ledger.ledger_differences(site.ledger, plan.asked, events, scratch=scratch),
    ]
