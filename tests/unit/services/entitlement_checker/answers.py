"""What the entitlement checker answers."""

from contracts.envelope import Event
from contracts.messages import Message
from services.entitlement_checker.service import EntitlementChecker
from tests.support.delivery import RecordingDelivery


def said(service: EntitlementChecker, message: Message) -> Message:
    (answer,) = service.handle(Event.first(message, source="/test"), RecordingDelivery())
    return answer.data
