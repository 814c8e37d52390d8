"""Restores execution blocks with CASA: one order, one calibrated MeasurementSet in the store."""
