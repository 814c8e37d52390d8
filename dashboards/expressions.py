"""Expressions of PromQL that several panels and alarms share."""

from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names

_PREFIX: str = RabbitSettings.model_fields["prefix"].default
_NAMES = Names(_PREFIX)
WINDOW = "5m"
JOB = "alma-restore"
READY = "rabbitmq_detailed_queue_messages_ready"
UNACKED = "rabbitmq_detailed_queue_messages_unacked"
MESSAGES = "rabbitmq_detailed_queue_messages"
CONSUMERS = "rabbitmq_detailed_queue_consumers"


def queue(service: str) -> str:
    """Name a service's queue, with the prefix that is the default."""
    return _NAMES.queue(service)


def dead(service: str) -> str:
    """Name a service's dead letters."""
    return _NAMES.dead(service)


ANY_DEAD = f"{_PREFIX}[.].+[.]dead"
ANY_QUEUE = f"{_PREFIX}[.][a-z]+-[a-z]+|{_PREFIX}[.]notifier"


def rate(metric: str, by: str, *, window: str = WINDOW, **labels: str) -> str:
    """Events per second, summed."""
    return f"sum by ({by}) (rate({metric}{_selector(labels)}[{window}]))"


def increase(metric: str, by: str, *, window: str, **labels: str) -> str:
    """Events within a time, summed."""
    return f"sum by ({by}) (increase({metric}{_selector(labels)}[{window}]))"


def quantile(share: float, histogram: str, by: str, *, window: str = "30m", **labels: str) -> str:
    """Return the value below which a share of the observations lies."""
    inner = rate(f"{histogram}_bucket", f"le, {by}" if by else "le", window=window, **labels)
    return f"histogram_quantile({share}, {inner})"


def total(metric: str, by: str, **labels: str) -> str:
    """Add up what there is."""
    return f"sum by ({by}) ({metric}{_selector(labels)})"


def told(metric: str, by: str, **labels: str) -> str:
    """What is said of the one ledger, or of one directory of trigger files: every replica of the desk says it alike."""
    return f"max by ({by}) ({metric}{_selector(labels)})"


def _selector(labels: dict[str, str]) -> str:
    """Write matchers; a value that begins with an operator keeps it."""
    if not labels:
        return ""
    parts = []
    for name, value in labels.items():
        operator, text = next(
            ((each, value[2:]) for each in ("=~", "!~", "!=") if value.startswith(each)), ("=", value)
        )
        parts.append(f'{name}{operator}"{text}"')
    return "{" + ",".join(parts) + "}"
