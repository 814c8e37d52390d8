"""The alerts: what is watched, from when on it is bad, what follows for users, and what to do first."""

import re
from dataclasses import dataclass

from dashboards.declarations import SERVICES
from dashboards.expressions import (
    ANY_DEAD,
    ANY_QUEUE,
    CONSUMERS,
    JOB,
    MESSAGES,
    READY,
    increase,
    rate,
    told,
    total,
)

RUNBOOK = "docs/runbook"

_ALWAYS_THERE = tuple(service for service in SERVICES if service != "casa-runner")
"""Services of which a process runs even if there is nothing to do; a runner may be started by what waits."""

_WAITS = {
    "entitlement-checker": 600,
    "metadata-resolver": 900,
    "ngas-fetcher": 3 * 3600,
    "ppr-builder": 900,
    "casa-runner": 12 * 3600,
    "notifier": 1800,
}
"""Seconds that an event may wait for a service: about half of what the ledger lets the step take before it is stuck."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert.

    Attributes
    ----------
    signals
        What is watched: each gives series as long as all is well, too.
    condition
        When it is bad; ``{0}``, ``{1}`` … stand for the signals.
    lasting
        How long before somebody is told.
    severity
        ``critical`` if users do not get their data, ``warning`` if soon they will not, or some do not.
    consequence, action
        What follows, and the first thing to do.
    """

    name: str
    signals: tuple[str, ...]
    condition: str
    lasting: str
    severity: str
    summary: str
    consequence: str
    action: str

    @property
    def expr(self) -> str:
        """The expression of the rule."""
        return self.condition.format(*self.signals)

    @property
    def page(self) -> str:
        """Name of the page of the runbook."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", self.name.removeprefix("AlmaRestore")).lower() + ".md"

    @property
    def runbook(self) -> str:
        """Where the page lies in the project."""
        return f"{RUNBOOK}/{self.page}"

    def runbook_at(self, site: str) -> str:
        """Where the page is on the documents' site at an address."""
        return f"{site.rstrip('/')}/runbook/{self.page.removesuffix('.md')}/"


