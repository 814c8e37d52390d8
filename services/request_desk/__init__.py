"""The request desk: where requests come in."""
