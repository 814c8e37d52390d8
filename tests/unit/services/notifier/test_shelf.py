"""Deliveries in the store, their provenance, the reminder, and the end of a delivery's directory."""

import json
from pathlib import Path

import pytest

from contracts.envelope import Event
from contracts.messages import DeliveryAnnounced, DeliveryExpired, MailSent, ReleaseGranted, RequestCancelled
from contracts.messages.parts import Entitlement, MailKind
from services.notifier.service import Notifier, build
from shared import deliveries, keys
from shared.cancellation import cancel
from shared.ends import find_end
from shared.objects import ObjectMissingError, ObjectStore
from tests.support.delivery import RecordingDelivery
from tests.unit.services.notifier.samples import EVENT_ID, NOW, REQUEST, event_of, expiring, now, restored, settings


@pytest.fixture
def notifier(tmp_path: Path, objects: ObjectStore) -> Notifier:
    return build(objects=objects, settings=settings(tmp_path), clock=now)


def handle(notifier: Notifier, event: Event) -> list[Event]:
    return notifier.handle(event, RecordingDelivery())


def granted(objects: ObjectStore) -> Event:
    return event_of(ReleaseGranted(request=REQUEST, blocks=restored(objects), entitlement=Entitlement.PI))


def token_of(events: list[Event]) -> str:
    (told,) = (event.data for event in events if isinstance(event.data, DeliveryAnnounced))
    return told.address.rpartition("/")[2]


def expired() -> Event:
    return event_of(DeliveryExpired(request_id=REQUEST.request_id, mous_uid=REQUEST.mous_uid, files=()))


def test_a_delivery_lies_in_the_store_as_references_to_its_products(objects: ObjectStore, tmp_path: Path) -> None:
    site = settings(tmp_path, deliveries=None)
    event = granted(objects)
    token = token_of(handle(build(objects=objects, settings=site, clock=now), event))
    manifest = deliveries.read_manifest(objects, token)
    assert manifest is not None
    assert isinstance(event.data, ReleaseGranted)
    assert [(file.name, file.ref) for file in manifest.files] == [
        (block.file_name, block.tar) for block in event.data.blocks
    ]
    assert {one.name for one in manifest.texts} == {"README.txt", "SHA256SUMS", "provenance.json"}
    assert manifest.request == REQUEST
    assert manifest.entitlement is Entitlement.PI
    assert (manifest.created, (manifest.expires - NOW).days) == (NOW, 28)
    assert not (tmp_path / "deliveries").exists()
    stored = [info.key for info in objects.list(deliveries.folder(token))]
    assert len(stored) == 4
    assert not any(key.endswith(".tar") for key in stored)


def test_a_repeat_leaves_manifest_and_texts_as_they_are(notifier: Notifier, objects: ObjectStore) -> None:
    event = granted(objects)
    token = token_of(handle(notifier, event))
    before = list(objects.list(deliveries.folder(token)))
    assert token_of(handle(notifier, event)) == token
    assert list(objects.list(deliveries.folder(token))) == before


def test_what_is_not_in_the_store_any_more_is_not_delivered(notifier: Notifier, objects: ObjectStore) -> None:
    event = granted(objects)
    assert isinstance(event.data, ReleaseGranted)
    objects.delete(event.data.blocks[0].tar.key)
    with pytest.raises(ObjectMissingError, match="request its MOUS once more"):
        handle(notifier, event)
    assert list(objects.list(deliveries.FOLDER)) == []


def test_provenance_names_what_each_tar_was_made_of_and_by_what(notifier: Notifier, objects: ObjectStore) -> None:
    event = granted(objects)
    assert isinstance(event.data, ReleaseGranted)
    block = event.data.blocks[0]
    ppr = objects.put_bytes(block.ppr.key, b"<a><ProcedureTitle>hifa_restore</ProcedureTitle></a>")
    blocks = (block.model_copy(update={"ppr": ppr}), *event.data.blocks[1:])
    token = token_of(handle(notifier, event_of(event.data.model_copy(update={"blocks": blocks}))))
    told = json.loads(objects.get(deliveries.text(token, "provenance.json")))
    tar, restore = f"restore:product/{block.tar.sha256}", f"restore:restore/{block.tar.sha256}"
    assert told["entity"][tar]["restore:sha256"] == block.tar.sha256
    assert told["activity"][restore]["restore:recipe"] == "hifa_restore"
    assert {"prov:entity": tar, "prov:activity": restore} in told["wasGeneratedBy"].values()
    used = {use["prov:role"] for use in told["used"].values() if use["prov:activity"] == restore}
    assert used == {"restore:asdm", "restore:ppr"}
    agents = {part["prov:agent"] for part in told["wasAssociatedWith"].values()}
    assert agents == {"restore:casa/6.7.0.31", "restore:pipeline/2025.1.0.35"}
    assert all(told["entity"].get(use["prov:entity"]) for use in told["used"].values())
    assert len(told["hadMember"]) == len(blocks)
    for private in (REQUEST.user_email, REQUEST.user_name, token):
        assert private not in json.dumps(told)


def test_the_user_is_reminded_once_and_the_contact_by_a_blind_copy(
    notifier: Notifier, objects: ObjectStore, tmp_path: Path
) -> None:
    event = event_of(expiring(objects))
    for _ in range(2):
        (said,) = handle(notifier, event)
        assert isinstance(said.data, MailSent)
        assert (said.data.kind, said.data.recipients) == (MailKind.EXPIRING, 3)
    assert [path.stem.partition("@")[0] for path in (tmp_path / "mails").glob("*.eml")] == [str(EVENT_ID)]
    assert find_end(objects, REQUEST.request_id) is None


def test_the_directory_of_a_delivery_that_is_over_is_removed_even_if_its_request_was_cancelled_later(
    notifier: Notifier, objects: ObjectStore, tmp_path: Path
) -> None:
    token = token_of(handle(notifier, granted(objects)))
    assert (tmp_path / "deliveries" / token).is_dir()
    cancel(objects, RequestCancelled(request_id=REQUEST.request_id, mous_uid=REQUEST.mous_uid, by="vrubin"))
    for _ in range(2):
        assert handle(notifier, expired()) == []
    assert list((tmp_path / "deliveries").iterdir()) == []


def test_a_directory_with_donotremove_stays(notifier: Notifier, objects: ObjectStore, tmp_path: Path) -> None:
    token = token_of(handle(notifier, granted(objects)))
    (tmp_path / "deliveries" / token / ".donotremove").touch()
    handle(notifier, expired())
    assert (tmp_path / "deliveries" / token / "README.txt").is_file()


def test_the_end_of_a_delivery_that_nobody_knows_is_no_trouble(notifier: Notifier, objects: ObjectStore) -> None:
    assert handle(notifier, expired()) == []
    assert objects.info(keys.delivery(REQUEST.request_id)) is None
