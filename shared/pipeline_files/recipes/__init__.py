"""Data: the tasks of the ALMA pipeline with their parameters, and the recipes made of them."""
