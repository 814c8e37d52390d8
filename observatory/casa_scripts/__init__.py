"""What runs inside a CASA process: simulation, export to an ASDM, calibration and the reference restore."""
