"""An operator examines the broker: queues, bindings and limits as they should be, and each of them broken."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
import pytest
import urllib3
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from tests.support.examined_site import Site, dead_port, of
from tests.support.rabbitmq import RabbitServer


def test_a_broker_without_queues_is_a_warning_that_applying_the_topology_ends(site: Site) -> None:
    code, before = site.examine("ppr-builder")
    assert (code, before["broker: queues"][0]) == (1, "warn")
    assert "topology apply" in before["broker: queues"][2]
    assert before["broker: journal (stream)"][0] == "fail"
    site.run("topology", "apply")
    code, after = site.examine("ppr-builder")
    assert code == 0
    assert of("broker", after) == {
        "broker: reachable": "ok",
        "broker: version": "ok",
        "broker: queues": "ok",
        "broker: bindings": "warn",
        "broker: policies": "warn",
        "broker: journal (stream)": "ok",
        "broker: consumers": "warn",
        "broker: dead letters": "ok",
    }


def test_a_queue_that_differs_fails(site: Site) -> None:
    site.run("topology", "apply")
    site.environment["ALMA_RESTORE_BUS__DELIVERY_LIMIT"] = "7"
    code, found = site.examine("ppr-builder")
    verdict, what, advice = found["broker: queues"]
    assert (code, verdict) == (1, "fail")
    assert "x-delivery-limit" in what
    assert "topology check" in advice


@pytest.fixture
def site_with_management(site: Site, managed_rabbit: RabbitServer) -> Site:
    site.environment["ALMA_RESTORE_BUS__MANAGEMENT_URL"] = f"http://127.0.0.1:{managed_rabbit.management_port}/"
    site.run("topology", "apply")
    return site


def changed(site: Site, change: Callable[[BlockingChannel, Names], object]) -> None:
    """Change the broker behind the services' backs."""
    settings = RabbitSettings.model_validate({"url": site.environment["ALMA_RESTORE_BUS__URL"]})
    with pika.BlockingConnection(settings.parameters("test")) as connection:
        change(connection.channel(), Names(site.environment["ALMA_RESTORE_BUS__PREFIX"]))


def test_a_binding_that_is_missing_is_told_and_made_again(site_with_management: Site) -> None:
    site = site_with_management
    code, whole = site.run("topology", "check")
    assert (code, whole.strip()) == (0, "RabbitMQ has every exchange, queue and binding as it should be")
    changed(
        site,
        lambda channel, names: (
            channel.queue_unbind(names.queue("casa-runner"), names.services, "restore.ordered"),
            channel.exchange_unbind(names.services, names.events, "#"),
        ),
    )
    prefix = site.environment["ALMA_RESTORE_BUS__PREFIX"]
    lost = [
        f"binding {prefix}.services -restore.ordered-> {prefix}.casa-runner",
        f"binding {prefix}.events -#-> {prefix}.services",
    ]
    code, told = site.run("topology", "check")
    assert (code, [name in told for name in lost], told.count("binding ")) == (1, [True, True], 2)
    verdict, found, advice = site.examine("ppr-builder")[1]["broker: bindings"]
    assert (verdict, found, advice) == ("warn", f"missing: {'; '.join(lost)}", "run `alma-restore topology apply`")
    code, applied = site.run("topology", "apply")
    assert (code, applied.splitlines()[:2]) == (0, [f"made {name}" for name in lost])
    assert site.run("topology", "check")[0] == 0
    assert site.examine("ppr-builder")[1]["broker: bindings"][0] == "ok"


def test_a_binding_of_an_earlier_release_is_told_and_removed_only_when_that_is_asked(
    site_with_management: Site,
) -> None:
    site = site_with_management

    def change(channel: BlockingChannel, names: Names) -> None:
        channel.queue_bind(names.queue("notifier"), names.services, "restore.failed")
        onlooker = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(onlooker, names.events, "#")
        code, told = site.run("topology", "check")
        assert (code, told.count("binding "), f"-restore.failed-> {names.queue('notifier')}" in told) == (1, 2, True)
        assert "apply --remove-stale" in told

    changed(site, change)
    assert site.examine("ppr-builder")[1]["broker: bindings"][0] == "warn"
    assert site.run("topology", "apply")[0] == 1
    code, told = site.run("topology", "apply", "--remove-stale")
    assert (code, told.startswith("removed binding")) == (0, True)
    assert site.run("topology", "check")[0] == 0


