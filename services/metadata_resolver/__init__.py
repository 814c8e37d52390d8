"""The metadata resolver: what a MOUS consists of, from the archive's tables."""
