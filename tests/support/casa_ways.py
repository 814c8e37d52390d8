"""A site for each way to restore: settings, products and orders with which it is the one that is taken."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contracts.envelope import Event
from contracts.messages.parts import CalibrationKind, CasaBasis, CasaChoice, Selection
from observatory.by_hand import write_hand_made
from services.casa_runner.launchers.settings import CasaPlace, ProcessSettings
from shared.pipeline_files.ppr import Kind
from tests.support.casa_site import MOUS, Site
from tests.support.standin import make_shell

CHOICE = CasaChoice(version="6.7.0.31", pipeline="2025.1.0.35", image="casa-6.7", basis=CasaBasis.MANIFEST)


@dataclass(frozen=True)
class WayCase:
    """A way with what makes it the one that is taken.

    Attributes
    ----------
    method, why
        How results name it, and what for.
    prepare
        Sets a site up for it.
    order
        Orders a restore that takes it.
    """

    method: str
    why: str | None
    prepare: Callable[[Site], None]
    order: Callable[[Site, Selection | None], Event]


def with_application(site: Site, behaviour: str = "", version: str = "6.7.*", **settings: str) -> None:
    """Give a site a whole CASA, whose pipeline behaves as told."""
    place = CasaPlace(command=(sys.executable,), shell=make_shell(site.folder / "application", behaviour))
    launcher = ProcessSettings(casas={version: place})
    site.settings = site.settings.model_copy(update={"launcher": launcher, **settings})


def order_by_hand(site: Site, selection: Selection | None = None, casa_version: str = "6.7.0") -> Event:
    """Order the restore of the block as one that was calibrated by hand."""
    made = write_hand_made(MOUS, [site.block], into=Path(site.folder, "by-hand"), casa_version=casa_version)
    return site.order(
        products=made.files,
        selection=selection,
        casa_version=casa_version,
        kind=Kind.IMPORT,
        calibration=CalibrationKind.MANUAL,
    )


def _set(way: str) -> Callable[[Site], None]:
    def prepare(site: Site) -> None:
        site.settings = site.settings.model_copy(update={"way": way})

    return prepare


def _order(site: Site, selection: Selection | None) -> Event:
    return site.order(selection=selection, casa=CHOICE)


WAYS = (
    WayCase("single pass", None, _set("fastest"), _order),
    WayCase("reference", "chosen_by_settings", _set("reference"), _order),
    WayCase("pipeline", "chosen_by_settings", lambda site: with_application(site, way="pipeline"), _order),
    WayCase("scriptForPI", "calibrated_by_hand", with_application, order_by_hand),
)
