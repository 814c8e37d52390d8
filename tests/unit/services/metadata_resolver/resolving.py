"""Ask the resolver for a MOUS, and take its answer apart."""

from uuid import uuid4

from contracts.envelope import Event
from contracts.messages import RequestAccepted, RequestRefused, StructureResolved
from contracts.messages.parts import Entitlement, MousStructure, RestoreRequest
from observatory.metadata_demo import PI
from observatory.metadata_entities import DemoMous
from services.metadata_resolver.service import MetadataResolver
from tests.support.delivery import RecordingDelivery


def accepted(mous: DemoMous) -> Event:
    request = RestoreRequest(
        request_id=uuid4(),
        project_code=mous.project.code,
        mous_uid=mous.uid,
        user_name=PI.name,
        user_email=PI.email,
        ticket="16140",
    )
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
