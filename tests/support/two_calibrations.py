"""A second calibration of a MOUS of the miniature ALMA: its own names, and gains of twice the size."""

import shutil
from pathlib import Path

from casacore.tables import table
from sqlalchemy import create_engine

from observatory.metadata import add_products
from observatory.metadata_entities import DemoMous
from observatory.miniature import MiniatureAlma
from observatory.products_names import ProductNames
from observatory.products_tar import write_tgz
from tests.support.measurement_sets import unpack

_NEW, _OLD = ".tgz", ".tar.gz"


def in_old_spelling(name: str) -> str:
    """Name a tar of the second calibration, as of before 2016."""
    return name.removeprefix("member.").removesuffix(_NEW) + _OLD


def add_second_calibration(
    alma: MiniatureAlma, mous: DemoMous, products: Path, *, archived: bool, newest_lists_it: bool
) -> None:
    """Add another calibration's manifest, tables and flags, whose names do not tell whose they are.

    Parameters
    ----------
    products
        Folder of the MOUS's products.
    archived
        Whether NGAS has its tars; the archive's tables list them anyhow.
    newest_lists_it
        Whether the newest manifest of the MOUS lists its tars instead of the observatory's.
    """
    (manifest,) = products.glob("*pipeline_manifest.xml")
    tars = [path for path in products.glob(f"*{_NEW}") if {"caltables", "flagversions"} & set(path.name.split("."))]
    listing = manifest.read_text()
    for path in tars:
        name = path.name.removeprefix("member.")
        listing = listing.replace(f'"{name}"', f'"{in_old_spelling(name)}"')
    second = products / ProductNames(mous_uid=mous.uid, procedure="hifa_cal").of_mous("pipeline_manifest.xml")
    second.write_text(listing)
    alma.ngas.archive(second, second.name)
    if newest_lists_it:
        alma.ngas.archive(second, manifest.name, version=2)
    made = [_second(path) for path in tars]
    for path in made if archived else []:
        alma.ngas.archive(path, path.name)
    engine = create_engine(alma.database_url)
    with engine.begin() as connection:
        add_products(connection, mous.uid, [(path.name, path.stat().st_size) for path in (second, *made)])
    engine.dispose()


def _second(tar: Path) -> Path:
    """Make the second calibration's tar of one of the first."""
    made = tar.with_name(in_old_spelling(tar.name))
    if "caltables" not in tar.name:
        shutil.copyfile(tar, made)
        return made
    folder = tar.with_name(f"{tar.name}.unpacked")
    unpack(tar, folder)
    (gains,) = folder.glob("*.fluxscale.gacal.tbl")
    with table(str(gains), readonly=False, ack=False) as opened:
        opened.putcol("CPARAM", 2 * opened.getcol("CPARAM"))
    write_tgz(made, [(path.name, path) for path in folder.iterdir()])
    return made
