"""Which CASA a calibration needs: the version table, as data that an operator can extend."""

from shared.casa_catalogue.catalogue import CasaCatalogue, Release, open_catalogue, read_releases
from shared.casa_catalogue.settings import CasaCatalogueSettings
from shared.casa_catalogue.version import CasaVersion

__all__ = ["CasaCatalogue", "CasaCatalogueSettings", "CasaVersion", "Release", "open_catalogue", "read_releases"]
