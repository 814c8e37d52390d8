"""The bus: how events get from service to service. One Protocol, two adapters."""

from shared.bus.base import Bus, Delivery, Handler, Subscription
from shared.bus.retry import DeadLetter, RetryLater, RetryPolicy, decide

__all__ = ["Bus", "DeadLetter", "Delivery", "Handler", "RetryLater", "RetryPolicy", "Subscription", "decide"]
