"""DataLink documents, read back by an independent client (pyvo)."""

import requests
from pyvo.dal.adhoc import DatalinkResults

from tests.support.desk_site import JAN, MOUS, TAR, VERA, DeskSite, deliver
from tests.unit.services.request_desk.web.test_uws import client


def test_the_links_of_a_delivery_are_its_files(desk: DeskSite) -> None:
    request = desk.request(VERA)
    deliver(desk, request, {TAR: b"calibrated"})
    address = f"{desk.base_url}/datalink/links?ID={request.request_id}"
    found = DatalinkResults.from_result_url(address, session=client(desk))
    (tar,) = list(found.bysemantics("#this", include_narrower=False))
    assert (tar.content_length, tar.content_type) == (10, "application/x-tar")
    assert requests.get(tar.access_url).content == b"calibrated"
    assert len(list(found.bysemantics("#documentation", include_narrower=False))) == 1


def test_the_links_of_a_mous_are_ones_own_deliveries_and_the_service_that_restores(desk: DeskSite) -> None:
    deliver(desk, desk.request(VERA))
    deliver(desk, desk.request(JAN))
    address = f"{desk.base_url}/datalink/links?ID={MOUS}"
    found = DatalinkResults.from_result_url(address, session=client(desk))
    assert len(list(found.bysemantics("#this", include_narrower=False))) == 1
    (service,) = list(found.bysemantics("#proc", include_narrower=False))
    assert service.service_def == "restore"
    resource = found.get_adhocservice_by_id("restore")
    assert f"{desk.base_url}/uws" in [parameter.value for parameter in resource.params]


def test_what_is_not_there_or_another_ones_is_an_error_in_its_row(desk: DeskSite) -> None:
    request = desk.request(VERA)
    deliver(desk, request)
    address = f"{desk.base_url}/datalink/links?ID={request.request_id}&ID=nonsense"
    found = DatalinkResults.from_result_url(address, session=client(desk, JAN))
    assert [row["error_message"].startswith("NotFoundFault") for row in found.to_table()] == [True, True]
