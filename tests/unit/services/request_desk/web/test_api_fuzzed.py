"""The API holds what its OpenAPI document says, whatever is sent (schemathesis, in bounded time)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from structlog.testing import capture_logs

from tests.support.desk_site import OPERATOR, VERA, DeskSite, deliver, with_deliveries

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskSite]:
    root: Path = tmp_path_factory.mktemp("fuzzed")
    site = DeskSite(
        root,
        deliveries=with_deliveries,
        reads_per_minute=1_000_000,
        changes_per_minute=1_000_000,
        sign_ins_per_minute=1_000_000,
    )
    with site:
        deliver(site, site.request(VERA))
        yield site


BOUNDED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_call_breaks_the_desk_or_its_document(desk: DeskSite) -> None:
    schema = schemathesis.openapi.from_url(f"{desk.base_url}/api/v1/openapi.json")
    headers = {"Authorization": f"Bearer {desk.provider.token(OPERATOR)}"}
    faults: list[Exception] = []
    tried = 0
    # Live views never end by themselves.
    for result in schema.exclude(path_regex="/events$").get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        tried += 1

        @BOUNDED
        @given(case=operation.as_strategy())
        def holds(case: Case[Any]) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        try:
            with capture_logs():
                holds()
        except Exception as fault:  # all operations are tried before any fault is told
            faults.append(fault)
    assert tried > 20
    if faults:
        raise ExceptionGroup("operations that do not hold what the document says", faults)
