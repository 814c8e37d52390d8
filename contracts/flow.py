"""Who listens to what: the queue of each service and the topics it collects."""

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

LONG_WORK = frozenset({"ngas-fetcher", "casa-runner", "notifier"})
"""Services that may work on one event for hours or days."""