ALERTS: tuple[Alert, ...] = (
    Alert(
        name="AlmaRestoreProcessDown",
        signals=(f'up{{job="{JOB}"}}',),
        condition="{0} == 0",
        lasting="2m",
        severity="warning",
        summary="{{ $labels.service }} at {{ $labels.instance }} does not answer",
        consequence="Its messages go to the other replicas; with none left, requests stop at this service.",
        action="Look at the last lines of its log, and whether it is started again and again.",
    ),
    Alert(
        name="AlmaRestoreServiceGone",
        signals=tuple(f'up{{job="{JOB}",service="{service}"}}' for service in _ALWAYS_THERE),
        # A process that is not found any more has no `up` that could be 0.
        condition=" or ".join(f"absent({{{number}}})" for number in range(len(_ALWAYS_THERE))),
        lasting="5m",
        severity="critical",
        summary="No process of {{ $labels.service }} is there",
        consequence="Requests stop at this service, and nobody says so elsewhere: what it would tell is missing, too.",
        action="Look whether it is deployed with a replica at all, and why its processes cannot be started.",
    ),
    Alert(
        name="AlmaRestoreNobodyListens",
        signals=(
            total(READY, "queue", queue=f"=~{ANY_QUEUE}"),
            total(CONSUMERS, "queue", queue=f"=~{ANY_QUEUE}"),
        ),
        condition="({0} > 0) and on (queue) ({1} == 0)",
        lasting="5m",
        severity="critical",
        summary="{{ $value }} messages wait in {{ $labels.queue }} and no process takes them",
        consequence="No request gets past this service. Nothing is lost: messages wait in the broker.",
        action="Start the service of that name; if it runs, ask its /ready and read its log.",
    ),
    Alert(
        name="AlmaRestoreNotReady",
        signals=("min by (service, instance) (alma_restore_ready)",),
        condition="{0} == 0",
        lasting="10m",
        severity="warning",
        summary="{{ $labels.service }} at {{ $labels.instance }} runs and cannot take work",
        consequence="Requests wait at this service until what it needs answers again.",
        action="Ask its dependencies one by one: broker, object store, then what its README names.",
    ),
    Alert(
        name="AlmaRestoreBrokerDown",
        signals=('up{job="rabbitmq"}',),
        condition="{0} == 0",
        lasting="2m",
        severity="critical",
        summary="RabbitMQ does not answer",
        consequence="Nothing moves: requests are not taken in, and finished work cannot be told.",
        action="Look whether the broker runs, has disk and memory left, and shows an alarm.",
    ),
    Alert(
        name="AlmaRestoreBacklog",
        signals=(total(READY, "queue", queue=f"=~{ANY_QUEUE}"),),
        condition="min_over_time(({0})[30m:1m]) > 50",
        lasting="0m",
        severity="warning",
        summary="More than 50 messages have been waiting in {{ $labels.queue }} for half an hour",
        consequence="Users wait longer: more comes in than is worked off.",
        action="Add replicas of that service, or find out what makes each message slow.",
    ),
    Alert(
        name="AlmaRestoreQueueAge",
        signals=tuple(told("alma_restore_ledger_waiting_seconds", "queue", queue=service) for service in _WAITS),
        condition=" or ".join(f"{{{number}}} > {seconds}" for number, seconds in enumerate(_WAITS.values())),
        lasting="5m",
        severity="warning",
        summary="An event has been waiting for {{ $labels.queue }} for {{ $value | humanizeDuration }}",
        consequence="A user's request stands still there, however few wait; those behind it wait as long.",
        action="Look whether a process of it is ready, and what it works on or puts off.",
    ),
    Alert(
        name="AlmaRestoreDeadLetters",
        signals=(total(MESSAGES, "queue", queue=f"=~{ANY_DEAD}"),),
        condition="{0} > 0",
        lasting="5m",
        severity="critical",
        summary="{{ $value }} messages in {{ $labels.queue }} wait for a person",
        consequence="The requests of these messages stand still until somebody acts; their users hear nothing.",
        action="Read them: `alma-restore dead-letters list`; mend the cause, then replay them.",
    ),
    Alert(
        name="AlmaRestoreHandlersFail",
        signals=(increase("alma_restore_messages_total", "service", window="15m", outcome="failed"),),
        condition="{0} > 3",
        lasting="0m",
        severity="warning",
        summary='{{ $labels.service }} met {{ $value | printf "%.0f" }} errors nobody foresaw in 15 minutes',
        consequence="After a few tries each of these messages becomes a dead letter and its request stands still.",
        action="Search the service's log for event_put_off and event_given_up: the traceback is there.",
    ),
    Alert(
        name="AlmaRestoreDependencyAway",
        signals=(
            rate("alma_restore_messages_total", "service", window="15m", outcome="later"),
            rate("alma_restore_messages_total", "service", window="15m"),
        ),
        condition="{0} / {1} > 0.5",
        lasting="15m",
        severity="warning",
        summary="More than half of what {{ $labels.service }} takes has to wait for something that is away",
        consequence="Requests are late; they go on by themselves when it is back, and are given up after days.",
        action="Search the log for event_put_off: it says what does not answer, and since when.",
    ),
    Alert(
        name="AlmaRestoreRestoresFail",
        signals=(
            'sum(increase(alma_restore_casa_restores_total{outcome!~"restored|reused|cancelled"}[6h]))',
            'sum(increase(alma_restore_casa_restores_total{outcome!="cancelled"}[6h]))',
            # A runner that ends after one block takes its count with it; the ledger knows of each.
            'max(delta(alma_restore_ledger_blocks{state="failed"}[6h]))',
            'max(delta(alma_restore_ledger_blocks{state="restored"}[6h]))',
        ),
        condition="({0} / {1} > 0.25 and {0} > 3) or ({2} / ({2} + {3}) > 0.25 and {2} > 3)",
        lasting="10m",
        severity="critical",
        summary="{{ $value | humanizePercentage }} of the restores of six hours failed",
        consequence="Users get a mail that their data cannot be restored.",
        action="Look at the reasons on the casa-runner's dashboard; one reason for all points to CASA or the disk.",
    ),
    Alert(
        name="AlmaRestoreScratchFull",
        signals=("alma_restore_casa_scratch_free_bytes", "alma_restore_casa_scratch_size_bytes"),
        condition="{0} / {1} < 0.1",
        lasting="10m",
        severity="warning",
        summary="{{ $labels.instance }} has {{ $value | humanizePercentage }} of its scratch disk left",
        consequence="Restores wait for room, and large ones never begin on this host.",
        action="Remove kept directories of failed attempts, oldest first.",
    ),
    Alert(
        name="AlmaRestoreOldRequest",
        signals=(told("alma_restore_ledger_oldest_seconds", "state"),),
        condition="{0} > 3 * 86400",
        lasting="15m",
        severity="warning",
        summary="A request has been {{ $labels.state }} and not ended for {{ $value | humanizeDuration }}",
        consequence="A user has been waiting for days.",
        action="List what is under way, oldest first, on the desk's pages and read the events of that request.",
    ),
    Alert(
        name="AlmaRestoreStuckRequests",
        signals=(told("alma_restore_ledger_stuck_requests", "step"),),
        condition="{0} > 0",
        lasting="15m",
        severity="warning",
        summary="{{ $value }} requests have been at {{ $labels.step }} for longer than that may take",
        consequence="These requests may never end by themselves; their users wait.",
        action="Look whether that step's service works and has dead letters; then send the requests on again.",
    ),
    Alert(
        name="AlmaRestoreLedgerMissesEvents",
        signals=("max(alma_restore_ledger_missed_events + alma_restore_ledger_unreadable_events)",),
        condition="delta(({0})[1h:1m]) > 0",
        lasting="0m",
        severity="warning",
        summary='The ledger could not take {{ $value | printf "%.0f" }} events in',
        consequence="Progress pages may be wrong. Requests and deliveries are not affected.",
        action="Look why the desk was behind the journal, then run `alma-restore ledger rebuild`.",
    ),
    Alert(
        name="AlmaRestoreTriggersNotTaken",
        signals=(
            'sum(increase(alma_restore_triggers_total{outcome="rejected"}[6h]))',
            told("alma_restore_triggers_stuck", "cause"),
        ),
        condition="{0} > 0 or {1} > 0",
        lasting="10m",
        severity="warning",
        summary='{{ $value | printf "%.0f" }} trigger files were rejected in six hours, or stay where they lie',
        consequence="What a rejected file asks for never begins, and nobody is mailed: its user waits in vain.",
        action="Read its .reason.txt in rejected/, mend it and put it back; for one that stays read the desk's log.",
    ),
    Alert(
        name="AlmaRestoreMailsNotTaken",
        signals=(increase("alma_restore_mails_total", "outcome", window="1h", outcome="!=sent"),),
        condition="{0} > 3",
        lasting="0m",
        severity="warning",
        summary='{{ $value | printf "%.0f" }} recipients were {{ $labels.outcome }} by the mail server in an hour',
        consequence="Data may be ready and its users do not know it; refused mails are not tried again.",
        action="Search the notifier's log for mail_recipient_refused: the server's answer is there.",
    ),
    Alert(
        name="AlmaRestoreStoreErrors",
        signals=(increase("alma_restore_store_errors_total", "service", window="15m"),),
        condition="{0} > 5",
        lasting="5m",
        severity="critical",
        summary='{{ $labels.service }} had {{ $value | printf "%.0f" }} errors with the object store in 15 minutes',
        consequence="Work is repeated or stands still; a store that is full or damaged ends every request.",
        action="Check the store's health and its room; look for integrity errors in the log first.",
    ),
    Alert(
        name="AlmaRestoreArchiveServerFails",
        signals=(
            increase("alma_restore_ngas_files_total", "host", window="1h", outcome="!=fetched"),
            increase("alma_restore_ngas_files_total", "host", window="1h"),
        ),
        condition="{0} / {1} > 0.2 and {0} > 3",
        lasting="10m",
        severity="warning",
        summary="{{ $value | humanizePercentage }} of the files asked of {{ $labels.host }} did not come",
        consequence="Other replicas are asked, which is slower; without any, requests wait or fail.",
        action="Look at the outcomes on the ngas-fetcher's dashboard; tell the archive which server it is.",
    ),
)
