"""Ask the resolver for a MOUS, and take its answer apart."""

from contracts.envelope import Event
from contracts.messages import RequestAccepted, RequestRefused, StructureResolved
from contracts.messages.parts import Entitlement, MousStructure
from observatory.metadata_demo import PI
from observatory.metadata_entities import DemoMous
from services.metadata_resolver.service import MetadataResolver
from tests.support.delivery import RecordingDelivery
from tests.support.demo_requests import request_of


def accepted(mous: DemoMous) -> Event:
    request = request_of(PI, mous)
    return Event.first(RequestAccepted(request=request, entitlement=Entitlement.PI), source="/test")


def answers(service: MetadataResolver, mous: DemoMous) -> list[Event]:
    return service.handle(accepted(mous), RecordingDelivery())


def structure_of(service: MetadataResolver, mous: DemoMous) -> MousStructure:
    (answer,) = answers(service, mous)
    assert isinstance(answer.data, StructureResolved)
    return answer.data.structure


def refusal_of(service: MetadataResolver, mous: DemoMous) -> RequestRefused:
    (answer,) = answers(service, mous)
    assert isinstance(answer.data, RequestRefused)
    return answer.data
