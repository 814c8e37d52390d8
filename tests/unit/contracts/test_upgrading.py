"""Releases side by side: today's models read what earlier ones said, and earlier ones read what is said today."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from contracts.envelope import Event, UndecodableEventError
from contracts.messages import Message, known_types
from tests.support.released import Release, read_by, releases
from tests.support.samples import SAMPLES

RELEASES = releases()
SAID_BEFORE = [
    pytest.param(release, name, id=f"{release.version}-{name}") for release in RELEASES for name in release.messages
]
SAID_TODAY = [
    pytest.param(release, sample, id=f"{release.version}-{sample.topic}")
    for release in RELEASES
    for sample in SAMPLES
    if sample.type_name() in release.schemas
]


def written(message: Message) -> Any:
    return json.loads(Event.first(message, source="/alma-restore/test").encode())


def lost(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Say which members of what was read are missing or other in what is written again."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from lost(value, after.get(key), f"{place}/{key}")
    elif before != after:
        yield f"{place}: {before!r} became {after!r}"


def test_at_least_one_release_is_kept() -> None:
    assert RELEASES
    assert SAID_TODAY


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: str(release.version))
def test_every_type_that_a_release_says_is_still_known(release: Release) -> None:
    assert set(release.messages) == set(release.schemas)
    assert set(release.messages) - set(known_types()) == set()


@pytest.mark.parametrize(("release", "name"), SAID_BEFORE)
def test_what_an_earlier_release_said_is_read_today_and_nothing_of_it_is_lost(release: Release, name: str) -> None:
    said = release.messages[name]
    assert list(lost(said, json.loads(Event.decode(json.dumps(said).encode()).encode()))) == []


@pytest.mark.parametrize(("release", "sample"), SAID_TODAY)
def test_what_is_said_today_is_read_by_an_earlier_release(release: Release, sample: Message) -> None:
    validator = Draft202012Validator(release.schemas[sample.type_name()])
    assert [error.message for error in validator.iter_errors(written(sample))] == []


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: str(release.version))
def test_what_is_said_today_is_read_by_an_earlier_releases_own_models(release: Release, tmp_path: Path) -> None:
    said = [written(sample) for sample in SAMPLES if sample.type_name() in release.schemas]
    for event in said:
        event["data"]["member_of_tomorrow"] = 1
    broken = written(SAMPLES[0]) | {"data": {}}
    faults = read_by(release, [json.dumps(event) for event in (*said, broken)], tmp_path)
    assert (set(faults[:-1]), bool(faults[-1])) == ({""}, True)


@pytest.mark.parametrize(("release", "sample"), SAID_TODAY)
def test_a_member_that_is_new_is_left_alone_and_one_that_is_renamed_is_noticed(
    release: Release, sample: Message
) -> None:
    schema = release.schemas[sample.type_name()]
    validator, said = Draft202012Validator(schema), written(sample)
    said["data"]["member_of_tomorrow"] = 1
    assert validator.is_valid(said)
    Event.decode(json.dumps(said).encode())
    required = [name for name, member in type(sample).model_fields.items() if member.is_required()]
    assert required
    for name in required:
        renamed = copy.deepcopy(said)
        renamed["data"][f"{name}_renamed"] = renamed["data"].pop(name)
        assert not validator.is_valid(renamed)
        with pytest.raises(UndecodableEventError):
            Event.decode(json.dumps(renamed).encode())


def test_the_contracts_of_every_release_are_kept() -> None:
    """``python -m tests.support.released VERSION`` keeps them, before the tag is set."""
    changes = (Path(__file__).parents[3] / "CHANGELOG.md").read_text()
    assert set(re.findall(r"^## (\d+\.\d+\.\d+)", changes, re.MULTILINE)) == {one.version for one in RELEASES}
