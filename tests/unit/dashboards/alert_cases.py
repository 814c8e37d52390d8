"""For each alert, series in which it fires and series in which it does not, a value a minute."""

from dataclasses import dataclass

Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """Series in promtool's notation, and the minute at which the alert is looked for."""

    fires: Series
    quiet: Series
    minute: int = 60


def _queue(queue: str, **values: str) -> Series:
    return {f'rabbitmq_detailed_{name}{{queue="alma-restore.{queue}"}}': series for name, series in values.items()}


def _waiting(queue: str, seconds: str) -> Series:
    return {f'alma_restore_ledger_waiting_seconds{{queue="{queue}"}}': seconds}


def _messages(**outcomes: str) -> Series:
    name = "alma_restore_messages_total"
    return {
        f'{name}{{service="ngas-fetcher",topic="structure.resolved",outcome="{outcome}"}}': series
        for outcome, series in outcomes.items()
    }


def _restores(**outcomes: str) -> Series:
    name = "alma_restore_casa_restores_total"
    return {
        f'{name}{{outcome="{outcome}",method="single_pass",casa="6.6.1"}}': series
        for outcome, series in outcomes.items()
    }


def _files(**outcomes: str) -> Series:
    name = "alma_restore_ngas_files_total"
    return {f'{name}{{host="ngas:7777",outcome="{outcome}"}}': series for outcome, series in outcomes.items()}


def _scratch(free: str) -> Series:
    return {
        f'alma_restore_casa_scratch_{what}_bytes{{instance="host1"}}': series
        for what, series in (("free", free), ("size", "100x600"))
    }


def ledger_of_single_runners(*, failed: int, restored: int) -> Series:
    """Tell what is seen of runners that take one block each: their counts begin and end at 1, the ledger's go on."""
    name = 'alma_restore_casa_restores_total{{outcome="casa_crashed",method="single_pass",casa="6.6.1",instance="{}"}}'
    return {name.format(f"pod-{number}"): f"_x{9 * number} 1 1 stale" for number in range(1, failed + 1)} | {
        f'alma_restore_ledger_blocks{{state="{state}",instance="desk"}}': f"7+0x20 {7 + blocks}x100"
        for state, blocks in (("failed", failed), ("restored", restored))
    }


def _up_of(*services: str, values: str = "1x600") -> Series:
    return {f'up{{job="alma-restore",service="{service}",instance="{service}"}}': values for service in services}


_ALWAYS_THERE = ("request-desk", "entitlement-checker", "metadata-resolver", "ngas-fetcher", "ppr-builder", "notifier")
_UP = 'up{{job="{}",service="notifier",instance="a"}}'
_STORE = 'alma_restore_store_errors_total{service="casa-runner",direction="written"}'
_MAILS = 'alma_restore_mails_total{{kind="delivered",outcome="{}"}}'
_TRIGGERS_COUNTED = 'alma_restore_triggers_total{{outcome="{}"}}'
_TRIGGERS_STUCK = 'alma_restore_triggers_stuck{{cause="{}"}}'
_TRIGGERS: Series = {
    _TRIGGERS_COUNTED.format("submitted"): "0+1x600",
    _TRIGGERS_COUNTED.format("rejected"): "1x600",
    _TRIGGERS_STUCK.format("not_allowed"): "0x600",
}
_MISSED = "alma_restore_ledger_missed_events"
_UNREADABLE = "alma_restore_ledger_unreadable_events"