def test_queues_of_earlier_settings_and_releases_are_noted_with_what_lies_in_them_and_are_no_error(
    site_with_management: Site,
) -> None:
    site, prefix = site_with_management, site_with_management.environment["ALMA_RESTORE_BUS__PREFIX"]

    def change(channel: BlockingChannel, names: Names) -> None:
        channel.confirm_delivery()
        for queue, number in ((names.wait(777.0), 0), (names.queue("retired"), 1), (names.dead("retired"), 2)):
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
            for _ in range(number):
                channel.basic_publish("", queue, b"left", mandatory=True)
        channel.queue_declare(f"{prefix}-of-others", durable=True)

    changed(site, change)
    for command in ("check", "apply"):
        code, told = site.run("topology", command)
        rows = [line.strip("│ ").split() for line in told.splitlines() if line.startswith("│")]
        assert [[cell for cell in row if cell != "│"] for row in rows] == [
            [f"{prefix}.retired", "1", "0"],
            [f"{prefix}.retired.dead", "2", "0"],
            [f"{prefix}.wait.777000", "0", "0"],
        ]
        assert (code, "RabbitMQ has every exchange, queue and binding as it should be" in told) == (0, True)


@contextmanager
def policies(server: RabbitServer, name: str, **definitions: dict[str, object]) -> Iterator[None]:
    """Have the broker's operators make a policy of each kind, for the queues of a prefix."""
    headers = urllib3.make_headers(basic_auth="guest:guest")
    with urllib3.PoolManager(headers=headers) as http:
        places = {
            kind: f"http://127.0.0.1:{server.management_port}/api/{kind.replace('_', '-')}/%2F/{name}"
            for kind in definitions
        }
        for kind, place in places.items():
            body = {"pattern": f"^{name}[.]", "apply-to": "queues", "definition": definitions[kind]}
            assert http.request("PUT", place, json=body).status == 201
        try:
            yield
        finally:
            for place in places.values():
                http.request("DELETE", place)


def test_policies_that_change_how_our_queues_work_fail_with_their_names(
    site_with_management: Site, managed_rabbit: RabbitServer
) -> None:
    """The broker itself says nothing of them when queues are compared: their arguments stay what they are."""
    site, prefix = site_with_management, site_with_management.environment["ALMA_RESTORE_BUS__PREFIX"]
    harmless = {"queue-leader-locator": "balanced", "delivery-limit": 2_000_000}
    with policies(managed_rabbit, prefix, policies=harmless):
        assert site.examine("ppr-builder")[1]["broker: policies"][:2] == ("ok", "none changes our queues")
    with policies(managed_rabbit, prefix, policies={"overflow": "drop-head"}, operator_policies={"max-length": 5}):
        code, found = site.examine("ppr-builder")
    verdict, what, advice = found["broker: policies"]
    assert (code, verdict, found["broker: queues"][0]) == (1, "fail", "ok")
    assert f"policy {prefix!r} sets overflow to drop-head for {prefix}." in what
    assert f"operator policy {prefix!r} sets max-length to 5 for {prefix}." in what
    assert f"{prefix}.casa-runner (made with reject-publish)" in what
    assert f"^{prefix}" in advice
    with policies(managed_rabbit, prefix, policies={"max-length-bytes": 1000, "max-age": "1D"}):
        assert f"{prefix}.journal (made with 90D)" in site.examine("ppr-builder")[1]["broker: policies"][1]


