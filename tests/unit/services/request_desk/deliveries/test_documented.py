"""The page on deliveries names every setting and every refusal."""

from pathlib import Path

from services.request_desk.deliveries.base import DeliveryError
from services.request_desk.deliveries.settings import DeliveriesSettings
from services.request_desk.deliveries.units import Kind
from tests.support.settings_tables import settings_of

PAGE = (Path(__file__).parents[5] / "docs" / "deliveries.md").read_text()


def test_every_setting_stands_on_the_page_with_default_and_meaning() -> None:
    assert [one.variable for one in settings_of(DeliveriesSettings) if one.row not in PAGE] == []


def test_every_refusal_of_a_download_stands_on_the_page() -> None:
    codes = {cls.code for cls in DeliveryError.__subclasses__()} - {"renewal_refused", "range_not_satisfiable"}
    assert codes
    assert [code for code in codes if f"`{code}`" not in PAGE] == []


def test_every_kind_that_is_removed_stands_on_the_page() -> None:
    assert [kind for kind in Kind if f"| `{kind}/<" not in PAGE] == []
