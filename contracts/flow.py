"""Who says what, and who listens to it: the queue of each service and the topics it collects."""

QUEUES: dict[str, tuple[str, ...]] = {
    "request-desk": ("ticket.submitted", "mail.sent"),
    "entitlement-checker": ("request.submitted", "products.ready"),
    "metadata-resolver": ("request.accepted",),
    "ngas-fetcher": ("structure.resolved",),
    "ppr-builder": ("artefacts.staged",),
    "casa-runner": ("restore.ordered",),
    "notifier": (
        "request.refused",
        "request.failed",
        "release.granted",
        "release.withheld",
        "ticket.refused",
        "delivery.expiring",
        "delivery.expired",
        "mous.restorable",
    ),
}
"""Queue by service. All replicas of a service share its queue, so each event is handled by one of them."""

LISTENERS: dict[str, tuple[str, ...]] = {"request.cancelled": ("ngas-fetcher", "casa-runner")}
"""Services by topic of which every replica hears each event, beside its queue."""

LONG_WORK = frozenset({"ngas-fetcher", "casa-runner", "notifier"})
"""Services that may work on one event for hours or days."""

OUTSIDE = "other programs"
"""Whoever speaks on the bus and is not of this project, e.g. the archive request system."""

_BLOCKS_END_IN = ("metadata-resolver", "ngas-fetcher", "ppr-builder", "casa-runner")
SAID_BY: dict[str, tuple[str, ...]] = {
    "request.submitted": ("request-desk", "command-line", "stagecalms", OUTSIDE),
    "ticket.submitted": (OUTSIDE,),
    "ticket.refused": ("request-desk",),
    "request.accepted": ("entitlement-checker",),
    "request.refused": ("entitlement-checker", "metadata-resolver"),
    "request.waiting": (
        "entitlement-checker",
        "metadata-resolver",
        "ngas-fetcher",
        "ppr-builder",
        "casa-runner",
        "notifier",
    ),
    "request.cancelled": ("request-desk",),
    "request.resent": ("request-desk",),
    "structure.resolved": ("metadata-resolver",),
    "fetch.progressed": ("ngas-fetcher",),
    "artefacts.staged": ("ngas-fetcher",),
    "restore.ordered": ("ppr-builder",),
    "restore.started": ("casa-runner",),
    "restore.progressed": ("casa-runner",),
    "restore.completed": _BLOCKS_END_IN,
    "restore.failed": _BLOCKS_END_IN,
    "products.ready": _BLOCKS_END_IN,
    "request.failed": _BLOCKS_END_IN,
    "release.granted": ("entitlement-checker",),
    "release.withheld": ("entitlement-checker",),
    "delivery.announced": ("notifier",),
    "delivery.expiring": ("request-desk",),
    "delivery.renewed": ("request-desk",),
    "delivery.expired": ("request-desk",),
    "mous.restorable": ("refresh",),
    "mail.sent": ("notifier",),
}
"""Who may say a topic: services, and commands, as the events' ``source`` ends; in the order of a request's way."""
