"""Examines a broker: whether it can carry what the services say, and for as long as they work."""

from collections.abc import Collection, Mapping

from pika.adapters.blocking_connection import BlockingConnection

from contracts.flow import QUEUES
from shared.bus.applying import Difference, compare
from shared.bus.bindings import compare_bindings
from shared.bus.declaring import connected, version_of
from shared.bus.depths import count
from shared.bus.journal import end_of_journal
from shared.bus.management import policies_in
from shared.bus.patience import consumer_arguments, numbers
from shared.bus.policies import overrides, sentences
from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Topology, hold_limit, topology
from shared.errors import MisconfiguredError
from shared.findings import Findings

_OLDEST = (3, 10)
_APPLY = "alma-restore topology apply"
_CHECK = "`alma-restore topology check` shows what is different and how to change it"


def examine_bus(settings: RabbitSettings, *, retry: RetryPolicy, longest: Mapping[str, float]) -> Findings:
    """Look at everything that the bus needs of its broker, and change nothing.

    Parameters
    ----------
    settings
        Where the broker is.
    retry
        When events are tried again; the broker has a queue for each delay.
    longest
        Seconds that a service may hold an event, by its name.
    """
    findings = Findings("broker")
    with (
        findings.attempt("reachable", "start it, and check ALMA_RESTORE_BUS__URL"),
        connected(settings, "doctor") as connection,
    ):
        version = version_of(connection)
        findings.ok("reachable", f"{settings.parameters('doctor').host} lets us in")
        _examine_version(findings, version)
        _examine_topology(findings, connection, settings, retry)
        _examine_journal(findings, settings)
        _examine_patience(findings, version, settings, longest)
        _examine_queues(findings, settings)
    return findings


def _examine_version(findings: Findings, version: str) -> None:
    if numbers(version) >= _OLDEST:
        findings.ok("version", f"RabbitMQ {version}")
    else:
        findings.fail("version", f"RabbitMQ {version}", "use 3.10 or later: streams and quorum queues need it")


def _examine_topology(
    findings: Findings, connection: BlockingConnection, settings: RabbitSettings, retry: RetryPolicy
) -> None:
    wanted = topology(QUEUES, settings=settings, retry=retry)
    differences = compare(wanted, connection)
    missing = [each.name for each in differences if each.is_missing]
    others = [str(each) for each in differences if not each.is_missing]
    if others:
        findings.fail("queues", "; ".join(others), _CHECK)
    if missing:
        findings.warn("queues", f"missing: {', '.join(missing)}", f"run `{_APPLY}`")
    if not differences:
        findings.ok("queues", "every exchange and queue is as it should be")
    for what, examine in (("bindings", _examine_bindings), ("policies", _examine_policies)):
        with findings.attempt(what, "start the management plugin, and check ALMA_RESTORE_BUS__MANAGEMENT_URL"):
            if settings.management_url is None:
                findings.warn(what, "not compared", "set ALMA_RESTORE_BUS__MANAGEMENT_URL")
            else:
                examine(findings, wanted, settings, differences)


def _examine_bindings(
    findings: Findings, wanted: Topology, settings: RabbitSettings, known: Collection[Difference]
) -> None:
    differences = compare_bindings(wanted, settings, known=known)
    if stale := [each.name for each in differences if each.is_stale]:
        findings.warn("bindings", f"should not be there: {'; '.join(stale)}", _CHECK)
    if missing := [each.name for each in differences if each.is_missing]:
        findings.warn("bindings", f"missing: {'; '.join(missing)}", f"run `{_APPLY}`")
    if not differences:
        findings.ok("bindings", "every one is as it should be")


def _examine_policies(
    findings: Findings, wanted: Topology, settings: RabbitSettings, _known: Collection[Difference]
) -> None:
    policies = policies_in(settings)
    found = list(overrides(wanted, policies))
    unclear = [f"{each} ({each.pattern})" for each in policies if each.expression is None]
    advice = f"let its pattern leave out ^{settings.prefix}\\., or remove it (`rabbitmqctl list_policies`)"
    if changed := sentences(each for each in found if not each.is_of_journal):
        findings.fail("policies", "; ".join(changed), f"{advice}: events would be lost or come too often or too late")
    if shortened := sentences(each for each in found if each.is_of_journal):
        findings.warn("policies", "; ".join(shortened), f"{advice}: what is kept for the ledger is less than was set")
    if unclear:
        findings.warn("policies", f"not compared: {', '.join(unclear)}", "see whether the pattern is for our queues")
    if not found and not unclear:
        findings.ok("policies", "none changes our queues")


def _examine_journal(findings: Findings, settings: RabbitSettings) -> None:
    """Read the journal's end: only that shows that the broker has streams and lets us read them.

    Over a connection of its own: events that were given and are not acknowledged would be rejected by pika when
    it stops, which no stream takes.
    """
    with findings.attempt("journal (stream)", f"enable the feature flag stream_queue, then {_APPLY}"):
        end_of_journal(settings)
        findings.ok("journal (stream)", "can be read")


def _examine_patience(findings: Findings, version: str, settings: RabbitSettings, longest: Mapping[str, float]) -> None:
    for queue, seconds in longest.items():
        what = f"acknowledgement timeout of {queue}"
        try:
            consumer_arguments(
                queue,
                longest=seconds,
                version=version,
                queue_timeout=hold_limit(queue, settings),
                broker_timeout=settings.broker_consumer_timeout,
            )
        except MisconfiguredError as error:
            findings.fail(what, "is shorter than its longest work", str(error))
        else:
            findings.ok(what, f"lets it work for {seconds / 3600:g} h")


def _examine_queues(findings: Findings, settings: RabbitSettings) -> None:
    depths = count(QUEUES, settings=settings)
    idle = [each.queue for each in depths if not each.replicas]
    dead = [f"{each.dead} of {each.queue}" for each in depths if each.dead]
    if idle:
        findings.warn("consumers", f"nobody takes from {', '.join(idle)}", "start them: `alma-restore run SERVICE`")
    elif depths:
        findings.ok("consumers", "each queue has one at least")
    if dead:
        findings.warn("dead letters", ", ".join(dead), "look at them: `alma-restore dead-letters list`")
    else:
        findings.ok("dead letters", "none")
