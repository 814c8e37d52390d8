"""ngas-fetcher: brings execution blocks and calibration products from NGAS into the object store, verified."""
