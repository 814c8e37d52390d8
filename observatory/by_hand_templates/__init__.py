"""Scripts of a calibration by hand, with places for what is a block's own."""
