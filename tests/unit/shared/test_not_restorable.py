from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from contracts.identifiers import MousUid
from shared.not_restorable import NotRestorableYet, RefusedYet
from shared.objects import DirectorySettings, ObjectStore, open_store
from tests.support.samples import REQUEST, WHEN

OTHER = MousUid("uid://A001/X1/X2")


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[ObjectStore]:
    store = open_store(DirectorySettings(root=tmp_path))
    yield store
    store.close()


def refused(number: int, mous: MousUid = REQUEST.mous_uid, detail: str = "no tables") -> RefusedYet:
    request = REQUEST.model_copy(update={"request_id": UUID(int=number), "mous_uid": mous})
    return RefusedYet(request=request, detail=detail, since=WHEN)


def test_requests_are_found_by_their_mous_until_they_are_forgotten(objects: ObjectStore) -> None:
    waiting = NotRestorableYet(objects=objects)
    first, second, other = refused(1), refused(2), refused(3, OTHER)
    for each in (first, second, other):
        waiting.remember(each)
    assert waiting.of(REQUEST.mous_uid) == [first, second]
    assert waiting.all() == [other, first, second] or waiting.all() == [first, second, other]
    waiting.forget(first.request)
    assert waiting.of(REQUEST.mous_uid) == [second]


def test_a_request_that_is_delivered_twice_is_remembered_once(objects: ObjectStore) -> None:
    waiting = NotRestorableYet(objects=objects)
    waiting.remember(refused(1))
    waiting.remember(refused(1, detail="said again"))
    assert [each.detail for each in waiting.all()] == ["no tables"]