def test_a_management_plugin_that_lets_nobody_in_or_is_away_is_told_without_its_password(
    site_with_management: Site, managed_rabbit: RabbitServer
) -> None:
    site, place = site_with_management, f"127.0.0.1:{managed_rabbit.management_port}"
    for address, complaint in (
        (f"http://guest:hush-hush@{place}", "rabbitmqctl set_user_tags guest management"),
        (f"http://{place}/elsewhere", "not as RabbitMQ's management plugin does"),
        (f"http://127.0.0.1:{dead_port()}", ": Connection refused; enable it (rabbitmq-plugins enable"),
    ):
        site.environment["ALMA_RESTORE_BUS__MANAGEMENT_URL"] = address
        code, told = site.run("topology", "check")
        assert (code, complaint in told, "hush-hush" in told) == (2, True, False), told
        _, found = site.examine("ppr-builder")
        assert (found["broker: bindings"][0], found["broker: journal (stream)"][0]) == ("fail", "ok")
        assert (found["broker: policies"][0], "hush-hush" in found["broker: policies"][1]) == ("fail", False)
    del site.environment["ALMA_RESTORE_BUS__MANAGEMENT_URL"]
    code, told = site.run("topology", "apply", "--remove-stale")
    assert (code, "ALMA_RESTORE_BUS__MANAGEMENT_URL" in told) == (2, True)


def test_a_broker_that_takes_long_work_back_fails_with_what_to_set(site: Site, tmp_path: Path) -> None:
    """RabbitMQ 3.10 lets nothing but its configuration file say how long an event may be held."""
    site.environment |= {
        "ALMA_RESTORE_CASA_RUNNER_SCRATCH": str(tmp_path / "scratch"),
        "ALMA_RESTORE_CASA_RUNNER_LAUNCHER__CASA__COMMAND": '["/nowhere/casa"]',
        "ALMA_RESTORE_CASA_RUNNER_LAUNCHER__KIND": "process",
        "ALMA_RESTORE_BUS__BROKER_CONSUMER_TIMEOUT": "60",
        "ALMA_RESTORE_BUS__HOLD_LIMIT": "60",
    }
    site.run("topology", "apply")
    _, found = site.examine("casa-runner")
    verdict, _, advice = found["broker: acknowledgement timeout of casa-runner"]
    assert verdict == "fail"
    assert "consumer_timeout" in advice or "HOLD_LIMIT" in advice
    assert found["CASA: launcher"][0] == "fail"
    assert of("scratch", found).keys() >= {
        "scratch: locks",
        "scratch: directory",
        "scratch: room",
        "scratch: file system",
    }


@pytest.mark.parametrize("version", ["3.9.29", "0"])
def test_a_broker_that_is_too_old_or_does_not_say_fails_with_the_version_that_is_needed(
    site: Site, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    started = BlockingConnection.__init__

    def as_of_old(self: BlockingConnection, *args: Any, **kwargs: Any) -> None:
        started(self, *args, **kwargs)
        vars(self)["_impl"].server_properties["version"] = version

    monkeypatch.setattr(BlockingConnection, "__init__", as_of_old)
    code, found = site.examine("ppr-builder")
    verdict, what, advice = found["broker: version"]
    assert (code, verdict, what) == (1, "fail", f"RabbitMQ {version}")
    assert "3.10 or later" in advice


def test_a_broker_that_is_away_or_lets_nobody_in_fails_and_the_rest_is_examined(site: Site) -> None:
    url = site.environment["ALMA_RESTORE_BUS__URL"]
    for broken in (f"amqp://guest:guest@127.0.0.1:{dead_port()}/%2F", url.replace("guest:guest", "guest:wrong")):
        site.environment["ALMA_RESTORE_BUS__URL"] = broken
        code, found = site.examine("ppr-builder")
        assert (code, found["broker: reachable"][0], found["object store: reachable"][0]) == (1, "fail", "ok")


def test_who_is_not_let_in_is_told_where_and_what_the_broker_said(site: Site, managed_rabbit: RabbitServer) -> None:
    place = f"127.0.0.1:{managed_rabbit.port}"
    for address, said in (
        (f"guest:hush-hush@{place}/%2F", "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN"),
        (f"guest:guest@{place}/nothing", "NOT_ALLOWED - vhost nothing not found"),
    ):
        site.environment["ALMA_RESTORE_BUS__URL"] = f"amqp://{address}"
        code, told = site.run("topology", "check")
        assert (code, "hush-hush" in told) == (2, False)
        begins = f"alma-restore: RabbitMQ at {place} (ALMA_RESTORE_BUS__URL) does not let us in: {said}"
        assert begins in told
        assert ".; check" not in told
        assert "; check user, password and virtual host\n" in told
        assert "ConnectionClosedByBroker" not in told
