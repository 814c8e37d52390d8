"""Requests for the demo's MOUSs in the names of its people."""

from uuid import uuid4

from contracts.messages.parts import RestoreRequest
from observatory.metadata_demo import MOUS
from observatory.metadata_entities import DemoAccount, DemoMous


def request_of(person: DemoAccount, mous: DemoMous = MOUS, **more: object) -> RestoreRequest:
    """Ask for a MOUS in somebody's name, under an id of its own.

    Parameters
    ----------
    more
        Members of the request that are not given else, or are to be others.
    """
    said: dict[str, object] = {
        "request_id": uuid4(),
        "project_code": mous.project.code,
        "mous_uid": mous.uid,
        "user_name": person.name,
        "user_email": person.email,
        "ticket": "16140",
    }
    return RestoreRequest.model_validate(said | more)
