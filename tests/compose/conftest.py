"""The compose project, up once for all tests here."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from observatory.blocks import MadeBlock
from observatory.miniature import RESTORABLE, MiniatureAlma
from tests.support.compose import ComposeProject
from tests.support.compose_base import IMAGE, make_bases, on_base
from tests.support.docker_engine import DockerEngine


@pytest.fixture(scope="module")
def blocks(observatory_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> list[MadeBlock]:
    """The blocks that the project's observatory serves."""
    return list(
        MiniatureAlma(root=tmp_path_factory.mktemp("alma"), cache=observatory_cache, mouss=RESTORABLE).blocks.values()
    )


@pytest.fixture(scope="module")
def project(blocks: list[MadeBlock], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeProject]:
    cache = tmp_path_factory.mktemp("cache")
    for block in blocks:
        shutil.copytree(block.root, cache / block.root.name)
    cache.chmod(0o777)  # the observatory locks what it takes, as a user of its own
    with DockerEngine(networks=True, images=()) as engine:
        with engine.client() as client:
            make_bases(client)
        with ComposeProject(
            engine=engine.address, base=IMAGE, changes=on_base(cache), folder=tmp_path_factory.mktemp("compose")
        ) as project:
            yield project


@pytest.fixture(scope="module")
def truths(blocks: list[MadeBlock]) -> dict[str, MadeBlock]:
    """What blocks hold, by the names of the tars in which they are delivered."""
    return {f"{block.truth.name}.tar": block for block in blocks}
