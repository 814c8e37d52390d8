"""A result's key is made of what it depends on, and of nothing else."""

from typing import Any

import pytest

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages.parts import NamedRef, ObjectRef, Selection
from services.ppr_builder.restore_key import restore_key


def named(name: str, digest: str, key: str = "a") -> NamedRef:
    return NamedRef(name=name, ref=ObjectRef(key=key, size=1, sha256=digest * 64))


INPUTS: dict[str, Any] = {
    "eb_uid": ExecBlockUid("uid://A002/Xc7111c/X3979"),
    "session": SessionName("session_1"),
    "asdm": ObjectRef(key="asdm/x", size=1, sha256="a" * 64),
    "products": (named("t.tgz", "b"), named("f.tgz", "c")),
    "selection": Selection(calibrator_fields=("A", "B")),
    "casa_version": "6.6.6-17",
}


def test_the_key_stays_the_same_from_release_to_release() -> None:
    assert restore_key(**INPUTS) == "58d536d6c8add6788b72aa75bb4c736e"


@pytest.mark.parametrize(
    "change",
    [
        {"eb_uid": ExecBlockUid("uid://A002/Xc7111c/X409e")},
        {"session": SessionName("session_2")},
        {"asdm": ObjectRef(key="asdm/x", size=1, sha256="d" * 64)},
        {"products": (named("t.tgz", "b"), named("f.tgz", "d"))},
        {"products": (named("t.tgz", "c"), named("f.tgz", "b"))},
        {"products": (named("t.tgz", "b"),)},
        {"selection": Selection()},
        {"selection": Selection(calibrator_fields=("A",))},
        {"selection": Selection(calibrator_fields=("A", "b"))},
        {"selection": Selection(calibrator_fields=("A", "B"), spw=(17,))},
        {"selection": Selection(calibrator_fields=("A", "B"), chanbin=2)},
        {"selection": Selection(calibrator_fields=("A", "B"), timebin=30.0)},
        {"selection": Selection(science_only=True)},
        {"casa_version": "6.7.0"},
    ],
    ids=str,
)
def test_another_input_gives_another_key(change: dict[str, Any]) -> None:
    assert restore_key(**{**INPUTS, **change}) != restore_key(**INPUTS)


@pytest.mark.parametrize(
    "change",
    [
        {"selection": Selection(calibrator_fields=("B", "A"))},
        {"selection": Selection(calibrator_fields=("A", "B", "A"))},
        {"products": (named("f.tgz", "c"), named("t.tgz", "b"))},
        {"products": (named("t.tgz", "b", key="elsewhere"), named("f.tgz", "c"))},
        {"asdm": ObjectRef(key="elsewhere", size=1, sha256="a" * 64)},
    ],
    ids=["order of fields", "a field twice", "order of products", "place of a product", "place of the ASDM"],
)
def test_what_means_the_same_gives_the_same_key(change: dict[str, Any]) -> None:
    assert restore_key(**{**INPUTS, **change}) == restore_key(**INPUTS)
