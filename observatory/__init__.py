"""A miniature ALMA for demo and tests: synthetic execution blocks, their products, an archive and its database."""
