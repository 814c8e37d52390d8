"""The demonstration: several people ask a miniature ALMA for data, and the services answer."""
