"""The bus: how events get from service to service. One Protocol, two adapters."""

from shared.bus.base import Bus, DeadEvent, Delivery, Handler, QueueDepth, Reporter, Subscription
from shared.bus.errors import DeliveryLostError, UnpublishableError, UnroutableError
from shared.bus.retry import DeadLetter, RetryLater, RetryPolicy, decide

__all__ = [
    "Bus",
    "DeadEvent",
    "DeadLetter",
    "Delivery",
    "DeliveryLostError",
    "Handler",
    "QueueDepth",
    "Reporter",
    "RetryLater",
    "RetryPolicy",
    "Subscription",
    "UnpublishableError",
    "UnroutableError",
    "decide",
]
