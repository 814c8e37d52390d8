"""The real S3 server that the object store's suites share."""

import os
from collections.abc import Iterator

import pytest

from shared.objects import S3Settings
from tests.support.s3 import S3Server


@pytest.fixture(scope="session")
def s3_settings() -> Iterator[S3Settings]:
    """Settings of the server that ``S3_URL``, ``S3_ACCESS_KEY`` and ``S3_SECRET_KEY`` name, else of one of our own."""
    if url := os.environ.get("S3_URL"):
        yield S3Settings(
            endpoint=url,
            access_key=os.environ["S3_ACCESS_KEY"],
            secret_key=os.environ["S3_SECRET_KEY"],
            bucket="alma-restore",
        )
        return
    with S3Server() as server:
        yield server.settings()