CASES: dict[str, Case] = {
    "AlmaRestoreProcessDown": Case(
        {_UP.format("alma-restore"): "1x50 0x60"}, {_UP.format("alma-restore"): "1x58 0x1 1"}
    ),
    "AlmaRestoreServiceGone": Case(
        _up_of(*_ALWAYS_THERE) | _up_of("notifier", values="1x50 stale"),
        # No casa-runner, and a notifier that does not answer: both are there to be told of otherwise.
        _up_of(*_ALWAYS_THERE) | _up_of("notifier", values="0x600"),
    ),
    "AlmaRestoreNobodyListens": Case(
        _queue("notifier", queue_messages_ready="3x600", queue_consumers="0x600"),
        # A runner that is started per message has no consumer while there is nothing to do.
        _queue("casa-runner", queue_messages_ready="0x600", queue_consumers="0x600")
        | _queue("notifier", queue_messages_ready="3x600", queue_consumers="1x600"),
    ),
    "AlmaRestoreNotReady": Case(
        {'alma_restore_ready{service="notifier",instance="a"}': "1x40 0x60"},
        {'alma_restore_ready{service="notifier",instance="a"}': "1x55 0x60"},
    ),
    "AlmaRestoreBrokerDown": Case({_UP.format("rabbitmq"): "0x600"}, {_UP.format("rabbitmq"): "1x600"}),
    "AlmaRestoreBacklog": Case(
        _queue("casa-runner", queue_messages_ready="60x600"),
        _queue("casa-runner", queue_messages_ready="60x40 10 60x60"),
    ),
    "AlmaRestoreQueueAge": Case(
        _waiting("entitlement-checker", "0x40 0+60x60"),
        # An hour is nothing for a restore; and what was taken a minute ago waits no more.
        _waiting("casa-runner", "0+60x600") | _waiting("notifier", "0+60x59 0x60"),
    ),
    "AlmaRestoreDeadLetters": Case(
        _queue("casa-runner.dead", queue_messages="0x40 1x60"),
        _queue("casa-runner.dead", queue_messages="0x600") | _queue("casa-runner", queue_messages="9x600"),
    ),
    "AlmaRestoreHandlersFail": Case(
        _messages(failed="0+1x600", done="0+1x600"), _messages(failed="7x600", done="0+9x600")
    ),
    "AlmaRestoreDependencyAway": Case(
        _messages(later="0+3x600", done="0+1x600"), _messages(later="0+1x600", done="0+3x600")
    ),
    "AlmaRestoreRestoresFail": Case(
        _restores(restored="0+1x600", casa_crashed="0+1x600", cancelled="0+9x600"),
        # Two of three failed: too few to say anything. And many that nobody wants any more are no failures.
        _restores(restored="0 1x600", casa_crashed="0 2x600", cancelled="0+9x600"),
    ),
    "AlmaRestoreScratchFull": Case(_scratch("5x600"), _scratch("15x600")),
    "AlmaRestoreOldRequest": Case(
        {'alma_restore_ledger_oldest_seconds{state="resolved"}': "300000x600"},
        {'alma_restore_ledger_oldest_seconds{state="resolved"}': "200000x600"},
    ),
    "AlmaRestoreStuckRequests": Case(
        {'alma_restore_ledger_stuck_requests{step="fetch"}': "0x30 2x60"},
        {'alma_restore_ledger_stuck_requests{step="fetch"}': "0x50 2x5 0x60"},
    ),
    "AlmaRestoreLedgerMissesEvents": Case(
        {_MISSED: "0x40 5x60", _UNREADABLE: "0x600"}, {_MISSED: "5x600", _UNREADABLE: "2x600"}
    ),
    "AlmaRestoreTriggersNotTaken": Case(
        _TRIGGERS | {_TRIGGERS_COUNTED.format("rejected"): "0x40 1x60"},
        # One that was rejected yesterday, and one that could not be moved at one look.
        _TRIGGERS | {_TRIGGERS_STUCK.format("not_allowed"): "0x55 1 0x60"},
    ),
    "AlmaRestoreMailsNotTaken": Case(
        {_MAILS.format("refused"): "0+1x600", _MAILS.format("sent"): "0+1x600"},
        {_MAILS.format("refused"): "8x600", _MAILS.format("sent"): "0+9x600"},
    ),
    "AlmaRestoreStoreErrors": Case({_STORE: "0+1x600"}, {_STORE: "0x50 3x60"}),
    "AlmaRestoreArchiveServerFails": Case(
        _files(fetched="0+2x600", damaged_file="0+1x600"), _files(fetched="0+90x600", damaged_file="0+1x600")
    ),
}
