"""Product names are compared in the pipeline's own spelling."""

import pytest

from shared.pipeline_files import canonical_product_name
from shared.pipeline_files.names import is_bare_file_name

TAR = "uid___A001_X1284_X265f.session_3.caltables.tgz"


@pytest.mark.parametrize("name", [TAR, f"member.{TAR}", f"member.{TAR.replace('session_3', 's3')}"])
def test_every_spelling_of_the_archive_leads_to_the_pipelines_name(name: str) -> None:
    assert canonical_product_name(name) == TAR


def test_other_names_stay_as_they_are() -> None:
    assert canonical_product_name("uid___A002_X1_X2.ms.s1.tgz") == "uid___A002_X1_X2.ms.s1.tgz"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\x00", "a\n", "a" * 256])
def test_what_is_no_bare_file_name_is_told(name: str) -> None:
    assert not is_bare_file_name(name)
