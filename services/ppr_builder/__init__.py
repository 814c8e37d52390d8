"""Writes a processing request per execution block, once its inputs are known to fit together."""
