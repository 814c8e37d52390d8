"""The demonstration: several people ask a miniature ALMA for data, and all six services answer."""
