"""Examines a deployment as the settings of its services describe it: every dependency, with what to do."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from importlib import import_module
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from alma_restore.registry import BUILDERS
from shared.bus.examining import examine_bus
from shared.bus.settings import RabbitSettings
from shared.findings import Finding, Findings, Verdict
from shared.objects import open_store
from shared.objects.examining import examine_store
from shared.objects.settings import DirectorySettings
from shared.settings import BusAccess, RuntimeSettings, StoreAccess, explain
from shared.trace_examining import examine_traces
from shared.tracing_settings import TracingSettings

Examination = Iterable[Finding]

_HOLDING = (
    ("ngas-fetcher", "longest", "longest"),
    ("casa-runner", "time_limit", "time_limit"),
    ("notifier", "longest", "deliveries"),  # which it copies for hours, if it lays them out
)
"""Who may hold an event for long: the service, its setting of how long, and what is set if it does."""


def examine(services: Collection[str]) -> Iterator[Finding]:
    """Examine what these services depend on, each thing once.

    Yields
    ------
    Finding
        As soon as it is found.
    """
    services = [name for name in BUILDERS if name in services]
    yield from _by_settings("settings", _process)
    yield from _by_settings("broker", lambda: _broker(services))
    yield from _by_settings("object store", lambda: examine_store(StoreAccess().store))
    yield from _by_settings("tracing", lambda: examine_traces(TracingSettings()))
    seen = set[Finding]()
    for service in services:
        for finding in _by_settings(service, lambda name=service: _OF_SERVICE[name]()):  # type: ignore[misc]  # mypy infers no type of a lambda with a default
            if finding not in seen:
                seen.add(finding)
                yield finding


def _by_settings(subject: str, work: Callable[[], Examination]) -> Iterator[Finding]:
    """Do an examination; settings that are missing or wrong, and packages that are not here, are findings."""
    try:
        yield from work()
    except (ValidationError, SettingsError) as error:
        yield Finding(f"{subject}: settings", Verdict.FAIL, explain(error), "set what is named")
    except ModuleNotFoundError as error:
        advice = f"pip install 'alma-restore[{subject}]', or name only the services of this image"
        yield Finding(f"{subject}: packages", Verdict.FAIL, f"the package {error.name!r} is missing", advice)


def _process() -> Examination:
    """Read what every process is set to, beside bus and store: of these it is told where they are examined."""
    RuntimeSettings(bus=RabbitSettings(), store=DirectorySettings(kind="directory"))
    return ()


def _broker(services: Collection[str]) -> Examination:
    access = BusAccess()
    return examine_bus(access.bus, retry=access.retry_policy(), longest=dict(_longest(services)))


def _longest(services: Collection[str]) -> Iterator[tuple[str, float]]:
    """Say how long services may hold an event; of those whose settings are wrong another finding tells."""
    for service, field, needed in _HOLDING:
        if service in services:
            try:
                settings = dict(_settings(service))
            except (ValidationError, ModuleNotFoundError):
                continue
            if settings[needed] is not None:
                yield service, float(settings[field])


def _settings(service: str, **given: Any) -> BaseSettings:
    module = import_module(f"services.{service.replace('-', '_')}.settings")
    name = "".join(word.capitalize() for word in service.split("-"))
    settings: BaseSettings = getattr(module, f"{name}Settings")(**given)
    return settings


def _entitlement_checker() -> Examination:
    from services.entitlement_checker.settings import EntitlementCheckerSettings
    from shared.archive_db.examining import examine_archive

    settings = EntitlementCheckerSettings()
    return examine_archive(
        settings.database,
        delivery_column=settings.delivery_column,
        own_delegees=settings.delegee_query is None,
    )


def _metadata_resolver() -> Examination:
    from services.metadata_resolver.settings import MetadataResolverSettings
    from services.metadata_resolver.statements import READ
    from shared.archive_db.examining import examine_tables
    from shared.archive_db.schema import columns_of

    settings = MetadataResolverSettings()
    return examine_tables(settings.database, columns_of(READ), subject="archive database")


def _ngas_fetcher() -> Iterator[Finding]:
    from services.ngas_fetcher.examining import examine_ngas, examine_ngas_tables
    from services.ngas_fetcher.settings import NgasFetcherSettings, SourceKind

    settings = NgasFetcherSettings()
    yield from examine_ngas(settings)
    if settings.source is SourceKind.TABLES:
        from shared.archive_db import ArchiveDbSettings

        yield from examine_ngas_tables(ArchiveDbSettings())


def _ppr_builder() -> Examination:
    return ()


def _casa_runner() -> Iterator[Finding]:
    from services.casa_runner.examining import examine_casa, examine_scratch
    from services.casa_runner.settings import CasaRunnerSettings

    settings = CasaRunnerSettings()
    yield from examine_scratch(settings)
    yield from examine_casa(settings)


def _notifier() -> Iterator[Finding]:
    from services.notifier.examining import examine_area, examine_mail
    from services.notifier.settings import NotifierSettings

    settings = NotifierSettings()
    yield from examine_mail(settings)
    areas = Findings("deliveries")
    with areas.attempt("directory", "see the object store"), closing(open_store(StoreAccess().store)) as objects:
        yield from examine_area(settings, objects)
    yield from areas


def _request_desk() -> Iterator[Finding]:
    from services.request_desk.examining import examine_ledger, examine_triggers
    from services.request_desk.ledger.settings import LedgerSettings
    from services.request_desk.settings import RequestDeskSettings

    settings = RequestDeskSettings()
    yield from examine_ledger(LedgerSettings(), is_shown=settings.web.port is not None)
    yield from examine_triggers(settings.triggers)
    if settings.web.port is not None:
        from services.request_desk.web.examining import examine_sign_in

        yield from examine_sign_in(settings.web)
    if settings.archive:
        from shared.archive_db import ArchiveDbSettings
        from shared.archive_db.examining import examine_archive

        own_delegees = settings.delegee_query is None
        yield from examine_archive(
            ArchiveDbSettings(), delivery_column=settings.delivery_column, own_delegees=own_delegees
        )


_OF_SERVICE: dict[str, Callable[[], Examination]] = {
    "request-desk": _request_desk,
    "entitlement-checker": _entitlement_checker,
    "metadata-resolver": _metadata_resolver,
    "ngas-fetcher": _ngas_fetcher,
    "ppr-builder": _ppr_builder,
    "casa-runner": _casa_runner,
    "notifier": _notifier,
}
