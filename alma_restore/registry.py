"""The services by name, imported only when one is run, so that an image holds only what its service needs."""

from collections.abc import Callable
from importlib import import_module

from shared.errors import MisconfiguredError
from shared.service import Service

BUILDERS = {
    "request-desk": "services.request_desk.service",
    "entitlement-checker": "services.entitlement_checker.service",
    "metadata-resolver": "services.metadata_resolver.service",
    "ngas-fetcher": "services.ngas_fetcher.service",
    "ppr-builder": "services.ppr_builder.service",
    "casa-runner": "services.casa_runner.service",
    "notifier": "services.notifier.service",
}


def builder(name: str) -> Callable[..., Service]:
    """Return the function that builds a service.

    Raises
    ------
    MisconfiguredError
        If there is no such service, or what it needs is not installed.
    """
    if name not in BUILDERS:
        raise MisconfiguredError(f"there is no service {name!r}; there are {', '.join(BUILDERS)}")
    try:
        build: Callable[..., Service] = import_module(BUILDERS[name]).build
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"{name} needs the package {error.name!r}: pip install 'alma-restore[{name}]'"
        ) from error
    return build
